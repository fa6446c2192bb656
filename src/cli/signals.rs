//! SIGINT and SIGTERM as something to look at between two pieces of work, and SIGXFSZ as nothing at all.
//!
//! What must hold: the first two end the process as soon as nobody listens any more, as if nobody ever had.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag::{register, register_conditional_default};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::failure::{Exit, Failure};

/// From here on a write beyond the size that the user's files may have (`ulimit -f`) fails like one to a full disk,
/// instead of ending the process without a word. Once more does no harm. A program that this one starts is ended by the
/// signal as ever.
///
/// # Errors
/// If the system refuses.
pub fn outlive_file_size_limit() -> io::Result<()> {
    static HEARD: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if HEARD.get().is_some() {
        return Ok(());
    }
    register(SIGXFSZ, Arc::clone(HEARD.get_or_init(Arc::default))).map(drop)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    const fn number(self) -> i32 {
        match self {
            Signal::Interrupt => SIGINT,
            Signal::Terminate => SIGTERM,
        }
    }

    /// Ends the process as the system would have.
    pub fn end_process(self) {
        let _ = signal_hook::low_level::emulate_default_handler(self.number());
    }

    /// How a command ends that was stopped by it.
    pub fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}

/// The number of commands that look at signals between two pieces of work.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// Whether signals are held and no command looks at them itself.
pub fn is_left_to_holds() -> bool {
    let holds = *HOLDS.lock().unwrap_or_else(PoisonError::into_inner);
    holds > 0 && LISTENERS.load(Ordering::SeqCst) == 0
}

/// Signals that the process ignores: a shell starts background jobs of a script so. To be asked before anybody hears
/// signals.
pub struct Ignored(u64);

impl Ignored {
    pub fn now() -> Ignored {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        Ignored(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0))
    }

    pub const fn has(&self, signal: Signal) -> bool {
        self.0 & (1 << (signal.number() - 1)) != 0
    }
}

/// Hears the signals of the process.
pub struct Ears {
    runtime: Runtime,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Ears {
    /// # Errors
    /// If the system refuses.
    pub fn open() -> io::Result<Ears> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (interrupt, terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        Ok(Ears { runtime, interrupt, terminate })
    }

    /// Waits for the next signal, or until `patience` is over; `None` waits for ever.
    pub fn wait(&mut self, patience: Option<Duration>) -> Option<Signal> {
        let (interrupt, terminate) = (&mut self.interrupt, &mut self.terminate);
        self.runtime.block_on(async {
            let over = async {
                match patience {
                    Some(patience) => tokio::time::sleep(patience).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = interrupt.recv() => Some(Signal::Interrupt),
                _ = terminate.recv() => Some(Signal::Terminate),
                () = over => None,
            }
        })
    }
}

/// While one of them lives the signals do not end the process by themselves.
pub struct Hold(());

/// How many there are.
static HOLDS: Mutex<usize> = Mutex::new(0);

impl Hold {
    /// # Errors
    /// If the system refuses.
    pub fn take() -> io::Result<Hold> {
        let unheard = unheard()?;
        let mut holds = HOLDS.lock().unwrap_or_else(PoisonError::into_inner);
        *holds += 1;
        unheard.store(false, Ordering::SeqCst);
        Ok(Hold(()))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut holds = HOLDS.lock().unwrap_or_else(PoisonError::into_inner);
        *holds -= 1;
        if *holds == 0
            && let Ok(unheard) = unheard()
        {
            unheard.store(true, Ordering::SeqCst);
        }
    }
}

/// While it lives the signals do not end the process, and its owner looks at them.
pub struct Signals {
    ears: std::cell::RefCell<Ears>,
    _hold: Hold,
}

impl Signals {
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> Result<Signals, Failure> {
        let ears = Ears::open()?;
        LISTENERS.fetch_add(1, Ordering::SeqCst);
        let hold = Hold::take().inspect_err(|_| {
            LISTENERS.fetch_sub(1, Ordering::SeqCst);
        })?;
        Ok(Signals { ears: ears.into(), _hold: hold })
    }

    /// Waits for a signal, or until `patience` is over. One that came meanwhile counts.
    pub fn wait(&self, patience: Duration) -> Option<Signal> {
        self.ears.borrow_mut().wait(Some(patience))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether nobody listens. Handlers that were once installed stay for the life of the process; under this one they do
/// what the system would.
fn unheard() -> io::Result<Arc<AtomicBool>> {
    static UNHEARD: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(unheard) = UNHEARD.get() {
        return Ok(Arc::clone(unheard));
    }
    let unheard = Arc::clone(UNHEARD.get_or_init(Arc::default));
    for signal in [SIGINT, SIGTERM] {
        register_conditional_default(signal, Arc::clone(&unheard))?;
    }
    Ok(unheard)
}

//! SIGINT, SIGTERM and SIGHUP for commands that look at them between two pieces of work; SIGXFSZ is
//! ignored.
//!
//! SIGHUP (the terminal was closed, the connection was lost) counts as SIGTERM, unless the process
//! ignores it, as under `nohup`. SIGQUIT keeps its default effect: it is asked for to see what the
//! process has left.
//!
//! Invariant: when no command listens any more, the signals end the process as they do by
//! default.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag::{register, register_conditional_default};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::failure::{Exit, Failure};

/// Makes a write beyond the size limit of files (`ulimit -f`) fail like a write to a full disk, instead of ending the
/// process. It can be called again. Programs that this one starts are still ended by the signal.
pub(super) fn outlive_file_size_limit() -> io::Result<()> {
    static HEARD: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if HEARD.get().is_some() {
        return Ok(());
    }
    register(SIGXFSZ, Arc::clone(HEARD.get_or_init(Arc::default))).map(drop)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signal {
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

    /// Ends the process as the system would have done.
    fn end_process(self) {
        let _ = signal_hook::low_level::emulate_default_handler(self.number());
    }

    /// The exit code of a command that it stopped.
    pub(super) fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}

/// The number of listeners, and the last signal that none of them took.
struct Waiting {
    holds: usize,
    listeners: usize,
    pending: Option<Signal>,
    /// Runs before a signal ends the process.
    before_end: Option<fn()>,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting {
    holds: 0,
    listeners: 0,
    pending: None,
    before_end: None,
});
static CAME: Condvar = Condvar::new();

fn waiting() -> MutexGuard<'static, Waiting> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the one thread that receives signals. It passes them to a command that listens; if none does, `before_end`
/// runs and the process ends.
fn watch() -> io::Result<()> {
    static WATCHED: OnceLock<bool> = OnceLock::new();
    let is_watched = *WATCHED.get_or_init(|| {
        let ignored = Ignored::at_start();
        let Ok(ears) = Ears::open(ignored) else {
            return false;
        };
        let watch = move || ears.hear(|signal| deliver(signal, ignored));
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(watch)
            .is_ok()
    });
    if is_watched {
        Ok(())
    } else {
        Err(io::Error::other("signals cannot be received"))
    }
}

fn deliver(signal: Signal, ignored: &Ignored) {
    let mut waiting = waiting();
    if waiting.listeners > 0 {
        waiting.pending = Some(signal);
        CAME.notify_all();
    } else if waiting.holds > 0 && !ignored.has(signal.number()) {
        let before_end = waiting.before_end;
        drop(waiting);
        if let Some(before_end) = before_end {
            before_end();
        }
        signal.end_process();
    }
}

/// The signals that the process ignores, as background jobs of a script do. They are read before
/// the first handler is installed.
struct Ignored(u64);

impl Ignored {
    fn at_start() -> &'static Ignored {
        static AT_START: OnceLock<Ignored> = OnceLock::new();
        AT_START.get_or_init(|| {
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
            let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            Ignored(mask.unwrap_or(0))
        })
    }

    const fn has(&self, number: i32) -> bool {
        self.0 & (1 << (number - 1)) != 0
    }
}

/// Receives the signals of the process.
struct Ears {
    runtime: Runtime,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// Absent if the process ignores it: a handler would end that.
    hang_up: Option<tokio::signal::unix::Signal>,
}

impl Ears {
    fn open(ignored: &Ignored) -> io::Result<Ears> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hang_up = (!ignored.has(SIGHUP)).then(|| signal(SignalKind::hangup()));
        let hang_up = hang_up.transpose()?;
        drop(inside);
        Ok(Ears {
            runtime,
            interrupt,
            terminate,
            hang_up,
        })
    }

    /// Passes on every signal, for ever.
    fn hear(self, pass_on: impl Fn(Signal)) {
        let Ears {
            runtime,
            mut interrupt,
            mut terminate,
            mut hang_up,
        } = self;
        loop {
            pass_on(runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                    () = heard(hang_up.as_mut()) => Signal::Terminate,
                }
            }));
        }
    }
}

/// Waits for a signal; for ever if there is none to wait for.
async fn heard(signal: Option<&mut tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// While a hold exists, signals do not end the process by themselves.
pub(super) struct Hold(());

impl Hold {
    /// A hold under which a signal runs `before_end` and then ends the process, unless a command listens.
    pub(super) fn until_end(before_end: fn()) -> io::Result<Hold> {
        let hold = Hold::take()?;
        waiting().before_end = Some(before_end);
        Ok(hold)
    }

    fn take() -> io::Result<Hold> {
        watch()?;
        let unheard = unheard()?;
        waiting().holds += 1;
        unheard.store(false, Ordering::SeqCst);
        Ok(Hold(()))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut waiting = waiting();
        waiting.holds -= 1;
        if waiting.holds == 0
            && let Ok(unheard) = unheard()
        {
            unheard.store(true, Ordering::SeqCst);
        }
    }
}

/// While it exists, signals do not end the process, and its owner looks at them.
pub(super) struct Signals {
    _hold: Hold,
}

impl Signals {
    pub(super) fn listen() -> Result<Signals, Failure> {
        let hold = Hold::take()?;
        waiting().listeners += 1;
        Ok(Signals { _hold: hold })
    }

    /// Waits for a signal for at most `patience`. A signal that came before counts.
    pub(super) fn wait(&self, patience: Duration) -> Option<Signal> {
        let waited =
            CAME.wait_timeout_while(waiting(), patience, |waiting| waiting.pending.is_none());
        waited
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .pending
            .take()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut waiting = waiting();
        waiting.listeners -= 1;
        if waiting.listeners == 0 {
            waiting.pending = None;
        }
    }
}

/// Whether no hold exists. Handlers stay installed for the life of the process; while this flag is set they do what the
/// system would do.
fn unheard() -> io::Result<Arc<AtomicBool>> {
    static UNHEARD: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(unheard) = UNHEARD.get() {
        return Ok(Arc::clone(unheard));
    }
    let is_hang_up_ignored = Ignored::at_start().has(SIGHUP);
    let unheard = Arc::clone(UNHEARD.get_or_init(Arc::default));
    let hang_up = (!is_hang_up_ignored).then_some(SIGHUP);
    for signal in [SIGINT, SIGTERM].into_iter().chain(hang_up) {
        register_conditional_default(signal, Arc::clone(&unheard))?;
    }
    Ok(unheard)
}

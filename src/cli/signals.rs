//! SIGINT and SIGTERM as something to look at between two pieces of work, and SIGXFSZ as nothing at all.
//!
//! What must hold: the first two end the process as soon as nobody listens any more, as if nobody ever had.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
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
    /// How a command ends that was stopped by it.
    pub fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}

/// While it lives the signals do not end the process.
pub struct Signals {
    runtime: Runtime,
    interrupt: std::cell::RefCell<tokio::signal::unix::Signal>,
    terminate: std::cell::RefCell<tokio::signal::unix::Signal>,
    unheard: Arc<AtomicBool>,
}

impl Signals {
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> Result<Signals, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let unheard = unheard()?;
        unheard.store(false, Ordering::SeqCst);
        let (interrupt, terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?.into(), signal(SignalKind::terminate())?.into())
        };
        Ok(Signals { runtime, interrupt, terminate, unheard })
    }

    /// Waits for a signal, or until `patience` is over. One that came meanwhile counts.
    pub fn wait(&self, patience: Duration) -> Option<Signal> {
        let (mut interrupt, mut terminate) = (self.interrupt.borrow_mut(), self.terminate.borrow_mut());
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = interrupt.recv() => Some(Signal::Interrupt),
                _ = terminate.recv() => Some(Signal::Terminate),
                () = tokio::time::sleep(patience) => None,
            }
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.unheard.store(true, Ordering::SeqCst);
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

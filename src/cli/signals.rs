//! SIGINT and SIGTERM as something to look at between two pieces of work.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::failure::Failure;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    Interrupt,
    Terminate,
}

/// From here on the signals no longer end the process.
pub struct Signals {
    runtime: Runtime,
    interrupt: std::cell::RefCell<tokio::signal::unix::Signal>,
    terminate: std::cell::RefCell<tokio::signal::unix::Signal>,
}

impl Signals {
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> Result<Signals, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (interrupt, terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?.into(), signal(SignalKind::terminate())?.into())
        };
        Ok(Signals { runtime, interrupt, terminate })
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

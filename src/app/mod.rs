//! Use cases: the work of each command in terms of log, state index and consumers.
//!
//! Rules are in the domain. This layer takes locks in the right order, loads the state for a
//! decision, appends the decided events and returns the result. It uses no terminal, clock or
//! randomness of its own: [`Environment`] provides them.

mod access;
pub mod backup;
pub mod bookkeeping;
mod cancel;
pub mod check;
pub mod command;
pub mod consume;
mod current;
pub mod dead_letters;
pub mod doctor;
pub mod error;
#[cfg(test)]
mod fixture;
pub mod founding;
mod getting_in;
pub mod identity;
pub mod import;
pub mod lists;
pub mod mailing;
pub mod new_store;
pub mod page;
pub mod repair;
pub mod reports;
pub mod shared_log;
pub mod simulate;
pub mod status;
mod timed_commands;
pub mod verify;
pub mod write;

use std::time::Duration;

pub use error::AppError;

use crate::consumers::withheld::Withheld;
use crate::domain::clock::Clock;
use crate::domain::company::Company;
use crate::domain::dice::Dice;
use crate::domain::event::Consumer;
use crate::domain::time::EventTime;
use crate::event_log::{FileLog, LogError};
use crate::state::StateIndex;
use crate::store::StoreDirectory;
use crate::turn::index::index_at_head;
use crate::turn::{Notices, Surroundings};

/// The inputs from outside: clock and dice, pinned or real.
pub trait Environment: Clock {
    /// Dice for one batch. Pinned dice are a function of `salt`, so a batch that is decided again
    /// draws the same.
    fn dice(&self, salt: &str) -> Box<dyn Dice>;

    /// The variable that pins clock or dice, if any.
    fn pinned_by(&self) -> Option<&'static str>;

    /// The machine's clock, which is never pinned; tokens are judged by it.
    fn system_now(&self) -> EventTime;
}

/// An open store. It stays the directory that was opened, even if that is moved or its name is given to another.
pub struct App<'e> {
    pub directory: StoreDirectory,
    pub log: FileLog,
    pub environment: &'e dyn Environment,
    pub notices: &'e dyn Notices,
    pub lock_wait: Duration,
    /// Shown to processes that wait for us: process id and command.
    pub holder: String,
}

/// How to open a store.
pub struct Opening<'e> {
    pub directory: StoreDirectory,
    pub environment: &'e dyn Environment,
    pub notices: &'e dyn Notices,
    pub lock_wait: Duration,
    pub holder: String,
    /// The size at which a new segment of the log is begun.
    pub segment_bytes_max: u64,
}

impl<'e> App<'e> {
    /// # Errors
    /// [`AppError::NoStore`], [`AppError::LogMissing`], [`AppError::IsBackup`]
    pub fn open(opening: Opening<'e>) -> Result<App<'e>, AppError> {
        let Opening {
            directory,
            environment,
            notices,
            lock_wait,
            holder,
            segment_bytes_max,
        } = opening;
        let directory = hold(directory)?;
        if backup::is_backup(directory.place()) {
            return Err(AppError::IsBackup {
                path: directory.root().to_owned(),
            });
        }
        let log = match FileLog::open(&directory.log()) {
            Ok(log) => log.with_segment_bytes_max(segment_bytes_max),
            Err(LogError::Missing { .. }) => return Err(without_log(&directory)),
            Err(error) => return Err(error.into()),
        };
        if log.is_lost()? {
            return Err(without_log(&directory));
        }
        Ok(App {
            directory,
            log,
            environment,
            notices,
            lock_wait,
            holder,
        })
    }

    /// The same store for a dry run: commands decide and append as usual, but only in memory, where
    /// [`FileLog::for_each_drafted`] reads it, and no table stores rows that follow from it. It
    /// holds the writer lock from its first write on, so it is meant for one command.
    #[must_use]
    pub fn draft(self) -> App<'e> {
        App {
            log: self.log.draft(),
            ..self
        }
    }

    /// A dry run beside this open store, in the same directory.
    ///
    /// # Errors
    /// If the log cannot be opened again.
    pub fn drafted(&self) -> Result<App<'e>, AppError> {
        Ok(App {
            directory: self.directory.clone(),
            log: self
                .log
                .beside(FileLog::open(&self.directory.log())?)
                .draft(),
            holder: self.holder.clone(),
            ..*self
        })
    }

    pub fn around(&self) -> Surroundings<'_> {
        Surroundings {
            directory: &self.directory,
            log: &self.log,
            clock: self.environment,
            lock_wait: self.lock_wait,
            holder: &self.holder,
            notices: self.notices,
        }
    }

    /// The state index, at the head.
    ///
    /// # Errors
    /// If it cannot be opened or the log cannot be read.
    pub fn index(&self) -> Result<StateIndex, AppError> {
        Ok(index_at_head(&self.around())?)
    }

    /// # Errors
    /// If the log has no founding event.
    pub fn company(&self, index: &StateIndex) -> Result<Company, AppError> {
        index.company()?.ok_or_else(|| AppError::NoStore {
            path: self.directory.root().to_owned(),
        })
    }

    /// The events that a consumer leaves out.
    ///
    /// # Errors
    /// If the decisions about them, or the log, cannot be read.
    fn withheld(&self, index: &StateIndex, consumer: Consumer) -> Result<Withheld, AppError> {
        Ok(Withheld::of(&self.log, consumer, &index.resolutions()?)?)
    }

    /// Refuses a write under a pinned clock or pinned dice in a company that was not founded under
    /// them.
    ///
    /// # Errors
    /// [`AppError::Pinned`]
    pub fn check_pins(&self, company: &Company) -> Result<(), AppError> {
        match self.environment.pinned_by() {
            Some(variable) if !company.test_clock => Err(AppError::Pinned { variable }),
            _ => Ok(()),
        }
    }
}

/// From here on the store is the directory to which its name leads now.
fn hold(directory: StoreDirectory) -> Result<StoreDirectory, AppError> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let path = directory.root().to_owned();
    directory.hold().map_err(|source| match source.kind() {
        NotFound | NotADirectory => AppError::NoStore { path },
        _ => AppError::Io {
            action: "open",
            path,
            source,
        },
    })
}

/// The error for a directory without a log: no store, or the rest of one.
fn without_log(directory: &StoreDirectory) -> AppError {
    if directory.auth().exists() {
        AppError::LogMissing {
            path: directory.log(),
        }
    } else {
        AppError::NoStore {
            path: directory.root().to_owned(),
        }
    }
}

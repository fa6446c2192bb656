//! What will keep the consumers from going on: the events between their checkpoints and the head, read as
//! their next run will read them. The index, which every command needs, is brought on in a copy.

use std::path::Path;

use crate::app::App;
use crate::app::doctor::tables::Found;
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::event_log::LogError;
use crate::state::{Checkpoint, Resolution, StateError, StateIndex};

/// An event that a consumer cannot get past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Halt {
    pub stop: Stop,
    /// Whether it is of a version that a newer program knows.
    pub is_newer: bool,
    /// The tracker stops as well, and without it no command works.
    pub stops_all: bool,
}

impl Halt {
    /// An event that can be read and contradicts what is known.
    pub fn contradiction(stop: Stop) -> Halt {
        Halt {
            stop,
            is_newer: false,
            stops_all: false,
        }
    }

    fn of_log(error: &LogError) -> Option<Halt> {
        let (sequence, reason, is_newer) = match error {
            LogError::UnknownVersion {
                sequence,
                type_name,
            } => (
                *sequence,
                format!("it has the type {type_name}, which this version does not know"),
                true,
            ),
            LogError::Undecodable {
                sequence,
                type_name,
                reason,
            } => (
                *sequence,
                format!("it has the type {type_name} and cannot be read: {reason}"),
                false,
            ),
            _ => return None,
        };
        Some(Halt {
            stop: Stop { sequence, reason },
            is_newer,
            stops_all: false,
        })
    }

    fn of_state(error: StateError) -> Option<Halt> {
        match error {
            StateError::Contradiction {
                sequence, reason, ..
            } => Some(Halt::contradiction(Stop { sequence, reason })),
            StateError::Log(error) => Halt::of_log(&error),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self, consumer: Consumer) -> String {
        let (at, name) = (self.stop.sequence, consumer.name());
        let aside = format!("`popug-cli dlq set-aside {at} --consumer {name}` goes on without");
        match (consumer, self.is_newer) {
            (Consumer::Accounting | Consumer::Analytics | Consumer::Notifier, _)
                if self.stops_all =>
            {
                "see tracker above".into()
            }
            (Consumer::Tracker, true) => {
                "a newer popug-cli wrote it: use that one; until then no command works".into()
            }
            (Consumer::Tracker, false) => {
                "no command works: `popug-cli verify --deep` tells what the log contradicts; \
                 restore a backup from before it"
                    .into()
            }
            (_, true) => format!("a newer popug-cli wrote it: use that one; {aside}"),
            (_, false) => format!("`popug-cli dlq show {at}` shows it; {aside}"),
        }
    }
}

/// The index at the head, or as near to it as it gets.
pub(super) struct Ahead {
    pub resolutions: Vec<Resolution>,
    pub halt: Option<Halt>,
}

impl App<'_> {
    /// Where that cannot be told, what is wrong is told of the index or of the log.
    pub(super) fn index_ahead(&self, scratch: &Path) -> Ahead {
        self.try_index_ahead(scratch).unwrap_or(Ahead {
            resolutions: Vec::new(),
            halt: None,
        })
    }

    fn try_index_ahead(&self, scratch: &Path) -> Option<Ahead> {
        let path = self.directory.state_index();
        let head = Checkpoint::from(&self.log.head().ok()?);
        let read = StateIndex::open_to_read(&path, scratch, self.lock_wait)
            .ok()
            .flatten();
        let at = read.as_ref().and_then(|index| index.checkpoint().ok());
        if let Some(index) = read.as_ref().filter(|_| at == Some(head)) {
            return Some(Ahead {
                resolutions: index.resolutions().ok()?,
                halt: None,
            });
        }
        drop(read);
        let directory = scratch.join("ahead");
        std::fs::create_dir(&directory).ok()?;
        // What cannot be read may be no file at all, and whoever copied that would wait for ever.
        let index = match at {
            Some(_) => StateIndex::copied(&path, &directory, self.lock_wait).ok()?,
            None => {
                StateIndex::open(&directory.join("new.sqlite"), self.lock_wait)
                    .ok()?
                    .0
            }
        };
        let followed = match index.catch_up(&self.log) {
            // As the next command will.
            Err(StateError::Contradiction { .. }) => index.fill_anew(&self.log),
            followed => followed,
        };
        let halt = followed.err().and_then(Halt::of_state);
        Some(Ahead {
            resolutions: index.resolutions().ok()?,
            halt,
        })
    }

    /// What was found, unless an event before the head stops the consumer.
    pub(super) fn looking_ahead(&self, consumer: Consumer, found: Found, ahead: &Ahead) -> Found {
        let from = match &found {
            Found::UpTo(checkpoint) | Found::Owing(checkpoint, _) => *checkpoint,
            Found::Nothing => Checkpoint::START,
            Found::OfAnotherVersion | Found::Lacking(_) | Found::StoppedBy(_) => return found,
        };
        let halt = match consumer {
            Consumer::Tracker => ahead.halt.clone(),
            _ => self.unreadable(consumer, &from, &ahead.resolutions),
        };
        let stops_all = ahead.halt.is_some();
        halt.map_or(found, |halt| Found::StoppedBy(Halt { stops_all, ..halt }))
    }

    /// The first event behind the checkpoint that the consumer has to read and cannot.
    fn unreadable(
        &self,
        consumer: Consumer,
        from: &Checkpoint,
        resolutions: &[Resolution],
    ) -> Option<Halt> {
        let withheld = Withheld::of(&self.log, consumer, resolutions).ok()?;
        let mut reader = self.log.read_after(from.sequence, &from.hash).ok()?;
        while let Some(line) = reader.next_line().ok()? {
            if let Err(error) = withheld.read(&line) {
                return Halt::of_log(&error);
            }
        }
        None
    }
}

//! A remote in memory that can lose, delay, repeat, replace and cut.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::conformance::{Loss, World};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::remote::{End, Remote, Standing, Turn, TurnOf};
use crate::event_log::{Hash, LogError};

/// What happens to one append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The request does not arrive, and the caller knows.
    NotSent,
    /// The request does not arrive, and the caller does not know.
    RequestLost,
    /// The lines are stored, and the answer does not arrive.
    AnswerLost,
    /// The answer does not arrive, and the lines are stored when the remote is asked next.
    Delayed,
    /// The request arrives twice.
    Repeated,
}

/// Clones are the same remote, seen by other machines.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lines: Vec<Vec<u8>>,
    end: Option<End>,
    is_down: bool,
    /// The fates of the next appends.
    faults: VecDeque<Option<Fault>>,
    delayed: Option<(End, End, Vec<u8>)>,
    /// The next read ends before this many lines.
    cut: Option<usize>,
    turns: BTreeSet<&'static str>,
}

impl State {
    fn end(&self) -> End {
        self.end.unwrap_or((Sequence::ZERO, Hash::ZERO))
    }

    fn store(&mut self, follows: End, last: End, lines: &[u8]) -> Result<(), LogError> {
        if self.end() != follows {
            return Err(LogError::HeadMoved {
                expected: follows.0,
                actual: self.end().0,
            });
        }
        let lines = lines.strip_suffix(b"\n").expect("lines end");
        let lines = lines.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
        self.lines.extend(lines);
        self.end = Some(last);
        assert_eq!(self.lines.len() as u64, last.0.0);
        Ok(())
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The state, unless the remote is down. A delayed append takes effect before.
    fn asked(&self) -> Result<MutexGuard<'_, State>, LogError> {
        let mut state = self.state();
        if state.is_down {
            return Err(unreachable());
        }
        if let Some((follows, last, lines)) = state.delayed.take() {
            let _ = state.store(follows, last, &lines);
        }
        Ok(state)
    }

    /// Decides the fates of the next appends.
    pub(super) fn plan(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.state().faults.extend(faults);
    }

    /// Forgets planned faults, and the machines that held turns are gone.
    pub(super) fn calm(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.turns.clear();
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let text = |line: &Vec<u8>| String::from_utf8(line.clone()).unwrap();
        self.state().lines.iter().map(text).collect()
    }
}

fn unreachable() -> LogError {
    LogError::Unreachable {
        name: "memory".to_owned(),
        what: "it is down".to_owned(),
    }
}

fn in_doubt() -> LogError {
    LogError::InDoubt {
        name: "memory".to_owned(),
        what: "no answer".to_owned(),
    }
}

struct HeldTurn(Memory, &'static str);

impl Drop for HeldTurn {
    fn drop(&mut self) {
        self.0.state().turns.remove(self.1);
    }
}

impl Remote for Memory {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn standing(&self) -> Result<Standing, LogError> {
        let end = self.asked()?.end();
        let time = EventTime::from_micros(1_700_000_000_000_000);
        Ok(Standing { end, time })
    }

    fn turn(&self, of: TurnOf, _: &str, wait: Duration) -> Result<Turn<'_>, LogError> {
        let taken = || Ok::<_, LogError>(self.asked()?.turns.insert(of.name()));
        if !crate::files::lock::wait_until(wait, taken)? {
            return Err(LogError::Locked {
                holder: "another machine".to_owned(),
                waited_millis: wait.as_millis(),
            });
        }
        Ok(Turn {
            standing: self.standing()?,
            _held: Box::new(HeldTurn(self.clone(), of.name())),
        })
    }

    fn append(&self, follows: End, last: End, lines: &[u8]) -> Result<(), LogError> {
        let mut state = self.asked()?;
        match state.faults.pop_front().flatten() {
            Some(Fault::NotSent) => Err(unreachable()),
            Some(Fault::RequestLost) => Err(in_doubt()),
            Some(Fault::AnswerLost) => {
                let _ = state.store(follows, last, lines);
                Err(in_doubt())
            }
            Some(Fault::Delayed) => {
                state.delayed = Some((follows, last, lines.to_vec()));
                Err(in_doubt())
            }
            Some(Fault::Repeated) => {
                let done = state.store(follows, last, lines);
                let again = state.store(follows, last, lines);
                assert!(again.is_err(), "stored twice");
                done
            }
            None => state.store(follows, last, lines),
        }
    }

    fn read(
        &self,
        after: Sequence,
        through: Sequence,
        take: &mut dyn FnMut(&[u8]) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let (lines, cut) = {
            let mut state = self.asked()?;
            (state.lines.clone(), state.cut.take())
        };
        let wanted = usize::try_from(through.0 - after.0).unwrap();
        let lines = lines.iter().skip(usize::try_from(after.0).unwrap());
        for (number, line) in lines.take(wanted).enumerate() {
            if cut.is_some_and(|cut| number >= cut) {
                return Err(unreachable());
            }
            take(line)?;
        }
        Ok(())
    }
}

pub(super) struct MemoryWorld(Memory);

impl MemoryWorld {
    pub(super) fn new() -> MemoryWorld {
        MemoryWorld(Memory::default())
    }
}

impl World for MemoryWorld {
    fn open(&self) -> Arc<dyn Remote> {
        Arc::new(self.0.clone())
    }

    fn set_down(&self, is_down: bool) {
        self.0.state().is_down = is_down;
    }

    fn lose(&self, loss: Loss) {
        self.0.plan([Some(match loss {
            Loss::Request => Fault::RequestLost,
            Loss::Answer => Fault::AnswerLost,
        })]);
    }

    fn cut_next_read(&self, lines: usize) {
        self.0.state().cut = Some(lines);
    }

    fn replace(&self, kept: Sequence, kept_hash: Hash) {
        let mut state = self.0.state();
        state.lines.truncate(usize::try_from(kept.0).unwrap());
        state.end = Some((kept, kept_hash));
    }

    fn spoil(&self, sequence: Sequence) {
        let mut state = self.0.state();
        let line = &mut state.lines[usize::try_from(sequence.0).unwrap() - 1];
        let at = line.windows(5).position(|five| five == b"title").unwrap();
        line[at..at + 5].copy_from_slice(b"TITLE");
    }
}

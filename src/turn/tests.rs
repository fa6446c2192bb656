//! Deciders whose batch follows the head, and those that have to begin again.

use super::*;
use crate::domain::event::{Actor, Fact, TasksReshuffled};
use crate::domain::id::EventId;

const NOW: i64 = 1_700_000_000_000_000;

struct Still;

impl Clock for Still {
    fn now(&self) -> EventTime {
        EventTime::from_micros(NOW).unwrap()
    }
}

impl Notices for Still {
    fn warn(&self, _: &str) {}
    fn advanced(&self, _: Consumer, _: Sequence, _: Sequence) {}
}

fn batch(number: u128) -> Batch {
    let event = TasksReshuffled {
        open_tasks: 0,
        eligible_users: 0,
        moved: 0,
    };
    Batch {
        time: Still.now(),
        actor: Actor::System(Consumer::Accounting),
        command_id: format!("command {number}"),
        command_hash: None,
        facts: vec![Fact {
            id: EventId::from_uuid(uuid::Uuid::from_u128(number)),
            causation: None,
            event: event.into(),
        }],
    }
}

fn keys(log: &FileLog) -> Vec<String> {
    let mut keys = Vec::new();
    log.for_each(Sequence::FIRST, &mut |line| {
        keys.push(line.command_id().into_owned());
        Ok(())
    })
    .unwrap();
    keys
}

/// Runs `test` on a log with one event, with the event before it.
fn overtaken(test: impl FnOnce(&Surroundings<'_>, Checkpoint)) {
    let home = tempfile::tempdir().unwrap();
    let directory = StoreDirectory::new(home.path());
    let around = Surroundings {
        directory: &directory,
        log: &FileLog::create(&directory.log()).unwrap(),
        clock: &Still,
        lock_wait: Duration::ZERO,
        holder: "a test",
        notices: &Still,
    };
    let mut other = around.take_turn().unwrap();
    let before = other.head();
    other.append(&before, &batch(1)).unwrap();
    drop(other);
    test(&around, before);
}

#[test]
fn a_decider_that_was_overtaken_decides_again_and_appends_once() {
    overtaken(|around, before| {
        let mut followed = Some(before);
        let appended = begin_again(|| {
            let mut turn = around.take_turn()?;
            let followed = followed.take().unwrap_or(turn.head());
            turn.append(&followed, &batch(2))
        });
        assert_eq!(appended.unwrap().sequence, Sequence(2));
        assert_eq!(keys(around.log), ["command 1", "command 2"]);
    });
}

#[test]
fn a_decider_that_never_follows_to_the_head_gives_up_and_appends_nothing() {
    overtaken(|around, before| {
        let mut turns = 0;
        let refused = begin_again(|| {
            turns += 1;
            around.take_turn()?.append(&before, &batch(2))
        });
        assert!(matches!(refused, Err(LogError::HeadMoved { .. })));
        assert_eq!(turns, TURNS_MAX);
        assert_eq!(keys(around.log), ["command 1"]);
    });
}

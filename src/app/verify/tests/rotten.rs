//! Flipped bits in the state index: commands decide from it, so none may be taken for a fact.

use std::fs;

use crate::app::command::Command;
use crate::app::verify::tests::store::{Pinned, Store};
use crate::app::write::Manner;
use crate::app::{App, AppError};
use crate::consumers::ConsumeError;
use crate::domain::id::{Sequence, UserId};
use crate::domain::task::Add;
use crate::domain::user::Register;
use crate::state::{checked_pages, move_aside};

/// The number of flipped bits, spread over the file; all of them would take an hour.
const BITS: usize = 120;
const PAGE_BYTES: usize = 4096;

#[test]
fn whichever_bit_of_the_state_index_rots_commands_do_what_they_would_have_done() {
    let store = Store::sound();
    let plan = Plan::of(&store);
    let index = store.path("state.sqlite");
    let db = checked_pages::open(&index).unwrap();
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA journal_mode = DELETE;")
        .unwrap();
    drop(db);
    let whole = fs::read(&index).unwrap();
    let sound = plan.lines_after(&store, &whole);
    let bits = whole.len() * 8;
    let anywhere = (0..bits).step_by((bits / number("POPUG_ROTTEN_BITS", BITS)).max(1));
    // In the header of each page, the last bits of the number of its cells and of its rightmost
    // child.
    let headers = (0..bits)
        .step_by(PAGE_BYTES * 8)
        .flat_map(|page| [4, 11].map(|byte| page + byte * 8));
    for bit in anywhere.chain(headers) {
        let mut rotten = whole.clone();
        rotten[bit / 8] ^= 1 << (bit % 8);
        let found = plan.lines_after(&store, &rotten);
        let other = found
            .iter()
            .zip(&sound)
            .find(|(found, sound)| found != sound);
        assert!(found == sound, "bit {bit}: {other:#?}");
    }
}

#[test]
fn an_older_copy_under_what_was_written_ahead_of_a_newer_one_is_damage() {
    let store = Store::sound();
    let plan = Plan::of(&store);
    let path = store.path("state.sqlite");
    let merged = || {
        let db = checked_pages::open(&path).unwrap();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
    };
    merged();
    let older = fs::read(&path).unwrap();
    let clock = Pinned::at("2026-11-22T10:30:00Z");
    let (login, email, role) = (
        "ilya".to_owned(),
        "ilya@popug.example".to_owned(),
        "worker".to_owned(),
    );
    let boss = plan.0[3].0;
    let register = Command::RegisterUser(Register {
        full_name: login.clone(),
        login,
        email,
        role,
    });
    store
        .app(&clock)
        .execute(boss, &register, &Manner::default())
        .unwrap();
    merged();
    // The following writes do not touch the pages with ilya's data.
    let (dima, add, _) = &plan.0[0];
    store
        .app(&clock)
        .execute(*dima, add, &Manner::default())
        .unwrap();
    assert!(fs::metadata(store.path("state.sqlite-wal")).unwrap().len() > 0);
    let sound = plan.lines_after(&store, &fs::read(&path).unwrap());
    assert!(plan.lines_after(&store, &older) == sound);
}

#[test]
fn rows_that_contradict_the_log_are_made_anew_once() {
    let store = Store::sound();
    let plan = Plan::of(&store);
    let path = store.path("state.sqlite");
    let sound = plan.lines_after(&store, &fs::read(&path).unwrap());
    let lagging = store.copied();
    let db = checked_pages::open(&lagging.path("state.sqlite")).unwrap();
    // The index has moved on without knowing it.
    db.execute_batch(&format!(
        "UPDATE checkpoint SET sequence = 0, hash = '{}'",
        "0".repeat(64)
    ))
    .unwrap();
    drop(db);
    assert!(plan.lines_after(&lagging, &fs::read(lagging.path("state.sqlite")).unwrap()) == sound);
    let clock = Pinned::at("2026-11-22T10:30:00Z");
    assert!(!lagging.verify(true).is_sound());
    lagging.app(&clock).index().unwrap();
    assert!(lagging.verify(true).is_sound());
}

/// Commands that read every table of the index.
struct Plan(Vec<(UserId, Command, String)>);

impl Plan {
    /// The first is carried out already.
    fn of(store: &Store) -> Plan {
        let clock = Pinned::at("2026-11-22T10:00:00Z");
        let app = store.app(&clock);
        let index = app.index().unwrap();
        let user = |login: &str| index.user_named(login).unwrap().unwrap().id;
        let add = |title: &str| Command::AddTask(Add::new(title.to_owned(), None, None));
        let (login, email, role) = (
            "egor".to_owned(),
            "egor@popug.example".to_owned(),
            "worker".to_owned(),
        );
        let register = Command::RegisterUser(Register {
            full_name: login.clone(),
            login,
            email,
            role,
        });
        let open = index.open_tasks().unwrap().remove(0);
        let complete = Command::CompleteTasks {
            tasks: vec![open.number.to_string()],
        };
        let plan = Plan(vec![
            (user("dima"), add("Given before"), "given".to_owned()),
            (user("dima"), add("Given now"), "new".to_owned()),
            (open.assignee, complete, "complete".to_owned()),
            (user("boss"), register, "register".to_owned()),
            (user("mary"), Command::Reshuffle, "reshuffle".to_owned()),
        ]);
        plan.carry_out(&app, 1);
        plan
    }

    /// Damage ends one command, as on the command line; the repeated command then works.
    fn carry_out(&self, app: &App<'_>, count: usize) {
        let mut ended = 0;
        for (by, command, key) in &self.0[..count] {
            let key = Some(key.clone());
            let manner = Manner { key };
            if let Err(error) = app.execute(*by, command, &manner) {
                let (AppError::State(error) | AppError::Consume(ConsumeError::State(error))) =
                    error
                else {
                    panic!("{error:?}")
                };
                let _ = move_aside(error.damaged_file().expect("a live file")).unwrap();
                app.execute(*by, command, &manner).unwrap();
                ended += 1;
            }
        }
        assert!(ended <= 1);
    }

    /// The log after the whole plan was carried out on a copy with this index.
    fn lines_after(&self, store: &Store, index: &[u8]) -> Vec<String> {
        let store = store.copied();
        fs::write(store.path("state.sqlite"), index).unwrap();
        let clock = Pinned::at("2026-11-22T11:00:00Z");
        self.carry_out(&store.app(&clock), self.0.len());
        let mut lines = Vec::new();
        let mut keep = |line: &crate::event_log::Line<'_>| {
            lines.push(line.text.to_owned());
            Ok(())
        };
        store.log().for_each(Sequence::FIRST, &mut keep).unwrap();
        lines
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "more cases if somebody asks for them"
)]
fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

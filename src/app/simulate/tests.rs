//! Simulations in real stores, under a pinned clock.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};

use crate::app::AppError;
use crate::app::fixture::Store;
use crate::app::simulate::{Simulated, Simulation};
use crate::consumers::WriterAccess;
use crate::consumers::run::{consume_accounting, consume_analytics};
use crate::domain::id::Sequence;
use crate::domain::role::Role;
use crate::state::Check;
use crate::turn::index::open_index;

const SMALL: Simulation = Simulation {
    days: 15,
    popugs: 12,
    tasks_per_day: 20,
    seed: 7,
};
/// A time in Moscow before the first of fifteen days that end before 22 November.
const EARLY: &str = "2026-11-06T12:00:00Z";

fn simulate(store: &Store, simulation: &Simulation) -> Result<Simulated, AppError> {
    store
        .app()
        .simulate(&store.caller("anna"), simulation, &|_| Ok(()), &|_| ())
}

fn counts(store: &Store) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    store
        .history()
        .into_iter()
        .for_each(|(kind, _)| *counts.entry(kind).or_default() += 1);
    counts
}

#[test]
fn finished_days_that_end_yesterday_are_played_and_closed() {
    let store = Store::founded_at(EARLY);
    let simulated = simulate(&store, &SMALL).unwrap();
    assert_eq!(
        (
            simulated.first_date.to_string(),
            simulated.last_date.to_string()
        ),
        ("2026-11-07".into(), "2026-11-21".into())
    );
    assert_eq!(
        simulated.closed_dates.len(),
        16,
        "the date of the founding too"
    );
    let counts = counts(&store);
    assert_eq!(counts["day.closed.v1"], 16);
    assert_eq!(counts["task.created.v2"], 15 * 20);
    assert_eq!(counts["tasks.reshuffled.v1"], 2, "two Mondays");
    assert!(
        counts["task.completed.v1"] > 150 && counts["payout.made.v1"] > 20,
        "{counts:?}"
    );
    let last = store.history().pop().unwrap().1;
    assert!(
        last.as_str() > "2026-11-21T21:00" && last.as_str() < "2026-11-21T21:02",
        "just after midnight: {last}"
    );
}

#[test]
fn people_of_all_kinds_are_registered() {
    let store = Store::founded_at(EARLY);
    simulate(&store, &SMALL).unwrap();
    let users = store.app().index().unwrap().users().unwrap();
    assert_eq!(users.len(), 13);
    let count = |role| users.iter().filter(|user| user.role == role).count();
    assert_eq!(
        (
            count(Role::Manager),
            count(Role::Accountant),
            count(Role::Admin)
        ),
        (1, 1, 1)
    );
    assert!(users.iter().any(|user| user.full_name.is_ascii()));
    assert!(users.iter().any(|user| user.full_name.starts_with("Борис")));
    assert!(
        users
            .iter()
            .all(|user| user.email == format!("{}@popug.example", user.login))
    );
}

#[test]
fn the_same_seed_gives_the_same_log_and_another_seed_another() {
    let stores = [7, 7, 8].map(|seed| {
        let store = Store::founded_at(EARLY);
        simulate(&store, &Simulation { seed, ..SMALL }).unwrap();
        store.log_bytes()
    });
    assert!(stores[0] == stores[1]);
    assert!(stores[0] != stores[2]);
}

#[test]
fn a_second_simulation_with_the_same_seed_repeats_no_id_and_no_login() {
    let store = Store::founded_at("2026-11-01T12:00:00Z");
    store.environment.set("2026-11-05T12:00:00Z");
    let short = Simulation { days: 2, ..SMALL };
    simulate(&store, &short).unwrap();
    store.environment.set("2026-11-10T12:00:00Z");
    simulate(&store, &short).unwrap();
    let mut ids = HashSet::new();
    let repeat = |line: &crate::event_log::Line<'_>| {
        assert!(ids.insert(line.id.to_owned()), "{} twice", line.id);
        Ok(())
    };
    store
        .app()
        .log
        .for_each(Sequence::FIRST, &mut { repeat })
        .unwrap();
    assert_eq!(store.app().index().unwrap().users().unwrap().len(), 25);
}

#[test]
fn without_room_before_today_nothing_is_played() {
    let store = Store::founded_at("2026-11-21T12:00:00Z");
    let before = store.log_bytes();
    let refused = simulate(&store, &SMALL);
    let Err(AppError::NoRoom {
        days: 15,
        start,
        last,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(start.to_string(), "2026-11-06T21:00:00.000000Z");
    assert_eq!(last.to_string(), "2026-11-21T12:00:00.000000Z");
    assert_eq!(store.log_bytes(), before);
    let nothing = simulate(&store, &Simulation { days: 0, ..SMALL });
    assert!(matches!(nothing, Err(AppError::Usage { .. })));
}

#[test]
fn all_consumers_end_at_the_head() {
    let store = Store::founded_at(EARLY);
    let called = Cell::new(0);
    let days = RefCell::new(Vec::new());
    let app = store.app();
    let after = |_: &crate::app::App<'_>| {
        called.set(called.get() + 1);
        Ok(())
    };
    app.simulate(&store.caller("anna"), &SMALL, &after, &|day| {
        days.borrow_mut().push(day)
    })
    .unwrap();
    assert_eq!(called.get(), 1);
    assert_eq!(*days.borrow(), (1..=15).collect::<Vec<_>>());
    let head = app.log.head().unwrap().sequence;
    let index = open_index(&app.around(), Check::Headers).unwrap();
    assert_eq!(index.checkpoint().unwrap().sequence, head);
    let accounting = consume_accounting(&app.around(), &mut WriterAccess::PerBatch).unwrap();
    let analytics = consume_analytics(&app.around()).unwrap();
    assert_eq!(
        (accounting.from, accounting.appended, analytics.from),
        (head, 0, head)
    );
}

#[test]
fn even_one_popug_works() {
    let store = Store::founded_at(EARLY);
    simulate(
        &store,
        &Simulation {
            popugs: 1,
            tasks_per_day: 3,
            ..SMALL
        },
    )
    .unwrap();
    assert_eq!(counts(&store)["task.created.v2"], 45);
    let nobody = Store::founded_at(EARLY);
    simulate(&nobody, &Simulation { popugs: 0, ..SMALL }).unwrap();
    assert_eq!(counts(&nobody).get("task.created.v2"), None);
}

/// `cargo test --release -- --ignored --nocapture commands_a_second`
#[test]
#[ignore = "a measurement"]
fn commands_a_second() {
    let store = Store::founded_at("2026-10-01T06:00:00Z");
    let began = std::time::Instant::now();
    let simulated = simulate(
        &store,
        &Simulation {
            days: 30,
            popugs: 50,
            tasks_per_day: 5_000,
            seed: 1,
        },
    )
    .unwrap();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} commands, {} events in {seconds:.2} s: {:.0} commands/s, {:.0} events/s",
        simulated.commands,
        simulated.appended_events,
        simulated.commands as f64 / seconds,
        simulated.appended_events as f64 / seconds
    );
}

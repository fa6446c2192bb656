//! Events that come in while a date is being closed.

use std::cell::Cell;

use super::*;
use crate::consumers::fixture::close;
use crate::domain::clock::Clock;
use crate::domain::time::EventTime;
use crate::event_log::Patience;
use crate::state::Recorded;

const AFTER_MIDNIGHT: &str = "2026-11-21T00:05:00Z";

/// A clock that appends an assignment by another process when it is read.
struct Interrupted<'s> {
    store: &'s Store,
    looks: Cell<u32>,
    /// The number of the reading at which it appends; `None` for all of them.
    at_look: Option<u32>,
    /// The clock of the other process.
    theirs: &'static str,
    has_happened: Cell<bool>,
}

impl Clock for Interrupted<'_> {
    fn now(&self) -> EventTime {
        self.looks.set(self.looks.get() + 1);
        // The closing process may hold the writer lock already.
        let impatient = Patience {
            wait: Duration::ZERO,
            holder: "somebody else".to_owned(),
        };
        let can_write = || {
            self.store
                .log
                .writer(&impatient)
                .is_ok_and(|writer| writer.last_time() <= Some(at(self.theirs)))
        };
        assert!(self.looks.get() < 1000, "the close does not end");
        if self.at_look.is_none_or(|at| at == self.looks.get()) && can_write() {
            let number = u64::from(1 + self.looks.get());
            self.store
                .happened(self.theirs, handed_over(number, "vera"));
            self.has_happened.set(true);
        }
        at(AFTER_MIDNIGHT)
    }
}

#[test]
fn events_that_come_in_while_a_date_is_being_closed_are_in_its_books() {
    let mut interruptions = 0;
    for at_look in 1.. {
        let store = Store::founded();
        store.finished("2026-11-20T10:00:00Z", 1, "vera");
        // Nothing is owed when the close begins, so it posts nothing that would move the time on.
        consume(&store).unwrap();
        let (looks, has_happened) = (Cell::new(0), Cell::new(false));
        let clock = Interrupted {
            store: &store,
            looks,
            at_look: Some(at_look),
            // A slower clock, so that the event is of the date before.
            theirs: "2026-11-20T23:59:00Z",
            has_happened,
        };
        let around = Surroundings {
            clock: &clock,
            ..store.around()
        };
        let closing = || close(&around, None);
        let closed = closing().unwrap().closed.len() + closing().unwrap().closed.len();
        assert_eq!(closed, 1);
        if clock.looks.get() < at_look {
            break;
        }
        interruptions += u32::from(clock.has_happened.get());
        let recorded = store.recorded();
        let closed_at = recorded
            .iter()
            .find(|recorded| recorded.event.kind() == EventKind::DayClosed)
            .unwrap()
            .sequence;
        let missed = recorded
            .iter()
            .filter(|recorded| match recorded.event.as_ref() {
                Event::BalanceChanged(entry) => {
                    entry.late && entry.cause_sequence < Some(closed_at)
                }
                _ => false,
            });
        assert_eq!(
            missed.count(),
            0,
            "entries of the closed date, at look {at_look}"
        );
        consume(&store).unwrap();
        let fees = if clock.has_happened.get() { "2" } else { "1" };
        assert_eq!(
            query(
                &store,
                "SELECT count(*)::VARCHAR FROM entries WHERE kind = 'fee'"
            ),
            fees
        );
    }
    assert!(interruptions > 0);
}

#[test]
fn an_entry_that_is_dated_into_a_closed_date_stops_both_ledgers() {
    let store = Store::with_two_payouts();
    consume(&store).unwrap();
    let entry = |recorded: Recorded<'static>| match recorded.event.into_owned() {
        Event::BalanceChanged(entry) => Some(entry),
        _ => None,
    };
    // Only a person who writes into the log directly can cause this.
    let forged = store.recorded().into_iter().find_map(entry).unwrap();
    store.happened("2026-11-22T10:00:00Z", [forged.into()]);
    let sequence = last_sequence(&store);
    for stopped in [
        consume(&store).map(drop),
        run::consume_analytics(&store.around()).map(drop),
    ] {
        let stop = stopped.unwrap_err().stop().unwrap();
        assert_eq!(stop.sequence.0, sequence);
        assert!(stop.reason.contains("which is closed"), "{}", stop.reason);
    }
}

#[test]
fn others_who_append_all_the_time_do_not_delay_a_close() {
    let store = Store::founded();
    store.finished("2026-11-20T10:00:00Z", 1, "vera");
    let clock = Interrupted {
        store: &store,
        looks: Cell::new(0),
        at_look: None,
        theirs: AFTER_MIDNIGHT,
        has_happened: Cell::new(false),
    };
    let around = Surroundings {
        clock: &clock,
        ..store.around()
    };
    let closes = close(&around, None);
    assert_eq!(closes.unwrap().closed.len(), 1);
    assert!(clock.has_happened.get());
}

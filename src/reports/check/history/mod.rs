//! A company's pseudo-random life, decided by the real rules: tasks, late entries, corrections and
//! closes, from a seed.

mod life;

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::company::Company;
use crate::domain::event::{AssignmentReason, TaskPriced};
use crate::domain::event::{
    BalanceChanged, DayClosed, Event, Fact, PayoutMade, TaskAssigned, TaskCompleted, TaskCreated,
    TaskSettled,
};
use crate::domain::id::{CompanyId, EntryId, EventId, Sequence, TaskId, UserId};
use crate::domain::ledger::books::Books;
use crate::domain::ledger::close::Closing;
use crate::domain::ledger::correct::{Correct, Original};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::reaction::{Cause, TaskAccount};
use crate::domain::money::Money;
use crate::domain::pricing::PriceRange;
use crate::domain::role::Role;
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::domain::user::User;
use life::Life;

const TITLES: [&str; 7] = [
    "Fix the login",
    "Чинить 🦜, «сейчас»; потом",
    "=1+1",
    "say \"hi\" | bye",
    "back\\slash  and (parens)",
    "@x ; a comment? * ! %",
    "bidi \u{202e}x\ttab",
];
const LOGINS: [&str; 10] = [
    "anna.k", "anna_k", "anna-k", "0day", "b.-_", "boris", "vera", "gleb", "dina", "egor",
];

/// The number of days, users and deeds.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub users: usize,
    pub dates: usize,
    pub deeds_per_date: usize,
}

/// A fact of one kind with where and when it was recorded.
pub(super) struct At<T> {
    pub sequence: u64,
    pub time: EventTime,
    pub fact: T,
}

/// A user after an event.
#[derive(Clone)]
pub(super) struct Change {
    pub sequence: u64,
    pub on: BusinessDate,
    pub user: User,
}

pub(super) struct History {
    pub company: Company,
    pub founded_at: EventTime,
    /// The users at the end.
    pub users: Vec<User>,
    /// The changes that led there, in order.
    pub changes: Vec<Change>,
    pub created: Vec<At<TaskCreated>>,
    pub assigned: Vec<At<TaskAssigned>>,
    pub completed: Vec<At<TaskCompleted>>,
    pub priced: Vec<At<TaskPriced>>,
    pub entries: Vec<At<BalanceChanged>>,
    pub settled: Vec<At<TaskSettled>>,
    pub payouts: Vec<At<PayoutMade>>,
    pub closes: Vec<At<DayClosed>>,
    pub head: u64,
    pub last_date: BusinessDate,
}

impl History {
    pub(super) fn of(seed: u64, size: Size) -> History {
        let mut life = Life::founded(seed, size.users);
        for day in 0..size.dates {
            life.one_date(day, size.deeds_per_date);
        }
        life.react(0);
        life.history.last_date = life.books.company.zone.date_of(life.now);
        life.history
    }

    pub(super) fn user(&self, login: &str) -> &User {
        self.users
            .iter()
            .find(|user| user.login == login)
            .expect("a login of the history")
    }

    /// The user at the end of a date; before the date of the registration as registered, but not active.
    pub(super) fn user_on(&self, user: UserId, date: BusinessDate) -> User {
        let mut changes = self
            .changes
            .iter()
            .filter(|change| change.user.id == user)
            .peekable();
        let registered = &changes.peek().expect("a user of the history").user;
        let before = User {
            active: false,
            ..registered.clone()
        };
        changes
            .rfind(|change| change.on <= date)
            .map_or(before, |change| change.user.clone())
    }
}

/// Changes that end with `user`: all users had other names (two of them on one date), many another
/// role, some were or are deactivated.
fn changes(
    number: usize,
    user: &User,
    first_date: BusinessDate,
    sequence: &mut u64,
) -> Vec<Change> {
    let role = if user.role == Role::Worker {
        Role::Developer
    } else {
        user.role
    };
    let mut now = User {
        full_name: format!("{} (born)", user.full_name),
        role,
        active: true,
        ..user.clone()
    };
    let mut changes = Vec::new();
    let mut became = |day: usize, user: &User| {
        *sequence += 1;
        let on = first_date.plus_days(day as i64);
        changes.push(Change {
            sequence: *sequence,
            on,
            user: user.clone(),
        });
    };
    became(0, &now);
    for name in [
        format!("{} (married)", user.full_name),
        user.full_name.clone(),
    ] {
        now.full_name = name;
        became(1 + number % 3, &now);
    }
    now.role = user.role;
    became(5, &now);
    for (day, active) in [(6, number % 4 != 1), (7, true), (8, user.active)] {
        if now.active != active {
            now.active = active;
            became(day, &now);
        }
    }
    changes
}

/// A UUIDv7 of the time. DuckDB packs and scans ids depending on how many of their bits differ.
fn uuid_v7(at: EventTime, what: &str, number: u64) -> Uuid {
    let chance = Uuid::new_v5(&Uuid::nil(), format!("{what}{number}").as_bytes()).as_u128();
    let millis = u128::from(at.micros().unsigned_abs() / 1000);
    Uuid::from_u128(
        millis << 80 | 7 << 76 | chance & 0xfff << 64 | 2 << 62 | chance & ((1 << 62) - 1),
    )
}

fn user(number: usize, at: EventTime, login: String, role: Role) -> User {
    let id = UserId::from_uuid(uuid_v7(at, "user", number as u64));
    let email = format!("{login}@popug.example");
    User {
        id,
        full_name: format!("Попуг {login}, Jr."),
        login,
        email,
        role,
        active: number % 5 != 4,
    }
}

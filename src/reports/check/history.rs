//! A company's pseudo-random life, decided by the real rules: tasks, late entries, corrections
//! and closes, from a seed.

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

/// How much happens.
#[derive(Clone, Copy)]
pub struct Size {
    pub users: usize,
    pub dates: usize,
    pub deeds_per_date: usize,
}

/// A fact of one kind with where and when it was recorded.
pub struct At<T> {
    pub sequence: u64,
    pub time: EventTime,
    pub fact: T,
}

/// What an event made of a user.
#[derive(Clone)]
pub struct Change {
    pub sequence: u64,
    pub on: BusinessDate,
    pub user: User,
}

pub struct History {
    pub company: Company,
    pub founded_at: EventTime,
    /// As they are at the end.
    pub users: Vec<User>,
    /// How they came to be so, in order.
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

enum Pending {
    Assigned(Cause, TaskAssigned),
    Completed(Cause, TaskCompleted),
}

struct Open {
    task: TaskId,
    assignee: UserId,
    assignment_no: u32,
}

struct Life {
    dice: u64,
    now: EventTime,
    books: Books,
    accounts: BTreeMap<TaskId, TaskAccount>,
    open: Vec<Open>,
    pending: Vec<Pending>,
    correctable: Vec<BalanceChanged>,
    history: History,
}

impl History {
    pub fn of(seed: u64, size: Size) -> History {
        let mut life = Life::founded(seed, size.users);
        for day in 0..size.dates {
            life.one_date(day, size.deeds_per_date);
        }
        life.react(0);
        life.history.last_date = life.books.company.zone.date_of(life.now);
        life.history
    }

    pub fn user(&self, login: &str) -> &User {
        self.users
            .iter()
            .find(|user| user.login == login)
            .expect("a login of the history")
    }

    /// What somebody was at the end of a date: before that of the registration as registered, but not active.
    pub fn user_on(&self, user: UserId, date: BusinessDate) -> User {
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

/// A life that ends with `user`: everybody had other names (two of them on one date), many another role, some were gone
/// for a while or are gone.
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

/// A UUIDv7 of the moment: DuckDB packs ids, and scans them, by how much their bits differ.
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

impl Life {
    fn founded(seed: u64, workers: usize) -> Life {
        let founded_at: EventTime = "2026-02-26T21:30:00Z".parse().unwrap();
        let zone = Zone::named("Europe/Moscow").unwrap();
        let company = Company {
            id: CompanyId::from_uuid(Uuid::from_u128(7)),
            name: "UberPopug \"Inc.\"; Ltd".into(),
            first_date: zone.date_of(founded_at),
            zone,
            currency: "EUR".into(),
            pricing: PriceRange::STANDARD,
            test_clock: true,
        };
        let mut users = vec![
            user(0, founded_at, "admin".into(), Role::Admin),
            user(1, founded_at, "cron".into(), Role::Service),
        ];
        users.extend((0..workers).map(|n| {
            let login = LOGINS
                .get(n)
                .map_or_else(|| format!("popug{n:04}"), |login| (*login).to_owned());
            user(n + 2, founded_at, login, Role::Worker)
        }));
        let last_date = company.first_date;
        // Behind all other events, as far as anybody compares.
        let mut sequence = 1 << 40;
        let changes = users
            .iter()
            .enumerate()
            .flat_map(|(n, user)| changes(n, user, last_date, &mut sequence))
            .collect();
        Life {
            dice: seed.wrapping_mul(2).wrapping_add(1),
            now: founded_at,
            books: Books::new(company.clone()),
            accounts: BTreeMap::new(),
            open: Vec::new(),
            pending: Vec::new(),
            correctable: Vec::new(),
            history: History {
                company,
                founded_at,
                head: 1 + users.len() as u64,
                users,
                changes,
                created: vec![],
                assigned: vec![],
                completed: vec![],
                priced: vec![],
                entries: vec![],
                settled: vec![],
                payouts: vec![],
                closes: vec![],
                last_date,
            },
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from((self.dice >> 33) % bound as u64).unwrap()
    }

    fn next_sequence(&mut self) -> u64 {
        self.history.head += 1;
        self.history.head
    }

    fn cause(&mut self) -> Cause {
        let sequence = self.next_sequence();
        let id = EventId::from_uuid(uuid_v7(self.now, "event", sequence));
        Cause {
            sequence: Sequence(sequence),
            id,
            time: self.now,
        }
    }

    fn worker(&mut self) -> UserId {
        let workers = self.history.users.len() - 2;
        let drawn = self.below(workers);
        self.history.users[2 + drawn].id
    }

    /// Some deeds, then midnight passes; most days are closed soon, some only days later. One in
    /// twenty dates is quiet.
    fn one_date(&mut self, day: usize, deeds: usize) {
        let starts = self.books.company.first_date.plus_days(day as i64);
        let quiet = self.below(20) == 0;
        let step = 70_000_000_000 / deeds.max(1) as i64;
        self.now = self
            .now
            .max(self.books.company.zone.end_of(starts.previous()));
        if self.below(10) < 7 {
            self.close_all();
        }
        for _ in 0..if quiet { 0 } else { deeds } {
            self.now = EventTime::from_micros(self.now.micros() + step).unwrap();
            self.deed();
        }
    }

    fn deed(&mut self) {
        match self.below(10) {
            0..=3 => self.create(),
            4..=6 if !self.open.is_empty() => self.complete(),
            7 if !self.open.is_empty() => self.reassign(),
            8 if !self.correctable.is_empty() => self.correct(),
            _ => self.react(3),
        }
    }

    fn create(&mut self) {
        let cause = self.cause();
        let number = self.history.created.len() as u64 + 1;
        let task_id = TaskId::from_uuid(uuid_v7(self.now, "task", number));
        let title = TITLES[self.below(TITLES.len())].to_owned();
        let jira_id = number.is_multiple_of(3).then(|| format!("UP-{number}"));
        let description = number
            .is_multiple_of(4)
            .then(|| "line one\nline two".to_owned());
        let created_by = self.history.users[0].id;
        let created = TaskCreated {
            task_id,
            number,
            title,
            jira_id,
            description,
            created_by,
        };
        let (price, fact) = self.books.price_task(cause, &created);
        let account = TaskAccount {
            number,
            title: created.title.clone(),
            jira_id: created.jira_id.clone(),
            price,
            fees_charged: Money::ZERO,
        };
        self.accounts.insert(task_id, account);
        self.history.created.push(At {
            sequence: cause.sequence.0,
            time: self.now,
            fact: created,
        });
        self.record(fact);
        self.open.push(Open {
            task: task_id,
            assignee: UserId::from_uuid(Uuid::nil()),
            assignment_no: 0,
        });
        self.assign(self.open.len() - 1, AssignmentReason::Created);
    }

    fn reassign(&mut self) {
        let at = self.below(self.open.len());
        self.assign(at, AssignmentReason::Reshuffle);
    }

    fn assign(&mut self, at: usize, reason: AssignmentReason) {
        let (cause, assignee_id) = (self.cause(), self.worker());
        let open = &mut self.open[at];
        open.assignee = assignee_id;
        open.assignment_no += 1;
        let (task_id, assignment_no) = (open.task, open.assignment_no);
        let assigned = TaskAssigned {
            task_id,
            assignee_id,
            previous_assignee_id: None,
            reason,
            assignment_no,
        };
        self.history.assigned.push(At {
            sequence: cause.sequence.0,
            time: self.now,
            fact: assigned.clone(),
        });
        self.pending.push(Pending::Assigned(cause, assigned));
    }

    fn complete(&mut self) {
        let at = self.below(self.open.len());
        let open = self.open.swap_remove(at);
        let cause = self.cause();
        let completed = TaskCompleted {
            task_id: open.task,
            completed_by: open.assignee,
            assignment_no: open.assignment_no,
        };
        self.history.completed.push(At {
            sequence: cause.sequence.0,
            time: self.now,
            fact: completed.clone(),
        });
        self.pending.push(Pending::Completed(cause, completed));
    }

    /// Accounting catches up, but for the last `held_back` events, which may so become late.
    fn react(&mut self, held_back: usize) {
        let ready = self.pending.len().saturating_sub(held_back);
        let pending: Vec<Pending> = self.pending.drain(..ready).collect();
        for event in pending {
            match event {
                Pending::Assigned(cause, assigned) => {
                    let account = self.accounts.get_mut(&assigned.task_id).unwrap();
                    let fact = self.books.charge_fee(cause, &assigned, account);
                    self.record(fact);
                }
                Pending::Completed(cause, completed) => {
                    let account = &self.accounts[&completed.task_id];
                    let facts = self.books.credit_reward(cause, &completed, account);
                    facts.into_iter().for_each(|fact| self.record(fact));
                }
            }
        }
    }

    fn correct(&mut self) {
        let at = self.below(self.correctable.len());
        let entry = self.correctable.swap_remove(at);
        let half = Money::from_minor(entry.amount.abs().minor() / 2);
        let correct = Correct {
            amount: at.is_multiple_of(2).then_some(half),
            reason: "wrong; \"really\"".into(),
        };
        let original = Original {
            entry_id: entry.entry_id,
            user_id: entry.user_id,
            kind: entry.kind,
            amount: entry.amount,
            task_id: entry.task_id,
            assignment_no: entry.assignment_no,
            corrected: Money::ZERO,
        };
        let id = self.cause().id;
        let actor = &self.history.users[0];
        let entry_id = EntryId::from_uuid(id.uuid());
        let correction = correct
            .decide(actor, &original, &self.books, entry_id, self.now)
            .unwrap();
        self.books.post(&correction);
        self.record(Fact {
            id,
            causation: None,
            event: correction.into(),
        });
    }

    fn close_all(&mut self) {
        while self.books.next_to_close(self.now, None).is_some() {
            let through_sequence = Sequence(self.history.head);
            let closing = Closing {
                at: self.now,
                through_sequence,
                skipped_events: 0,
            };
            let facts = self.books.decide_close(&closing);
            facts.into_iter().for_each(|fact| self.record(fact));
        }
    }

    fn record(&mut self, fact: Fact) {
        let (sequence, time) = (self.next_sequence(), self.now);
        match fact.event {
            Event::BalanceChanged(fact) => {
                if matches!(fact.kind, EntryKind::Fee | EntryKind::Reward)
                    && sequence.is_multiple_of(10)
                {
                    self.correctable.push(fact.clone());
                }
                self.history.entries.push(At {
                    sequence,
                    time,
                    fact,
                });
            }
            Event::TaskPriced(fact) => self.history.priced.push(At {
                sequence,
                time,
                fact,
            }),
            Event::TaskSettled(fact) => self.history.settled.push(At {
                sequence,
                time,
                fact,
            }),
            Event::PayoutMade(fact) => self.history.payouts.push(At {
                sequence,
                time,
                fact,
            }),
            Event::DayClosed(fact) => self.history.closes.push(At {
                sequence,
                time,
                fact,
            }),
            other => panic!("not a fact of accounting: {other:?}"),
        }
    }
}

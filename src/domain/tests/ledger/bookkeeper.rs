//! A bookkeeper: posts events through the real books and keeps every fact that they decide.

use uuid::Uuid;

use crate::domain::company::Company;
use crate::domain::event::{
    AssignmentReason, BalanceChanged, CompanyFounded, DayClosed, Event, Fact, PayoutMade,
    TaskAssigned, TaskCancelled, TaskCompleted, TaskSettled,
};
use crate::domain::id::{CompanyId, EntryId, EventId, Sequence};
use crate::domain::ledger::books::Books;
use crate::domain::ledger::close::Closing;
use crate::domain::ledger::correct::{Correct, Original};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::reaction::{Cause, TaskAccount};
use crate::domain::money::Money;
use crate::domain::pricing::{Price, PriceRange};
use crate::domain::rejection::Rejection;
use crate::domain::task::edit::TaskText;
use crate::domain::tests::facts::{at, task_id, user_id};
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::domain::user::User;

#[derive(Clone)]
pub(super) struct Bookkeeper {
    pub books: Books,
    pub facts: Vec<Fact>,
    /// Each entry with the last date that was closed when it was posted.
    pub posted: Vec<(BalanceChanged, Option<BusinessDate>)>,
    pub payouts: Vec<PayoutMade>,
    pub closes: Vec<DayClosed>,
    last_cause: u64,
}

pub(super) fn company(time_zone: &str, founded: EventTime) -> Company {
    let founding = CompanyFounded {
        company_id: CompanyId::from_uuid(Uuid::from_u128(7)),
        name: "UberPopug".into(),
        time_zone: time_zone.into(),
        currency: "EUR".into(),
        pricing: PriceRange::STANDARD,
        test_clock: false,
    };
    Company::from_founding(&founding, founded).unwrap()
}

pub(super) fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

/// Founded at `founded` in `time_zone`.
pub(super) fn bookkeeper(time_zone: &str, founded: &str) -> Bookkeeper {
    Bookkeeper {
        books: Books::new(company(time_zone, at(founded))),
        facts: Vec::new(),
        posted: Vec::new(),
        payouts: Vec::new(),
        closes: Vec::new(),
        last_cause: 0,
    }
}

impl Bookkeeper {
    /// A task that costs `units` is handed to `login`.
    pub(super) fn fee(&mut self, login: &str, units: i64, time: EventTime) -> BalanceChanged {
        let (cause, mut task) = (self.cause(time), task_account(units, 0));
        let assigned = TaskAssigned {
            task_id: task_id(self.last_cause),
            assignee_id: user_id(login),
            previous_assignee_id: None,
            reason: AssignmentReason::Created,
            assignment_no: 1,
        };
        let fact = self.books.charge_fee(cause, &assigned, &mut task);
        self.keep([fact]);
        self.last_entry()
    }

    /// `login` finishes a task that pays `units`.
    pub(super) fn reward(
        &mut self,
        login: &str,
        units: i64,
        time: EventTime,
    ) -> (BalanceChanged, TaskSettled) {
        let (cause, task) = (self.cause(time), task_account(0, units));
        let completed = TaskCompleted {
            task_id: task_id(self.last_cause),
            completed_by: user_id(login),
            assignment_no: 1,
        };
        let facts = self.books.credit_reward(cause, &completed, &task);
        let Event::TaskSettled(settled) = facts[1].event.clone() else {
            panic!("a settlement follows")
        };
        self.keep(facts);
        (self.last_entry(), settled)
    }

    /// `actor` corrects `entry`, of which earlier corrections are known.
    pub(super) fn correct(
        &mut self,
        actor: &User,
        entry: &BalanceChanged,
        amount: Option<Money>,
        time: EventTime,
    ) -> Result<BalanceChanged, Rejection> {
        let correct = Correct {
            amount,
            reason: " Charged by mistake. ".into(),
        };
        let id = self.cause(time).id;
        let entry_id = EntryId::from_uuid(id.uuid());
        let correction =
            correct.decide(actor, &self.original(entry), &self.books, entry_id, time)?;
        self.books.post(&correction);
        self.keep([Fact {
            id,
            causation: None,
            event: correction.into(),
        }]);
        Ok(self.last_entry())
    }

    /// The task of these fees is cancelled.
    pub(super) fn cancel(
        &mut self,
        fees: &[&BalanceChanged],
        keep_fees: bool,
        time: EventTime,
    ) -> Vec<BalanceChanged> {
        let cancelled = TaskCancelled {
            task_id: fees[0].task_id.unwrap(),
            reason: "Not needed.".into(),
            keep_fees,
        };
        let cause = self.cause(time);
        let fees: Vec<_> = fees.iter().map(|fee| self.original(fee)).collect();
        let facts = self.books.take_fees_back(cause, &cancelled, &fees);
        let count = facts.len();
        self.keep(facts);
        let entries: Vec<_> = self.entries().cloned().collect();
        entries[entries.len() - count..].to_vec()
    }

    pub(super) fn original(&self, entry: &BalanceChanged) -> Original {
        let corrections = self
            .entries()
            .filter(|other| other.corrects == Some(entry.entry_id));
        Original {
            corrected: corrections.map(|correction| correction.amount.abs()).sum(),
            ..Original::of(entry)
        }
    }

    /// Closes every finished open date, as `close` does, up to and including `last`.
    pub(super) fn close(&mut self, now: EventTime, last: Option<BusinessDate>) -> Vec<DayClosed> {
        let before = self.closes.len();
        while self.books.next_to_close(now, last).is_some() {
            let closing = Closing {
                at: now,
                through_sequence: Sequence(self.last_cause),
                skipped_events: 0,
            };
            let (facts, _) = self.books.decide_close(&closing);
            self.keep(facts);
        }
        self.closes[before..].to_vec()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &BalanceChanged> {
        self.posted.iter().map(|(entry, _)| entry)
    }

    pub(super) fn last_entry(&self) -> BalanceChanged {
        self.entries().last().expect("an entry").clone()
    }

    pub(super) fn balance(&self, login: &str) -> Money {
        self.books.balance(user_id(login))
    }

    /// Rule A4, from the entries alone.
    pub(super) fn end_of(&self, date: BusinessDate, login: &str) -> Money {
        let theirs = self
            .entries()
            .filter(|entry| entry.user_id == user_id(login) && entry.business_date <= date);
        theirs.map(|entry| entry.amount).sum()
    }

    /// Date and amount of the user's payouts.
    pub(super) fn paid(&self, login: &str) -> Vec<(BusinessDate, Money)> {
        let theirs = self
            .payouts
            .iter()
            .filter(|payout| payout.user_id == user_id(login));
        theirs
            .map(|payout| (payout.business_date, payout.amount))
            .collect()
    }

    fn cause(&mut self, time: EventTime) -> Cause {
        self.last_cause += 1;
        let id = EventId::from_uuid(Uuid::from_u128(self.last_cause.into()));
        Cause {
            sequence: Sequence(self.last_cause),
            id,
            time,
        }
    }

    fn keep(&mut self, facts: impl IntoIterator<Item = Fact>) {
        let closed_before = self.closes.last().map(|closed| closed.business_date);
        for fact in facts {
            match &fact.event {
                Event::BalanceChanged(entry) => self.posted.push((entry.clone(), closed_before)),
                Event::PayoutMade(payout) => self.payouts.push(payout.clone()),
                Event::DayClosed(closed) => self.closes.push(closed.clone()),
                _ => {}
            }
            self.facts.push(fact);
        }
    }
}

fn task_account(fee: i64, reward: i64) -> TaskAccount {
    let price = Price {
        fee: Money::units(fee),
        reward: Money::units(reward),
    };
    TaskAccount {
        number: 1,
        text: TaskText {
            title: "Fix it".into(),
            jira_id: Some("UP-7".into()),
            description: None,
        },
        changes: vec![],
        cancelled: None,
        price,
        fees_charged: Money::ZERO,
    }
}

/// The sums of a kind of entries, as positive where they are fees or payouts.
pub(super) fn sum_of(entries: &[&BalanceChanged], kind: EntryKind) -> Money {
    let sum: Money = entries
        .iter()
        .filter(|entry| entry.kind == kind)
        .map(|entry| entry.amount)
        .sum();
    if matches!(kind, EntryKind::Fee | EntryKind::Payout) {
        -sum
    } else {
        sum
    }
}

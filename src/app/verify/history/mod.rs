//! The whole history against the invariants, in one pass over the log.
//!
//! Everything is computed anew from the events, in plain sums that share no code with the books
//! of `domain::ledger`: a fault there would otherwise confirm itself. Memory grows with users,
//! tasks and payouts, not with the length of the log.
//!
//! What a set-aside event holds up is owed, not missing; so is what comes after the last
//! event that accounting made an entry for. [`people`] checks I10 of those who are named, [`tasks`] I11, [`entries`] I1, I4, I9 and I14, [`prices`] I3, [`payouts`] I5 and
//! I6, [`closes`] I2, I7 and I13, [`settlements`] I12, [`corrections`] the rest of I4. I10 of
//! ids and keys is checked line by line, I8 against a rebuild.

mod closes;
mod corrections;
mod entries;
mod mails;
mod origins;
mod payouts;
mod people;
mod prices;
mod settlements;
mod tasks;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::app::verify::{Progress, Step, Violation};
use crate::consumers::feed::feed;
use crate::consumers::withheld::Withheld;
use crate::consumers::{ConsumeError, Surroundings};
use crate::domain::company::Company;
use crate::domain::dead_letter::Standing;
use crate::domain::event::{Actor, Consumer, Event, Subject};
use crate::domain::id::{EntryId, PayoutId, Sequence, UserId};
use crate::domain::time::BusinessDate;
use crate::event_log::{FileLog, Line, LineKind, LogError};
use crate::state::{Checkpoint, Recorded, Resolution};
use closes::Totals;
use corrections::Correction;
use entries::{Cause, Day};
use mails::{Attempt, Mail};
use payouts::Paying;
use people::Person;
use tasks::Tasks;

/// Amounts are summed in more bits than they have, so that no crafted amount overflows.
type Minor = i128;

/// More violations than these are not told: one wrong price would name every later balance.
const VIOLATIONS_MAX: usize = 1_000;

pub struct History {
    company: Option<Company>,
    people: HashMap<UserId, Person>,
    logins: HashSet<String>,
    tasks: Tasks,
    /// Assignments and completions that have no entry yet.
    owed: BTreeMap<Sequence, Cause>,
    /// Everything that was decided about dead letters, and how much of it up to now.
    decisions: Vec<Resolution>,
    decided: usize,
    /// What accounting leaves out for that.
    withheld: Withheld,
    /// The last event that accounting made an entry for, and where that entry stands.
    reacted_through: Sequence,
    reacted_at: Sequence,
    /// Current balances, in posting order.
    balances: HashMap<UserId, Minor>,
    /// Balances at the end of the last closed date, none of them zero.
    carried: HashMap<UserId, Minor>,
    days: BTreeMap<BusinessDate, HashMap<UserId, Day>>,
    closed_through: Option<BusinessDate>,
    paid: HashSet<(UserId, BusinessDate)>,
    /// Payouts whose entries have not come yet.
    paying: HashMap<EntryId, Paying>,
    mails: HashMap<PayoutId, Mail>,
    corrections: Vec<Correction>,
    totals: Totals,
    /// The first event of the current batch, and the last.
    batch_first: Sequence,
    batch_last: Sequence,
    batch_actor: Actor,
    read: u64,
    found: Vec<Violation>,
    untold: u64,
}

impl History {
    /// A history with these decisions about dead letters, in their order.
    pub fn with_decisions(decisions: Vec<Resolution>) -> History {
        History {
            decisions,
            decided: 0,
            withheld: Withheld::nothing(Consumer::Accounting),
            company: None,
            people: HashMap::new(),
            logins: HashSet::new(),
            tasks: Tasks::default(),
            owed: BTreeMap::new(),
            reacted_through: Sequence::ZERO,
            reacted_at: Sequence::ZERO,
            balances: HashMap::new(),
            carried: HashMap::new(),
            days: BTreeMap::new(),
            closed_through: None,
            paid: HashSet::new(),
            paying: HashMap::new(),
            mails: HashMap::new(),
            corrections: Vec::new(),
            totals: Totals::default(),
            batch_first: Sequence::ZERO,
            batch_last: Sequence::ZERO,
            batch_actor: Actor::System(Consumer::Tracker),
            read: 0,
            found: Vec::new(),
            untold: 0,
        }
    }

    /// Reads the log from its first event to its head, passing over what is of an unknown version.
    ///
    /// # Errors
    /// The first event that cannot be read; what was seen before it stays.
    pub fn follow(
        &mut self,
        around: &Surroundings<'_>,
        progress: Progress<'_>,
    ) -> Result<(), ConsumeError> {
        let head = around.log.head()?.sequence;
        let set_aside: HashSet<Sequence> = self
            .decisions
            .iter()
            .map(|decision| decision.target)
            .collect();
        let read = |line: &Line<'_>| match Recorded::from_line(line) {
            Err(_) if matches!(line.kind(), LineKind::Unknown | LineKind::UnknownVersion(_)) => {
                Ok(None)
            }
            Err(_) if set_aside.contains(&line.sequence) => Ok(None),
            read => read.map(Some),
        };
        feed(around.log, &Checkpoint::START, None, read, |chunk| {
            for recorded in &chunk.events {
                self.decided_before(around, recorded.sequence)?;
                self.event(recorded);
            }
            self.read = chunk.through.sequence.0;
            progress(Step::History, self.read, head.0);
            Ok::<_, ConsumeError>(true)
        })?;
        Ok(())
    }

    /// What was decided about dead letters up to `at`, the event that comes now.
    fn decided_before(
        &mut self,
        around: &Surroundings<'_>,
        at: Sequence,
    ) -> Result<(), ConsumeError> {
        let known = self
            .decisions
            .partition_point(|decision| decision.sequence <= at);
        if known > self.decided {
            self.decided = known;
            self.withheld = Withheld::of(around, Consumer::Accounting, &self.decisions[..known])?;
        }
        Ok(())
    }

    pub fn read_through(&self) -> Sequence {
        Sequence(self.read)
    }

    pub fn is_founded(&self) -> bool {
        self.company.is_some()
    }

    /// What holds only of a whole history, and everything that was found.
    ///
    /// # Errors
    /// If the log, which corrections are looked up in again, cannot be read.
    pub fn end(mut self, log: &FileLog) -> Result<Vec<Violation>, LogError> {
        self.check_nothing_missing();
        self.check_prices_there();
        self.check_trial_balance();
        self.check_corrections(log)?;
        if self.untold > 0 {
            let what = format!("{} further violations are not listed", self.untold);
            self.found.push(Violation::of_event("I1", self.read, what));
        }
        Ok(self.found)
    }

    fn violates(&mut self, invariant: &'static str, at: Sequence, what: impl Into<String>) {
        if self.found.len() < VIOLATIONS_MAX {
            self.found
                .push(Violation::of_event(invariant, at.0, what.into()));
        } else {
            self.untold += 1;
        }
    }

    fn event(&mut self, recorded: &Recorded<'_>) {
        if recorded.sequence > self.batch_last {
            // The last event of the batch before may have been passed over.
            self.tasks_after(self.batch_last);
            self.batch_first = recorded.sequence;
            self.batch_last = recorded.sequence.plus(recorded.more);
        }
        self.check_actor(recorded);
        self.tasks_before(recorded);
        let at = recorded.sequence;
        match recorded.event.as_ref() {
            Event::CompanyFounded(e) => self.company_founded(recorded, e),
            Event::UserRegistered(e) => self.user_registered(at, e),
            Event::UserChanged(e) => self.change(at, e.user_id, |_| {}),
            Event::UserRoleChanged(e) => {
                self.change(at, e.user_id, |person| person.role = e.new_role)
            }
            Event::UserDeactivated(e) => {
                self.change(at, e.user_id, |person| person.is_active = false)
            }
            Event::UserReactivated(e) => {
                self.change(at, e.user_id, |person| person.is_active = true)
            }
            Event::TaskCreated(e) => self.task_created(recorded, e),
            Event::TaskAssigned(e) => self.task_assigned(recorded, e),
            Event::TasksReshuffled(e) => self.tasks_reshuffled(at, e),
            Event::TaskCompleted(e) => self.task_completed(recorded, e),
            Event::TaskPriced(e) => self.task_priced(recorded, e),
            Event::BalanceChanged(e) => self.balance_changed(recorded, e),
            Event::TaskSettled(e) => self.task_settled(recorded, e),
            Event::PayoutMade(e) => self.payout_made(recorded, e),
            Event::DayClosed(e) => self.day_closed(recorded, e),
            Event::MailSent(e) => self.mail_attempted(recorded, &Attempt::from(e)),
            Event::MailFailed(e) => self.mail_attempted(recorded, &Attempt::from(e)),
            Event::EventSetAside(_) | Event::EventRetried(_) | Event::EventSkipped(_) => {}
        }
        if recorded.more == 0 {
            self.tasks_after(at);
        }
    }

    /// Whether somebody decided in the end that accounting leaves the event itself out.
    fn is_left_out(&self, at: Sequence) -> bool {
        let is_about =
            |made: &&Resolution| made.consumer == Consumer::Accounting && made.target == at;
        self.decisions
            .iter()
            .rev()
            .find(is_about)
            .is_some_and(|made| made.standing != Standing::Retried)
    }

    /// Whether accounting leaves `cause` out.
    fn is_withheld(&self, at: Sequence, cause: &Cause) -> bool {
        subjects(cause).any(|subject| self.withheld.withholds(at, &subject))
    }

    /// Whether accounting has to catch up with a decision about `cause`. It does so before it goes on,
    /// in the log's order; a correction waits for none of it.
    fn is_released(&self, at: Sequence, cause: &Cause) -> bool {
        subjects(cause)
            .filter_map(|subject| self.withheld.last_decision(at, &subject))
            .any(|last| last > self.reacted_at)
    }

    /// I9: an id that follows from a cause is the one that the cause gives, so that doing it twice
    /// gives the same event twice.
    fn check_id(&mut self, recorded: &Recorded<'_>, name: impl FnOnce() -> String) {
        let Some(company) = &self.company else { return };
        let name = name();
        if company.id.derive(&name) != recorded.id.uuid() {
            let what = format!("the id is not the one derived from `{name}`");
            self.violates("I9", recorded.sequence, what);
        }
    }
}

/// What the entry of a cause waits for.
fn subjects(cause: &Cause) -> impl Iterator<Item = String> {
    [Subject::Task(cause.task), Subject::User(cause.user)]
        .into_iter()
        .map(|subject| subject.to_string())
}

fn money(minor: Minor) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100)
}

fn minor(amount: crate::domain::money::Money) -> Minor {
    amount.minor().into()
}

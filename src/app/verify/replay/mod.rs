//! The books, decided a second time and compared with the events that accounting appended.
//!
//! Causes are the decisions of others: events of users and tasks, requests for closes and
//! corrections, decisions about dead letters. They are checked against their own rules
//! ([`causes`]). Their consequences are decided again by the same functions of `domain::ledger`
//! that accounting uses, and every event of the books is compared with them: id, cause and data
//! ([`entries`], [`closes`]). An event without a cause is a finding, and so is a missing one. The
//! books then follow the log, so that one wrong event is reported once. [`mails`] compares the
//! attempts to send a mail with the payouts.
//!
//! Invariant: memory grows with users, open tasks and payouts, by 24 bytes with finished tasks, and
//! not with the length of the log.
//!
//! A replay cannot find an error in the rules themselves; for that the tests have a bookkeeper of
//! their own. I10 for ids and keys is checked line by line, I8 by a rebuild.

mod cancellations;
mod causes;
mod closes;
mod corrections;
mod entries;
mod mails;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::app::verify::Violation;
use crate::consumers::ConsumeError;
use crate::consumers::withheld::Withheld;
use crate::domain::company::Company;
use crate::domain::dead_letter::LetterState;
use crate::domain::event::{
    Actor, BalanceChanged, CompanyFounded, Consumer, Event, PayoutMade, Subject,
};
use crate::domain::id::{EntryId, EventId, Sequence, UserId};
use crate::domain::ledger::books::Books;
use crate::domain::ledger::correct::Original;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::time::BusinessDate;
use crate::domain::user::User;
use crate::event_log::FileLog;
use crate::state::{Recorded, Resolution};
use causes::{Owed, Tasks};
use mails::{Attempt, Mails};

/// Further violations are only counted, because one wrong price would name every later fee.
const VIOLATIONS_MAX: usize = 1_000;

pub(super) struct Replay {
    /// `None` before the company is founded.
    books: Option<Books>,
    users: HashMap<UserId, User>,
    logins: HashSet<String>,
    tasks: Tasks,
    /// Assignments and completions without an entry.
    owed: BTreeMap<Sequence, Owed>,
    /// All decisions about dead letters, and the number of them made so far.
    decisions: Vec<Resolution>,
    decided: usize,
    /// The events that accounting leaves out because of them.
    withheld: Withheld,
    /// The last cause with an entry, and the sequence of that entry.
    reacted_through: Sequence,
    reacted_at: Sequence,
    /// The users who were paid for a date that is not closed.
    paid: HashSet<(UserId, BusinessDate)>,
    /// Payouts whose entries have not come yet, with the ids of their events.
    paying: HashMap<EntryId, (EventId, PayoutMade)>,
    mails: Mails,
    /// The entries that are corrected somewhere in the log; `None` before they were read.
    corrected: HashMap<EntryId, Option<Original>>,
    /// The current batch.
    batch_first: Sequence,
    batch_last: Sequence,
    batch_actor: Actor,
    /// Whether an event was skipped.
    lacks_events: bool,
    read: Sequence,
    found: Vec<Violation>,
    untold: u64,
}

impl Replay {
    /// A replay of a log with these decisions, in their order, and with corrections of these entries.
    pub(super) fn new(decisions: Vec<Resolution>, corrected: &[EntryId]) -> Replay {
        Replay {
            books: None,
            users: HashMap::new(),
            logins: HashSet::new(),
            tasks: Tasks::default(),
            owed: BTreeMap::new(),
            decisions,
            decided: 0,
            withheld: Withheld::nothing(Consumer::Accounting),
            reacted_through: Sequence::ZERO,
            reacted_at: Sequence::ZERO,
            paid: HashSet::new(),
            paying: HashMap::new(),
            mails: Mails::default(),
            corrected: corrected.iter().map(|entry| (*entry, None)).collect(),
            batch_first: Sequence::ZERO,
            batch_last: Sequence::ZERO,
            batch_actor: Actor::System(Consumer::Tracker),
            lacks_events: false,
            read: Sequence::ZERO,
            found: Vec::new(),
            untold: 0,
        }
    }

    /// The last event that was replayed or passed over.
    pub(super) fn read_through(&self) -> Sequence {
        self.read
    }

    pub(super) fn is_founded(&self) -> bool {
        self.books.is_some()
    }

    /// Passes over an event that cannot be read.
    pub(super) fn pass_over(&mut self, at: Sequence) {
        self.read = at;
        self.lacks_events = true;
    }

    /// Replays the next event.
    ///
    /// # Errors
    /// If an event that was decided about cannot be read.
    pub(super) fn follow(
        &mut self,
        log: &FileLog,
        recorded: &Recorded<'_>,
    ) -> Result<(), ConsumeError> {
        let at = recorded.sequence;
        self.decide_letters_before(log, at)?;
        if at > self.batch_last {
            // The last event of the batch before may have been skipped.
            self.end_batch(self.batch_last);
            self.batch_first = at;
            self.batch_last = at.plus(recorded.more);
        }
        self.check_actor(recorded);
        self.event(recorded);
        if recorded.more == 0 {
            self.end_batch(at);
        }
        self.read = at;
        Ok(())
    }

    /// From now on the decisions about dead letters up to `at` hold.
    fn decide_letters_before(&mut self, log: &FileLog, at: Sequence) -> Result<(), ConsumeError> {
        let decided = self
            .decisions
            .partition_point(|decision| decision.sequence <= at);
        if decided > self.decided {
            self.decided = decided;
            self.withheld = Withheld::of(log, Consumer::Accounting, &self.decisions[..decided])?;
        }
        Ok(())
    }

    fn event(&mut self, recorded: &Recorded<'_>) {
        self.check_unassigned(recorded);
        match recorded.event.as_ref() {
            Event::CompanyFounded(e) => self.company_founded(recorded, e),
            Event::UserRegistered(e) => self.user_registered(recorded.sequence, e),
            Event::UserChanged(_)
            | Event::UserRoleChanged(_)
            | Event::UserDeactivated(_)
            | Event::UserReactivated(_)
            | Event::UserPasswordReset(_) => self.user_changed(recorded),
            Event::TaskCreated(e) => self.task_created(recorded, e),
            Event::TaskChanged(e) => self.task_changed(recorded.sequence, e),
            Event::TaskAssigned(e) => self.task_assigned(recorded, e),
            Event::TasksReshuffled(e) => self.tasks_reshuffled(recorded.sequence, e),
            Event::TaskCompleted(e) => self.task_completed(recorded, e),
            Event::TaskCancelled(e) => self.task_cancelled(recorded, e),
            Event::TaskPriced(e) => self.task_priced(recorded, e),
            Event::BalanceChanged(e) => self.balance_changed(recorded, e),
            Event::TaskSettled(e) => self.task_settled(recorded, e),
            Event::PayoutMade(e) => self.payout_made(recorded, e),
            Event::DayClosed(e) => self.day_closed(recorded, e),
            Event::MailSent(e) => self.mail_attempted(recorded, &Attempt::from(e)),
            Event::MailFailed(e) => self.mail_attempted(recorded, &Attempt::from(e)),
            Event::EventSetAside(_) | Event::EventRetried(_) | Event::EventSkipped(_) => {}
        }
    }

    /// I10: the company stays the one that was founded first.
    fn company_founded(&mut self, recorded: &Recorded<'_>, e: &CompanyFounded) {
        let at = recorded.sequence;
        if self.books.is_some() {
            return self.violates("I10", at, "a company was founded in this log before");
        }
        if at != Sequence::FIRST {
            self.violates("I10", at, "the log does not begin with the founding");
        }
        match Company::from_founding(e, recorded.time) {
            Ok(company) => self.books = Some(Books::new(company)),
            Err(error) => self.violates("I13", at, error.to_string()),
        }
    }

    /// One batch has one actor, and some events are made by one consumer alone.
    fn check_actor(&mut self, recorded: &Recorded<'_>) {
        let (at, by) = (recorded.sequence, recorded.actor);
        if at == self.batch_first {
            self.batch_actor = by;
        } else if by != self.batch_actor {
            let first = self.batch_actor;
            let what = format!("it is by {by}, the batch began as one by {first}");
            self.violates("envelope", at, what);
        }
        let maker = maker(&recorded.event).map(Actor::System);
        if let Some(maker) = maker.filter(|maker| *maker != by) {
            let what = format!("it is by {by}, such events are by {maker} alone");
            self.violates("envelope", at, what);
        }
    }

    /// I9: an event that follows from a cause has the id and the causation id that the cause gives,
    /// so deciding it twice gives the same event.
    fn check_origin(&mut self, recorded: &Recorded<'_>, id: uuid::Uuid, cause: Option<EventId>) {
        if recorded.id.uuid() != id {
            let what = format!("the id is not {id}, the one derived from its cause");
            self.violates("I9", recorded.sequence, what);
        }
        if let Some(cause) = cause.filter(|cause| recorded.causation != Some(*cause)) {
            let what =
                format!("the causation id is not {cause}, the event that this one follows from");
            self.violates("I9", recorded.sequence, what);
        }
    }

    /// Everything that was found, with what holds of a whole log only.
    pub(super) fn end(mut self) -> Vec<Violation> {
        self.check_nothing_missing();
        if self.untold > 0 {
            let what = format!("{} further violations are not listed", self.untold);
            self.found
                .push(Violation::of_event("I1", self.read.0, what));
        }
        self.found
    }

    fn violates(&mut self, rule: &'static str, at: Sequence, what: impl Into<String>) {
        if self.found.len() < VIOLATIONS_MAX {
            self.found
                .push(Violation::of_event(rule, at.0, what.into()));
        } else {
            self.untold += 1;
        }
    }

    /// Whether the last decision leaves the event itself out of accounting.
    fn is_left_out(&self, at: Sequence) -> bool {
        let is_about =
            |made: &&Resolution| made.consumer == Consumer::Accounting && made.target == at;
        let last = self.decisions.iter().rev().find(is_about);
        last.is_some_and(|made| made.state != LetterState::Retried)
    }

    /// Whether accounting leaves out the cause at `at`.
    fn is_withheld(&self, at: Sequence, owed: &Owed) -> bool {
        subjects(owed).any(|subject| self.withheld.withholds(at, &subject))
    }

    /// Whether the cause at `at` was released by a decision that accounting has not followed yet.
    /// Accounting does that before it continues in the log's order. A correction does not wait for
    /// it.
    fn is_released(&self, at: Sequence, owed: &Owed) -> bool {
        subjects(owed)
            .filter_map(|subject| self.withheld.last_decision(at, &subject))
            .any(|last| last > self.reacted_at)
    }
}

/// The subjects for which the entry of a cause waits.
fn subjects(owed: &Owed) -> impl Iterator<Item = String> {
    [Subject::Task(owed.task()), Subject::User(owed.user())]
        .into_iter()
        .map(|subject| subject.to_string())
}

/// The only consumer that makes such events.
fn maker(event: &Event) -> Option<Consumer> {
    match event {
        Event::TaskPriced(_)
        | Event::TaskSettled(_)
        | Event::BalanceChanged(BalanceChanged {
            kind: EntryKind::Fee | EntryKind::Reward,
            ..
        })
        | Event::BalanceChanged(BalanceChanged {
            kind: EntryKind::Correction,
            cause_sequence: Some(_),
            ..
        }) => Some(Consumer::Accounting),
        Event::MailSent(_) | Event::MailFailed(_) => Some(Consumer::Notifier),
        Event::CompanyFounded(_)
        | Event::UserRegistered(_)
        | Event::UserChanged(_)
        | Event::UserRoleChanged(_)
        | Event::UserDeactivated(_)
        | Event::UserReactivated(_)
        | Event::UserPasswordReset(_)
        | Event::TaskCreated(_)
        | Event::TaskChanged(_)
        | Event::TaskAssigned(_)
        | Event::TasksReshuffled(_)
        | Event::TaskCompleted(_)
        | Event::TaskCancelled(_)
        | Event::BalanceChanged(_)
        | Event::PayoutMade(_)
        | Event::DayClosed(_)
        | Event::EventSetAside(_)
        | Event::EventRetried(_)
        | Event::EventSkipped(_) => None,
    }
}

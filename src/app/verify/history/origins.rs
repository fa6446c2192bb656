//! Who an event is by and what it follows from: one actor for each batch, and of what a consumer appends by
//! itself the consumer; I9: id and causation id are those that the cause gives.

use crate::app::verify::history::History;
use crate::domain::event::{Actor, BalanceChanged, Consumer, Event};
use crate::domain::id::EventId;
use crate::domain::ledger::entry::EntryKind;
use crate::state::Recorded;

/// The consumer that alone makes such events.
fn maker(event: &Event) -> Option<Consumer> {
    match event {
        Event::TaskPriced(_)
        | Event::TaskSettled(_)
        | Event::BalanceChanged(BalanceChanged {
            kind: EntryKind::Fee | EntryKind::Reward,
            ..
        }) => Some(Consumer::Accounting),
        Event::MailSent(_) | Event::MailFailed(_) => Some(Consumer::Notifier),
        Event::CompanyFounded(_)
        | Event::UserRegistered(_)
        | Event::UserChanged(_)
        | Event::UserRoleChanged(_)
        | Event::UserDeactivated(_)
        | Event::UserReactivated(_)
        | Event::TaskCreated(_)
        | Event::TaskAssigned(_)
        | Event::TasksReshuffled(_)
        | Event::TaskCompleted(_)
        | Event::BalanceChanged(_)
        | Event::PayoutMade(_)
        | Event::DayClosed(_)
        | Event::EventSetAside(_)
        | Event::EventRetried(_)
        | Event::EventSkipped(_) => None,
    }
}

impl History {
    /// The batch begins with this event, or this event goes on with it.
    pub(super) fn check_actor(&mut self, recorded: &Recorded<'_>) {
        let (at, by) = (recorded.sequence, recorded.actor);
        if at == self.batch_first {
            self.batch_actor = by;
        } else if by != self.batch_actor {
            let what = format!(
                "it is by {by}, the batch began as one by {}",
                self.batch_actor
            );
            self.violates("envelope", at, what);
        }
        let maker = maker(&recorded.event).map(Actor::System);
        if let Some(maker) = maker.filter(|maker| *maker != by) {
            self.violates(
                "envelope",
                at,
                format!("it is by {by}, such events are by {maker} alone"),
            );
        }
    }

    /// I9, of an event that is named after its cause: `prefix/<id of the cause>`.
    pub(super) fn check_derived(&mut self, recorded: &Recorded<'_>, prefix: &str, cause: EventId) {
        self.check_id(recorded, || format!("{prefix}/{cause}"));
        self.check_cause(recorded, cause);
    }

    pub(super) fn check_cause(&mut self, recorded: &Recorded<'_>, cause: EventId) {
        if recorded.causation != Some(cause) {
            let what =
                format!("the causation id is not {cause}, the event that this one follows from");
            self.violates("I9", recorded.sequence, what);
        }
    }
}

//! The faults of a row: the column and the reason.

use crate::app::import::columns::Column;
use crate::domain::rejection::{Rejection, RejectionClass};

/// Why a row is bad.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The column at fault; empty for the whole row.
    pub column: &'static str,
    pub reason: String,
}

impl Fault {
    pub(super) fn of(column: Column, reason: impl Into<String>) -> Fault {
        Fault {
            column: column.name(),
            reason: reason.into(),
        }
    }

    pub(super) fn of_row(reason: String) -> Fault {
        Fault { column: "", reason }
    }

    pub(super) fn from_rejection(rejection: &Rejection) -> Fault {
        let reason = match rejection
            .hint()
            .filter(|_| rejection.class() == RejectionClass::Invalid)
        {
            Some(hint) => format!("{rejection}; {hint}"),
            None => rejection.to_string(),
        };
        Fault {
            column: column_of(rejection),
            reason,
        }
    }
}

/// The column to which a rejection refers.
const fn column_of(rejection: &Rejection) -> &'static str {
    use Rejection::*;
    match rejection {
        UnknownUser { .. } | LoginTaken { .. } | LastAdmin { .. } | BadLogin { .. } => "login",
        ActorDeactivated { .. }
        | RoleMayNot { .. }
        | NotTheAssignee { .. }
        | AlreadyCharged { .. } => "actor",
        UnknownTask { .. }
        | AlreadyCompleted { .. }
        | AlreadyCancelled { .. }
        | KeyReused { .. }
        | ReservedKey { .. }
        | TokenInKey => "key",
        ServiceRoleFixed { .. } | UnknownRole { .. } => "role",
        DateNotOver { .. } | DateBeforeFounding { .. } | ClockBehind { .. } => "at",
        BadEmail { .. } => "email",
        TwoJiraIds { .. } | BadJiraId { .. } => "jira_id",
        BracketInTitle { .. } => "title",
        Empty { what } | TooLong { what, .. } | LineBreak { what } => what,
        // About the company or the ledger, not about a cell.
        NobodyEligible
        | CanBeDrawn { .. }
        | UnknownEntry { .. }
        | UnknownEvent { .. }
        | DateBlocked { .. }
        | NotStopped { .. }
        | NotSetAside { .. }
        | StillUnreadable { .. }
        | BooksAreNotSkipped { .. }
        | BooksIncomplete { .. }
        | OwnAccount
        | NotCorrectable { .. }
        | CorrectionTooLarge { .. }
        | CorrectedInFull
        | BadAmount { .. }
        | FoundedInFuture { .. }
        | FoundedTooEarly { .. }
        | NotPositive { .. }
        | BadTimeZone { .. }
        | BadCurrency { .. } => "",
    }
}

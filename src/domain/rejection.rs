//! The refusals of the rules. The variants stand in order of precedence: if several apply, the
//! caller gets the first, however the command is written. There are two exceptions: a reused key is
//! found before anything is decided, and of several ill-formed texts the first one of the command
//! is reported.

mod hint;

use crate::domain::displayed::Displayed;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::role::{Right, Role};
use crate::domain::time::{BusinessDate, EventTime};

/// The kind of a rejection, which decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectionClass {
    /// The named thing does not exist.
    NotFound,
    /// The actor may not do it.
    NotAllowed,
    /// The state forbids it, or does not allow it yet.
    Conflict,
    /// A text is not well formed.
    Invalid,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    // The named thing does not exist.
    #[error("there is no user `{}`", Displayed(name))]
    UnknownUser { name: String },
    #[error("there is no task `{}`", Displayed(name))]
    UnknownTask { name: String },
    #[error("there is no entry `{}`", Displayed(name))]
    UnknownEntry { name: String },
    #[error("the log has no event {sequence}")]
    UnknownEvent { sequence: Sequence },

    // The actor lacks the right.
    #[error("`{login}` is deactivated and may do nothing")]
    ActorDeactivated { login: String },
    #[error("{} like `{login}` may not {}", with_article(*role), right.deed())]
    RoleMayNot {
        login: String,
        role: Role,
        right: Right,
    },
    #[error("T-{number} is assigned to `{assignee}`; only the assignee completes it")]
    NotTheAssignee { number: u64, assignee: String },
    #[error("T-{number} is charged already; its creator can cancel it only before that")]
    AlreadyCharged { number: u64 },
    #[error("nobody may correct, set aside or skip an event of their own account")]
    OwnAccount,

    // The state forbids it.
    #[error("the key `{}` was used for another command", Displayed(key))]
    KeyReused {
        key: String,
        first_sequence: Sequence,
    },
    #[error("the login `{login}` is taken")]
    LoginTaken { login: String },
    #[error(
        "`{login}` cannot change role: a service user keeps its role, and no other user can become one"
    )]
    ServiceRoleFixed { login: String },
    #[error("`{login}` is the last active admin and can be neither demoted nor deactivated")]
    LastAdmin { login: String },
    #[error("T-{number} is already completed")]
    AlreadyCompleted { number: u64 },
    #[error("T-{number} is cancelled")]
    AlreadyCancelled { number: u64 },
    #[error("`{login}` can still be drawn for tasks, so their tasks are not handed over")]
    CanBeDrawn { login: String },
    #[error("no task can be assigned: there is no active accountant, developer or worker")]
    NobodyEligible,
    #[error("{date} is before the company was founded ({founded})")]
    DateBeforeFounding {
        date: BusinessDate,
        founded: BusinessDate,
    },
    #[error("{date} is not over; it ends at {ends}")]
    DateNotOver { date: BusinessDate, ends: EventTime },
    #[error("{date} cannot be closed: event {sequence} is set aside")]
    DateBlocked {
        date: BusinessDate,
        sequence: Sequence,
    },
    #[error("{} does not stop at event {sequence}", consumer.name())]
    NotStopped {
        consumer: Consumer,
        sequence: Sequence,
        at: Option<Sequence>,
    },
    #[error("event {sequence} is not set aside for {}", consumer.name())]
    NotSetAside {
        consumer: Consumer,
        sequence: Sequence,
    },
    #[error("event {sequence} still cannot be read: {reason}")]
    StillUnreadable { sequence: Sequence, reason: String },
    #[error("event {sequence} belongs to the books and is never skipped")]
    BooksAreNotSkipped {
        consumer: Consumer,
        sequence: Sequence,
    },
    #[error("event {sequence} of the books is set aside; nothing is posted before it is retried")]
    BooksIncomplete { sequence: Sequence },
    #[error("a {} entry cannot be corrected", kind.name())]
    NotCorrectable { kind: EntryKind },
    #[error("{asked} is more than the {remaining} that the entry has left to correct")]
    CorrectionTooLarge { asked: Money, remaining: Money },
    #[error("the entry is already corrected in full")]
    CorrectedInFull,
    #[error("the clock says {now}, but the time of the log's last event is {last}")]
    ClockBehind {
        now: EventTime,
        last: EventTime,
        before_jump: Sequence,
    },

    // The text is not well formed.
    #[error("`{}` is not a role", Displayed(text))]
    UnknownRole { text: String, suggestion: Role },
    #[error("`{}` is not a login", Displayed(login))]
    BadLogin { login: String },
    #[error("`{}` is not an e-mail address", Displayed(email))]
    BadEmail { email: String },
    #[error(
        "the title begins with the jira id {in_title}, but `{}` is given as well",
        Displayed(given)
    )]
    TwoJiraIds { given: String, in_title: String },
    #[error("`{}` is not a jira id", Displayed(jira_id))]
    BadJiraId { jira_id: String },
    #[error("the {what} is empty")]
    Empty { what: &'static str },
    #[error("the {what} has {length} {unit}; {max} are allowed")]
    TooLong {
        what: &'static str,
        unit: &'static str,
        length: usize,
        max: usize,
    },
    #[error("the {what} has a line break")]
    LineBreak { what: &'static str },
    #[error("the title `{}` contains a bracket", Displayed(title))]
    BracketInTitle { title: String },
    #[error("the amount must be above zero, not {amount}")]
    NotPositive { amount: Money },
    #[error("`{}` is not an amount", Displayed(text))]
    BadAmount { text: String },
    #[error("a company cannot be founded in the future ({founded})")]
    FoundedInFuture { founded: EventTime, now: EventTime },
    #[error("{founded} is too long ago for a company to be founded")]
    FoundedTooEarly {
        founded: EventTime,
        earliest: EventTime,
    },
    #[error("`{}` is not the name of a time zone", Displayed(name))]
    BadTimeZone { name: String },
    #[error("`{}` is not a currency with two minor digits", Displayed(currency))]
    BadCurrency { currency: String },
    #[error("the key `{}` is reserved", Displayed(key))]
    ReservedKey { key: String },
    #[error("the key contains a token")]
    TokenInKey,
}

impl Rejection {
    pub const fn class(&self) -> RejectionClass {
        use Rejection::*;
        match self {
            UnknownUser { .. } | UnknownTask { .. } | UnknownEntry { .. } | UnknownEvent { .. } => {
                RejectionClass::NotFound
            }
            RoleMayNot { .. }
            | ActorDeactivated { .. }
            | NotTheAssignee { .. }
            | AlreadyCharged { .. }
            | OwnAccount => RejectionClass::NotAllowed,
            KeyReused { .. }
            | LoginTaken { .. }
            | ServiceRoleFixed { .. }
            | LastAdmin { .. }
            | AlreadyCompleted { .. }
            | AlreadyCancelled { .. }
            | CanBeDrawn { .. }
            | NobodyEligible
            | DateNotOver { .. }
            | DateBeforeFounding { .. }
            | DateBlocked { .. }
            | NotStopped { .. }
            | NotSetAside { .. }
            | StillUnreadable { .. }
            | BooksAreNotSkipped { .. }
            | BooksIncomplete { .. }
            | NotCorrectable { .. }
            | CorrectionTooLarge { .. }
            | CorrectedInFull
            | ClockBehind { .. } => RejectionClass::Conflict,
            UnknownRole { .. }
            | BadLogin { .. }
            | BadEmail { .. }
            | BadJiraId { .. }
            | TwoJiraIds { .. }
            | BracketInTitle { .. }
            | Empty { .. }
            | TooLong { .. }
            | LineBreak { .. }
            | NotPositive { .. }
            | BadAmount { .. }
            | FoundedInFuture { .. }
            | FoundedTooEarly { .. }
            | BadTimeZone { .. }
            | BadCurrency { .. }
            | ReservedKey { .. }
            | TokenInKey => RejectionClass::Invalid,
        }
    }

    /// Whether it takes precedence over [`Rejection::ClockBehind`], which is a conflict with the
    /// state.
    pub const fn precedes_clock(&self) -> bool {
        matches!(
            self.class(),
            RejectionClass::NotFound | RejectionClass::NotAllowed
        )
    }

    /// A stable name for programs: `already_completed`.
    pub fn code(&self) -> String {
        let debug = format!("{self:?}");
        let name = debug.split([' ', '{']).next().unwrap_or_default();
        let mut code = String::with_capacity(name.len() + 4);
        for (at, c) in name.char_indices() {
            if c.is_ascii_uppercase() && at > 0 {
                code.push('_');
            }
            code.push(c.to_ascii_lowercase());
        }
        code
    }
}

fn with_article(role: Role) -> String {
    let article = if matches!(role, Role::Admin | Role::Accountant) {
        "an"
    } else {
        "a"
    };
    let noun = if matches!(role, Role::Service) {
        "service user"
    } else {
        role.name()
    };
    format!("{article} {noun}")
}

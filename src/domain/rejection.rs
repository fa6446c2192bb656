//! Why a rule said no. The variants stand in order of precedence: the first that holds is the
//! one a caller hears, so a refusal never depends on how a command happens to be written. Two
//! exceptions: a reused key is found before anything is decided, and of several ill-formed texts
//! the first that the command names is heard.

use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::role::{Right, Role};
use crate::domain::text::Displayed;
use crate::domain::time::{BusinessDate, EventTime};

/// Which question a rejection answers; decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectionClass {
    /// No such thing.
    NotFound,
    /// Not yours to do.
    NotAllowed,
    /// Not in this state, or not yet.
    Conflict,
    /// Not in this form.
    Invalid,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    // What is named does not exist.
    #[error("there is no user `{}`", Displayed(name))]
    UnknownUser { name: String },
    #[error("there is no task `{}`", Displayed(name))]
    UnknownTask { name: String },
    #[error("there is no entry `{}`", Displayed(name))]
    UnknownEntry { name: String },
    #[error("the log has no event {sequence}")]
    UnknownEvent { sequence: Sequence },

    // The actor may not.
    #[error("`{login}` is deactivated and may do nothing")]
    ActorDeactivated { login: String },
    #[error("{} like `{login}` may not {}", with_article(*role), right.deed())]
    RoleMayNot { login: String, role: Role, right: Right },
    #[error("task {number} is assigned to `{assignee}`; only the assignee completes it")]
    NotTheAssignee { number: u64, assignee: String },
    #[error("nobody corrects, sets aside or skips what touches his own account")]
    OwnAccount,

    // The state forbids it.
    #[error("the key `{}` was used for another command", Displayed(key))]
    KeyReused { key: String, first_sequence: Sequence },
    #[error("the login `{login}` is taken")]
    LoginTaken { login: String },
    #[error("`{login}` cannot change so: nobody becomes or ceases to be a service user")]
    ServiceRoleFixed { login: String },
    #[error("`{login}` is the last active admin and can be neither demoted nor deactivated")]
    LastAdmin { login: String },
    #[error("task {number} is completed already")]
    AlreadyCompleted { number: u64 },
    #[error("nobody can be handed a task: there is no active accountant, developer or worker")]
    NobodyEligible,
    #[error("{date} lies before the company was founded ({founded})")]
    DateBeforeFounding { date: BusinessDate, founded: BusinessDate },
    #[error("{date} is not over; it ends at {ends}")]
    DateNotOver { date: BusinessDate, ends: EventTime },
    #[error("{date} cannot be closed: event {sequence} is set aside")]
    DateBlocked { date: BusinessDate, sequence: Sequence },
    #[error("{} does not stop at event {sequence}", consumer.name())]
    NotStopped { consumer: Consumer, sequence: Sequence, at: Option<Sequence> },
    #[error("event {sequence} is not set aside for {}", consumer.name())]
    NotSetAside { consumer: Consumer, sequence: Sequence },
    #[error("event {sequence} still cannot be read: {reason}")]
    StillUnreadable { sequence: Sequence, reason: String },
    #[error("event {sequence} belongs to the books and is never skipped")]
    BooksAreNotSkipped { sequence: Sequence },
    #[error("a {} entry cannot be corrected", kind.name())]
    NotCorrectable { kind: EntryKind },
    #[error("the entry has {remaining} left to correct; {asked} is more")]
    CorrectionTooLarge { asked: Money, remaining: Money },
    #[error("the clock says {now}, but the log's last event is of {last}")]
    ClockBehind { now: EventTime, last: EventTime, before_jump: Sequence },

    // The text is not well formed.
    #[error("`{}` is not a role", Displayed(text))]
    UnknownRole { text: String, suggestion: Role },
    #[error("`{}` is not a login", Displayed(login))]
    BadLogin { login: String },
    #[error("`{}` is not an e-mail address", Displayed(email))]
    BadEmail { email: String },
    #[error("the title carries the jira id {in_title} and `{}` is given beside it", Displayed(given))]
    TwoJiraIds { given: String, in_title: String },
    #[error("`{}` is not a jira id", Displayed(jira_id))]
    BadJiraId { jira_id: String },
    #[error("the {what} is empty")]
    Empty { what: &'static str },
    #[error("the {what} has {length} {unit}; {max} are allowed")]
    TooLong { what: &'static str, unit: &'static str, length: usize, max: usize },
    #[error("the {what} has a line break")]
    LineBreak { what: &'static str },
    #[error("the title `{}` holds a bracket", Displayed(title))]
    BracketInTitle { title: String },
    #[error("the amount must be above zero, not {amount}")]
    NotPositive { amount: Money },
    #[error("`{}` is not a time zone of the IANA database", Displayed(name))]
    BadTimeZone { name: String },
    #[error("`{}` is not a currency with two minor digits", Displayed(currency))]
    BadCurrency { currency: String },
    #[error("the key `{}` is reserved", Displayed(key))]
    ReservedKey { key: String },
}

impl Rejection {
    pub const fn class(&self) -> RejectionClass {
        use Rejection::*;
        match self {
            UnknownUser { .. } | UnknownTask { .. } | UnknownEntry { .. } | UnknownEvent { .. } => {
                RejectionClass::NotFound
            }
            RoleMayNot { .. } | ActorDeactivated { .. } | NotTheAssignee { .. } | OwnAccount => {
                RejectionClass::NotAllowed
            }
            KeyReused { .. }
            | LoginTaken { .. }
            | ServiceRoleFixed { .. }
            | LastAdmin { .. }
            | AlreadyCompleted { .. }
            | NobodyEligible
            | DateNotOver { .. }
            | DateBeforeFounding { .. }
            | DateBlocked { .. }
            | NotStopped { .. }
            | NotSetAside { .. }
            | StillUnreadable { .. }
            | BooksAreNotSkipped { .. }
            | NotCorrectable { .. }
            | CorrectionTooLarge { .. }
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
            | BadTimeZone { .. }
            | BadCurrency { .. }
            | ReservedKey { .. } => RejectionClass::Invalid,
        }
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

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        use Rejection::*;
        Some(match self {
            UnknownUser { .. } => "`popug-cli user list` shows everybody".into(),
            UnknownTask { .. } => "`popug-cli task list --all` shows every task".into(),
            UnknownEntry { .. } => "`popug-cli report entries` shows every entry with its id".into(),
            UnknownEvent { .. } => "`popug-cli status` tells the log's last event".into(),
            RoleMayNot { right, .. } => format!("this needs the role {}", right.holders()),
            ActorDeactivated { login } => format!("an admin can undo it: `popug-cli user reactivate {login}`"),
            NotTheAssignee { number, .. } => format!("`popug-cli task show {number}` tells its history"),
            OwnAccount => "ask another accountant or an admin".into(),
            KeyReused { first_sequence, .. } => {
                format!("choose another --key; `popug-cli log show {first_sequence}` shows the first use")
            }
            LoginTaken { login } => format!("`popug-cli user show {login}` tells who has it"),
            ServiceRoleFixed { .. } => "register another user for it".into(),
            LastAdmin { .. } => "make somebody else admin first: `popug-cli user set-role LOGIN admin`".into(),
            AlreadyCompleted { number } => format!("`popug-cli task show {number}` tells when"),
            NobodyEligible => "register one: `popug-cli user register --role developer …`".into(),
            DateNotOver { .. } => "close it when it is over; `popug-cli close` alone closes every finished date".into(),
            DateBeforeFounding { founded, .. } => format!("the first date of the books is {founded}"),
            DateBlocked { sequence, .. } => format!(
                "`popug-cli dlq show {sequence}` tells why; retry it, or let an admin skip it, then close again"
            ),
            NotStopped { consumer, at: Some(at), .. } => {
                format!("{} stops at event {at}; that one can be set aside", consumer.name())
            }
            NotStopped { consumer, at: None, .. } => {
                format!("only an event that stops its consumer is set aside, and {} runs", consumer.name())
            }
            NotSetAside { .. } => "`popug-cli dlq list` shows what is".into(),
            StillUnreadable { .. } => "it stays set aside; a newer popug-cli may read it".into(),
            BooksAreNotSkipped { sequence } => format!("`popug-cli dlq retry {sequence}` when it can be read"),
            NotCorrectable { .. } => "only fee and reward entries can be corrected".into(),
            CorrectionTooLarge { remaining, .. } if !remaining.is_positive() => {
                "it is corrected in full already; `popug-cli report entries` shows its corrections".into()
            }
            CorrectionTooLarge { remaining, .. } => format!("correct at most {remaining}, or leave --amount out"),
            ClockBehind { before_jump, .. } => format!(
                "set the clock; if it ran ahead, `popug-cli restore DIR --to-sequence {before_jump}` goes back before it"
            ),
            UnknownRole { suggestion, .. } => {
                let all: Vec<_> = Role::ALL.into_iter().map(Role::name).collect();
                format!("did you mean `{suggestion}`? The roles are {}", all.join(", "))
            }
            BadLogin { .. } => {
                "a login is 1 to 64 of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or digit".into()
            }
            BadEmail { .. } => "write it like anna@popug.example".into(),
            BadJiraId { .. } => "a jira id looks like UP-7: capital letters and digits, a dash, a number".into(),
            TwoJiraIds { .. } => "give it once: in front of the title or with --jira-id".into(),
            BracketInTitle { .. } => {
                "a jira id stands in front, like `[UP-7] Fix it`; elsewhere write round brackets".into()
            }
            Empty { what } => format!("give a {what}"),
            TooLong { what: "title", .. } => "the rest belongs into --description".into(),
            TooLong { what, .. } => format!("shorten the {what}"),
            LineBreak { what: "title" } => "write it on one line; the rest belongs into --description".into(),
            LineBreak { .. } => "write it on one line".into(),
            NotPositive { .. } => "the direction follows from the entry; give the size alone".into(),
            BadTimeZone { .. } => "write it like Europe/Moscow or UTC".into(),
            BadCurrency { .. } => "write its three-letter code, like EUR, USD or RUB".into(),
            ReservedKey { .. } => {
                "keys that begin with accounting/, close/, notifier/ or import/ belong to popug-cli".into()
            }
        })
    }
}

fn with_article(role: Role) -> String {
    let article = if matches!(role, Role::Admin | Role::Accountant) { "an" } else { "a" };
    let noun = if matches!(role, Role::Service) { "service user" } else { role.name() };
    format!("{article} {noun}")
}

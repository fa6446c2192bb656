//! The hint of each refusal. A test lists them all.

use crate::domain::company::{FOUNDED, check_currency};
use crate::domain::rejection::{Rejection, RejectionClass};
use crate::domain::role::{Right, Role};
use crate::domain::time::Zone;

impl Rejection {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self.class() {
            RejectionClass::NotFound | RejectionClass::NotAllowed => self.whom_to_ask(),
            RejectionClass::Conflict => self.way_out(),
            RejectionClass::Invalid => self.right_form(),
        }
    }

    /// The way to find the named thing, or the person who has the right.
    fn whom_to_ask(&self) -> Option<String> {
        use Rejection::*;
        Some(match self {
            UnknownUser { .. } => "`popug-cli user list` shows all users".into(),
            UnknownTask { .. } => "`popug-cli task list --all` shows every task".into(),
            UnknownEntry { .. } => {
                "`popug-cli report entries` shows every entry with its id, of which eight characters or more are enough".into()
            }
            UnknownEvent { .. } => "`popug-cli status` shows the log's last event".into(),
            RoleMayNot { right, .. } => format!("this needs the role {}", right.holders()),
            ActorDeactivated { login } => {
                format!("an admin can undo it: `popug-cli user reactivate {login}`")
            }
            NotTheAssignee { number, .. } => {
                format!("`popug-cli task show {number}` shows its history")
            }
            AlreadyCharged { .. } => format!(
                "ask somebody with the role {}",
                Right::ManageTasks.holders()
            ),
            OwnAccount => "ask another accountant or an admin".into(),
            _ => return None,
        })
    }

    /// The command that the state allows instead.
    fn way_out(&self) -> Option<String> {
        use Rejection::*;
        Some(match self {
            KeyReused { first_sequence, .. } => {
                format!(
                    "choose another --key; `popug-cli log show {first_sequence}` shows the first use"
                )
            }
            LoginTaken { login } => format!("`popug-cli user show {login}` shows who has it"),
            ServiceRoleFixed { .. } => "register another user instead".into(),
            LastAdmin { .. } => {
                "make another user admin first: `popug-cli user set-role LOGIN admin`".into()
            }
            AlreadyCompleted { number } | AlreadyCancelled { number } => {
                format!("`popug-cli task show {number}` shows when")
            }
            CanBeDrawn { .. } => "`popug-cli task reshuffle` draws every open task anew".into(),
            NobodyEligible => "register one: `popug-cli user register --role developer …`".into(),
            DateNotOver { .. } => {
                "close it when it is over; `popug-cli close` without a date closes every finished date"
                    .into()
            }
            DateBeforeFounding { founded, .. } => {
                format!("the first date of the books is {founded}")
            }
            DateBlocked { sequence, .. } => format!(
                "`popug-cli dlq show {sequence}` shows why; retry it, or let an admin skip it if it is not of the books, then close again"
            ),
            NotCorrectable { .. } => "only fee and reward entries can be corrected".into(),
            CorrectedInFull => "`popug-cli report entries` shows its corrections".into(),
            CorrectionTooLarge { remaining, .. } => {
                format!("correct at most {remaining}, or leave --amount out")
            }
            ClockBehind {
                before_jump, last, ..
            } if *before_jump <= FOUNDED => format!(
                "set the clock; if it has run ahead since the founding, wait until {last}, or found the company again: `popug-cli -C NEW-DIR init`"
            ),
            ClockBehind { before_jump, .. } => format!(
                "set the clock; if it ran ahead, `popug-cli -C NEW-DIR restore BACKUP_DIR --to-sequence {before_jump}` goes back before it"
            ),
            _ => return self.what_to_decide(),
        })
    }

    /// The decision about a dead letter that the state allows instead.
    fn what_to_decide(&self) -> Option<String> {
        use Rejection::*;
        Some(match self {
            NotStopped {
                consumer,
                at: Some(at),
                ..
            } => {
                format!(
                    "{} stops at event {at}; that one can be set aside",
                    consumer.name()
                )
            }
            NotStopped {
                consumer, at: None, ..
            } => {
                format!(
                    "only an event that stops its consumer can be set aside; {} is not stopped",
                    consumer.name()
                )
            }
            NotSetAside { .. } => "`popug-cli dlq list` shows the events that are set aside".into(),
            StillUnreadable { .. } => {
                "it stays set aside; a newer popug-cli may be able to read it".into()
            }
            BooksIncomplete { sequence } => {
                format!(
                    "`popug-cli dlq retry {sequence} --consumer accounting --reason TEXT`, then try again"
                )
            }
            BooksAreNotSkipped { consumer, sequence } => format!(
                "`popug-cli dlq retry {sequence} --consumer {} --reason TEXT` when it can be read",
                consumer.name()
            ),
            _ => return None,
        })
    }

    /// The form of a valid text.
    fn right_form(&self) -> Option<String> {
        use Rejection::*;
        Some(match self {
            UnknownRole { suggestion, .. } => {
                let all: Vec<_> = Role::ALL.into_iter().map(Role::name).collect();
                format!("did you mean `{suggestion}`? The roles are {}", all.join(", "))
            }
            BadLogin { .. } => {
                "a login is 1 to 64 of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or digit".into()
            }
            BadEmail { .. } => "write it like anna@popug.example".into(),
            BadJiraId { .. } => "a jira id looks like UP-7: capital letters and digits, a dash, a number".into(),
            TwoJiraIds { .. } => "give one: at the start of the title or with --jira-id".into(),
            BracketInTitle { .. } => {
                "put a jira id at the start, like `[UP-7] Fix it`; use round brackets elsewhere".into()
            }
            Empty { what } => format!("give a {what}"),
            TooLong { what: "title", .. } => "move the rest to --description".into(),
            TooLong { what, .. } => format!("shorten the {what}"),
            LineBreak { what: "title" } => "write it on one line and move the rest to --description".into(),
            LineBreak { .. } => "write it on one line".into(),
            NotPositive { .. } => "give the amount without a sign; the entry sets the direction".into(),
            BadAmount { .. } => "write it like 12, 12.5 or 12.50".into(),
            FoundedInFuture { now, .. } => format!("the clock says {now}"),
            FoundedTooEarly { earliest, .. } => {
                format!("every date since is closed one by one; the earliest founding is {earliest}")
            }
            BadTimeZone { name } => match Zone::of_city(name) {
                Some(zone) => format!("did you mean {zone}?"),
                None => "write it like Europe/Moscow or UTC".into(),
            },
            BadCurrency { currency } => match currency.to_uppercase() {
                code if check_currency(&code).is_ok() => format!("did you mean {code}?"),
                _ => "write its three-letter code, like EUR, USD or RUB".into(),
            },
            ReservedKey { .. } => {
                "keys that begin with accounting/, close/, notifier/ or import/ belong to popug-cli".into()
            }
            TokenInKey => "a key stays in the log; pass a token in POPUG_TOKEN".into(),
            _ => return None,
        })
    }
}

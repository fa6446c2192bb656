//! The event catalogue: every fact that the company records, as data.
//!
//! A fact is written once and read for ever. Members are never renamed. A new shape is a new
//! version, and old versions are lifted to it when they are read (`event_log::upcast`).

pub mod bounds;
mod data;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use crate::domain::event::data::*;
use crate::domain::id::{EventId, TaskId, UserId};
use crate::domain::time::BusinessDate;

/// A bounded context, which produces events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Context {
    Auth,
    Tracker,
    Accounting,
    Analytics,
    Notifier,
}

impl Context {
    pub const fn name(self) -> &'static str {
        match self {
            Context::Auth => "auth",
            Context::Tracker => "tracker",
            Context::Accounting => "accounting",
            Context::Analytics => "analytics",
            Context::Notifier => "notifier",
        }
    }
}

/// A reader of the log with a checkpoint and tables of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consumer {
    /// The state index that commands decide from.
    Tracker,
    Accounting,
    Analytics,
    Notifier,
}

impl Consumer {
    /// In the order in which `consume` runs them.
    pub const ALL: [Consumer; 4] = [
        Consumer::Tracker,
        Consumer::Accounting,
        Consumer::Analytics,
        Consumer::Notifier,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Consumer::Tracker => "tracker",
            Consumer::Accounting => "accounting",
            Consumer::Analytics => "analytics",
            Consumer::Notifier => "notifier",
        }
    }

    pub fn named(name: &str) -> Option<Consumer> {
        let mut all = Consumer::ALL.into_iter();
        all.find(|consumer| consumer.name() == name)
    }

    pub const fn context(self) -> Context {
        match self {
            Consumer::Tracker => Context::Tracker,
            Consumer::Accounting => Context::Accounting,
            Consumer::Analytics => Context::Analytics,
            Consumer::Notifier => Context::Notifier,
        }
    }
}

/// The subject of an event: `user/<id>`, `task/<id>`, `day/<date>` or `company`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    User(UserId),
    Task(TaskId),
    Day(BusinessDate),
    Company,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::User(id) => f.write_str("user/").and_then(|()| id.fmt(f)),
            Subject::Task(id) => f.write_str("task/").and_then(|()| id.fmt(f)),
            Subject::Day(date) => f.write_str("day/").and_then(|()| date.fmt(f)),
            Subject::Company => f.write_str("company"),
        }
    }
}

/// Declares the event enum, its kinds and how each is named, produced and consumed.
macro_rules! catalogue {
    ($($(#[$doc:meta])* $kind:ident = $name:literal v $version:literal by $context:ident for [$($consumer:ident)*])+) => {
        /// The kind of an event in its current version.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum EventKind { $($(#[$doc])* $kind,)+ }

        impl EventKind {
            pub const ALL: &[EventKind] = &[$(EventKind::$kind),+];

            /// The name without its version: `task.created`.
            pub const fn name(self) -> &'static str {
                match self { $(EventKind::$kind => $name,)+ }
            }

            /// The current version, counted from 1.
            pub const fn version(self) -> u32 {
                match self { $(EventKind::$kind => $version,)+ }
            }

            /// The CloudEvents `type`: `task.created.v2`.
            pub const fn type_name(self) -> &'static str {
                match self { $(EventKind::$kind => concat!($name, ".v", stringify!($version)),)+ }
            }

            /// The kind whose current version is called `type_name`.
            pub fn of_type(type_name: &str) -> Option<EventKind> {
                match type_name {
                    $(concat!($name, ".v", stringify!($version)) => Some(EventKind::$kind),)+
                    _ => None,
                }
            }

            /// The context that produces it. A dead letter's events are produced by the context of the consumer
            /// they name; see [`Event::context`].
            pub const fn context(self) -> Context {
                match self { $(EventKind::$kind => Context::$context,)+ }
            }

            /// The consumers that read it.
            pub const fn consumers(self) -> &'static [Consumer] {
                match self { $(EventKind::$kind => &[$(Consumer::$consumer),*],)+ }
            }
        }

        /// One fact, in the current version of its kind.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Event { $($(#[$doc])* $kind($kind),)+ }

        impl Event {
            pub const fn kind(&self) -> EventKind {
                match self { $(Event::$kind(_) => EventKind::$kind,)+ }
            }

            /// Reads the `data` member of an event of `kind`.
            pub fn deserialize_data<'de, D: Deserializer<'de>>(kind: EventKind, data: D) -> Result<Event, D::Error> {
                match kind { $(EventKind::$kind => $kind::deserialize(data).map(Event::$kind),)+ }
            }
        }

        /// Writes the `data` member.
        impl Serialize for Event {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Event::$kind(data) => data.serialize(serializer),)+ }
            }
        }

        $(impl From<$kind> for Event {
            fn from(data: $kind) -> Event {
                Event::$kind(data)
            }
        })+
    };
}

catalogue! {
    /// The company exists; the first event of every log.
    CompanyFounded = "company.founded" v 1 by Auth for [Tracker Accounting Analytics Notifier]
    /// A user is registered.
    UserRegistered = "user.registered" v 1 by Auth for [Tracker Accounting Analytics Notifier]
    /// A user has a new name or e-mail address.
    UserChanged = "user.changed" v 1 by Auth for [Tracker Accounting Analytics Notifier]
    /// A user has a new role.
    UserRoleChanged = "user.role_changed" v 1 by Auth for [Tracker Accounting Analytics Notifier]
    /// A user is deactivated.
    UserDeactivated = "user.deactivated" v 1 by Auth for [Tracker Accounting Analytics Notifier]
    /// A user is active again.
    UserReactivated = "user.reactivated" v 1 by Auth for [Tracker Accounting Analytics Notifier]
    /// The owner of the store's files gave a user a new password.
    UserPasswordReset = "user.password_reset" v 1 by Auth for []
    /// A task was created; its first assignment follows in the same batch.
    TaskCreated = "task.created" v 2 by Tracker for [Tracker Accounting]
    /// Title, description or jira id of a task changed.
    TaskChanged = "task.changed" v 1 by Tracker for [Tracker Accounting]
    /// A task was assigned.
    TaskAssigned = "task.assigned" v 2 by Tracker for [Tracker Accounting]
    /// A manager reshuffled the open tasks; their assignments follow in the batch.
    TasksReshuffled = "tasks.reshuffled" v 1 by Tracker for []
    /// The assignee completed a task.
    TaskCompleted = "task.completed" v 1 by Tracker for [Tracker Accounting]
    /// A task was cancelled.
    TaskCancelled = "task.cancelled" v 1 by Tracker for [Tracker Accounting]
    /// A task gets its price, which never changes.
    TaskPriced = "task.priced" v 1 by Accounting for [Accounting]
    /// One entry of the ledger: the only event that moves money.
    BalanceChanged = "balance.changed" v 1 by Accounting for [Accounting Analytics]
    /// A completed task with its total cost, for analytics.
    TaskSettled = "task.settled" v 1 by Accounting for [Analytics]
    /// A user is paid for a date.
    PayoutMade = "payout.made" v 1 by Accounting for [Accounting Analytics Notifier]
    /// A date is closed and its totals are final.
    DayClosed = "day.closed" v 1 by Accounting for [Accounting Analytics]
    /// A pay mail was sent.
    MailSent = "mail.sent" v 1 by Notifier for [Accounting Notifier]
    /// A pay mail could not be sent.
    MailFailed = "mail.failed" v 1 by Notifier for [Accounting Notifier]
    /// An operator set aside an event that a consumer cannot apply.
    EventSetAside = "event.set_aside" v 1 by Accounting for [Tracker]
    /// A set-aside event is to be applied again.
    EventRetried = "event.retried" v 1 by Accounting for [Tracker]
    /// A set-aside event will never be applied, for a stated reason.
    EventSkipped = "event.skipped" v 1 by Accounting for [Tracker]
}

impl Event {
    pub fn subject(&self) -> Subject {
        match self {
            Event::CompanyFounded(_) | Event::TasksReshuffled(_) => Subject::Company,
            Event::UserRegistered(e) => Subject::User(e.user_id),
            Event::UserChanged(e) => Subject::User(e.user_id),
            Event::UserRoleChanged(e) => Subject::User(e.user_id),
            Event::UserDeactivated(e) => Subject::User(e.user_id),
            Event::UserReactivated(e) => Subject::User(e.user_id),
            Event::UserPasswordReset(e) => Subject::User(e.user_id),
            Event::TaskCreated(e) => Subject::Task(e.task_id),
            Event::TaskChanged(e) => Subject::Task(e.task_id),
            Event::TaskAssigned(e) => Subject::Task(e.task_id),
            Event::TaskCompleted(e) => Subject::Task(e.task_id),
            Event::TaskCancelled(e) => Subject::Task(e.task_id),
            Event::TaskPriced(e) => Subject::Task(e.task_id),
            Event::BalanceChanged(e) => Subject::User(e.user_id),
            Event::TaskSettled(e) => Subject::Task(e.task_id),
            Event::PayoutMade(e) => Subject::User(e.user_id),
            Event::DayClosed(e) => Subject::Day(e.business_date),
            Event::MailSent(e) => Subject::User(e.user_id),
            Event::MailFailed(e) => Subject::User(e.user_id),
            Event::EventSetAside(_) | Event::EventRetried(_) | Event::EventSkipped(_) => {
                Subject::Company
            }
        }
    }

    /// The context that produces this event.
    pub fn context(&self) -> Context {
        match self {
            Event::EventSetAside(e) => e.consumer.context(),
            Event::EventRetried(e) => e.consumer.context(),
            Event::EventSkipped(e) => e.consumer.context(),
            other => other.kind().context(),
        }
    }
}

/// An event that has been decided and has its id, ready to be appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    pub id: EventId,
    /// The event that caused this one.
    pub causation: Option<EventId>,
    pub event: Event,
}

/// The author of an event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Actor {
    User(UserId),
    System(Consumer),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Actor::User(id) => write!(f, "user/{id}"),
            Actor::System(consumer) => write!(f, "system/{}", consumer.name()),
        }
    }
}

impl std::str::FromStr for Actor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(id) = text.strip_prefix("user/") {
            return id.parse().map(Actor::User).map_err(|_| ());
        }
        let name = text.strip_prefix("system/").ok_or(())?;
        Consumer::named(name).map(Actor::System).ok_or(())
    }
}

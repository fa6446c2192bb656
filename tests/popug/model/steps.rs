//! The possible events of a company, drawn at random and without any state: users and tasks are
//! numbers that are taken modulo their present number, so that a history stays valid when parts of
//! it are left out.

use popug_cli::app::import::ImportKind;
use popug_cli::domain::event::Consumer;
use proptest::prelude::*;

use super::calendar::MINUTE;
use super::letters::{ACCOUNTING, ANALYTICS, NOTIFIER};

/// Zones and times shortly before an irregular change of the clock.
pub const FOUNDINGS: [(&str, &str); 10] = [
    ("UTC", "2026-11-20T22:00:00Z"),
    // The clock goes forward at 02:00, back at 03:00.
    ("Europe/Berlin", "2026-03-27T12:00:00Z"),
    ("Europe/Berlin", "2026-10-23T21:30:00Z"),
    // Left out 2011-12-30 by moving over the date line.
    ("Pacific/Apia", "2011-12-28T23:00:00Z"),
    // Half an hour back.
    ("Australia/Lord_Howe", "2026-04-03T06:00:00Z"),
    // A minute after midnight back to 23:01 of the date before.
    ("America/St_Johns", "2010-11-05T20:00:00Z"),
    // At midnight back to 23:00.
    ("America/Asuncion", "2024-03-22T22:00:00Z"),
    // At midnight forward: the date begins at 01:00.
    ("America/Havana", "2026-03-06T23:00:00Z"),
    ("Asia/Kathmandu", "2026-11-20T18:00:00Z"),
    ("Pacific/Kiritimati", "2026-12-30T09:59:00Z"),
];

#[derive(Clone, Debug)]
pub struct History {
    pub founding: usize,
    /// A seed of the dice.
    pub seed: u64,
    pub steps: Vec<Timed>,
}

/// A step and how the clock moves before it.
#[derive(Clone, Debug)]
pub struct Timed {
    pub wait: Wait,
    pub step: Step,
}

#[derive(Clone, Debug)]
pub enum Wait {
    Minutes(i64),
    Days(i64),
    /// To the next change of the local date, plus or minus these microseconds.
    Midnight(i64),
    /// The clock is turned back, in microseconds.
    Back(i64),
    /// For this one step the clock shows this many microseconds less than the log's last event.
    Slip(i64),
}

#[derive(Clone, Debug)]
pub enum Step {
    Order {
        who: Who,
        deed: Deed,
        key: Option<u8>,
        crash: Option<Crash>,
    },
    /// An order with a key is repeated.
    Again {
        which: u8,
    },
    Consume {
        stop: Stop,
        crash: Option<Crash>,
    },
    /// Finished dates, or those up to this many days after the first open one.
    Close {
        who: Who,
        days: Option<i64>,
        crash: Option<Crash>,
    },
    /// Mails are sent.
    Notify {
        crash: Option<Crash>,
    },
    /// A file is imported.
    Import {
        who: Who,
        kind: ImportKind,
        rows: Vec<RowPlan>,
        crash: Option<Crash>,
    },
    /// A file is imported once more, with new rows at its end.
    ImportAgain {
        which: u8,
        rows: Vec<RowPlan>,
        crash: Option<Crash>,
    },
    /// Another program that follows the rules closes a date, but without posting the owed entries.
    CloseElsewhere,
    /// Another version of the program cannot apply an event and sets it aside.
    GivenUp {
        consumer: &'static str,
        event: u8,
    },
    /// A file that can be rebuilt is lost.
    Lose(Derived),
    /// Everything is consumed, and every report is read.
    Reports,
}

/// A row of a file to import.
#[derive(Clone, Copy, Debug)]
pub struct RowPlan {
    /// The part, in 256ths, of the remaining time that passes before it.
    pub part: u8,
    pub moment: Moment,
    pub deed: RowDeed,
    pub actor: u8,
    pub key: u8,
}

#[derive(Clone, Copy, Debug)]
pub enum Moment {
    Fit,
    BeforeTheLast,
    InTheFuture,
    Backwards,
}

#[derive(Clone, Copy, Debug)]
pub enum RowDeed {
    Register { login: u8, role: u8 },
    SetRole { user: u8, role: u8 },
    Deactivate { user: u8 },
    Create,
    Reshuffle,
    Complete,
    Close,
}

#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// A user who probably has the right.
    Fit,
    Any(u8),
}

#[derive(Clone, Debug)]
pub enum Deed {
    Register {
        login: u8,
        role: u8,
    },
    Rename {
        user: u8,
        name: u8,
    },
    SetRole {
        user: u8,
        role: u8,
    },
    Deactivate {
        user: u8,
        keep_tasks: bool,
    },
    HandOver {
        user: u8,
    },
    Reactivate {
        user: u8,
    },
    Add {
        title: u8,
        described: bool,
    },
    Edit {
        task: u8,
        texts: u8,
        spelling: u8,
    },
    Cancel {
        task: u8,
        keep_fees: bool,
        spelling: u8,
    },
    Complete {
        tasks: Vec<u8>,
        spelling: u8,
    },
    Reshuffle,
    Correct {
        entry: u8,
        size: Size,
    },
    SetAside {
        event: u8,
        consumer: Option<Consumer>,
        reason: Option<&'static str>,
    },
    Retry {
        event: u8,
        consumer: Option<Consumer>,
        reason: &'static str,
    },
    Skip {
        event: u8,
        consumer: Option<Consumer>,
        reason: &'static str,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum Size {
    Rest,
    Whole,
    Part,
    TooMuch,
    Nothing,
    WithoutReason,
}

/// The point at which a process is killed; its earlier changes are on the disk.
#[derive(Clone, Copy, Debug)]
pub enum Crash {
    /// After the head, before index and tables have followed.
    BeforeCommit,
    /// After the batches, before the head.
    BeforeHead,
    /// In the middle of the batches: this many 256ths of the bytes are written.
    Torn(u8),
}

/// The point at which accounting stops.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    AtHead,
    /// Its time is over at once.
    OutOfTime,
    /// It has projected this many 256ths of the events, and stored them.
    Projected(u8),
    /// It has projected everything and is killed before storing it.
    Unstored,
}

#[derive(Clone, Copy, Debug)]
pub enum Derived {
    Index,
    Accounting,
    Analytics,
    Notifier,
}

pub const ROLES: [&str; 7] = [
    "developer",
    "worker",
    "accountant",
    "manager",
    "admin",
    "service",
    "plumber",
];

pub fn history() -> impl Strategy<Value = History> {
    let steps = prop::collection::vec(
        (wait(), step()).prop_map(|(wait, step)| Timed { wait, step }),
        1..60,
    );
    (0..FOUNDINGS.len(), any::<u64>(), steps).prop_map(|(founding, seed, steps)| History {
        founding,
        seed,
        steps,
    })
}

fn wait() -> impl Strategy<Value = Wait> {
    let second = 1_000_000_i64;
    prop_oneof![
        12 => (0..90_i64).prop_map(Wait::Minutes),
        4 => (-90 * second..90 * second).prop_map(Wait::Midnight),
        2 => (-1..=1_i64).prop_map(Wait::Midnight),
        2 => (1..4_i64).prop_map(Wait::Days),
        1 => (4..25_i64).prop_map(Wait::Days),
        1 => (0..second).prop_map(Wait::Back),
        2 => (second..=10 * MINUTE).prop_map(Wait::Back),
        1 => (10 * MINUTE + 1..90 * MINUTE).prop_map(Wait::Back),
        4 => slip(second),
    ]
}

/// The limits at which a clock that is behind causes a warning or a refusal.
fn slip(second: i64) -> impl Strategy<Value = Wait> {
    let edge = prop_oneof![1 => Just(second), 4 => Just(10 * MINUTE)];
    let beside = prop_oneof![Just(-second), Just(-1_i64), Just(0), Just(1), Just(second)];
    (edge, beside).prop_map(|(edge, beside)| Wait::Slip(edge + beside))
}

fn step() -> impl Strategy<Value = Step> {
    let order = (who(), deed(), prop::option::weighted(0.3, 0..8_u8), crash());
    prop_oneof![
        24 => order.prop_map(|(who, deed, key, crash)| Step::Order { who, deed, key, crash }),
        3 => any::<u8>().prop_map(|which| Step::Again { which }),
        6 => (stop(), crash()).prop_map(|(stop, crash)| Step::Consume { stop, crash }),
        5 => (who(), prop::option::weighted(0.4, -3..5_i64), crash())
            .prop_map(|(who, days, crash)| Step::Close { who, days, crash }),
        2 => crash().prop_map(|crash| Step::Notify { crash }),
        3 => (who(), kind(), rows(7), crash())
            .prop_map(|(who, kind, rows, crash)| Step::Import { who, kind, rows, crash }),
        2 => (any::<u8>(), rows(3), crash()).prop_map(|(which, rows, crash)| Step::ImportAgain { which, rows, crash }),
        1 => Just(Step::CloseElsewhere),
        4 => given_up(),
        1 => lost().prop_map(Step::Lose),
        1 => Just(Step::Reports),
    ]
}

fn kind() -> impl Strategy<Value = ImportKind> {
    prop_oneof![6 => Just(ImportKind::Activity), 1 => Just(ImportKind::Users), 1 => Just(ImportKind::Tasks)]
}

fn rows(count: usize) -> impl Strategy<Value = Vec<RowPlan>> {
    let moment = prop_oneof![
        60 => Just(Moment::Fit),
        1 => Just(Moment::BeforeTheLast),
        1 => Just(Moment::InTheFuture),
        1 => Just(Moment::Backwards),
    ];
    let deed = prop_oneof![
        2 => (0..9_u8, 0..6_u8).prop_map(|(login, role)| RowDeed::Register { login, role }),
        1 => (any::<u8>(), 0..6_u8).prop_map(|(user, role)| RowDeed::SetRole { user, role }),
        1 => any::<u8>().prop_map(|user| RowDeed::Deactivate { user }),
        6 => Just(RowDeed::Create),
        1 => Just(RowDeed::Reshuffle),
        5 => Just(RowDeed::Complete),
        2 => Just(RowDeed::Close),
    ];
    let part = prop_oneof![2 => Just(0), 5 => any::<u8>()];
    let row = (part, moment, deed, any::<u8>(), any::<u8>());
    let row = row.prop_map(|(part, moment, deed, actor, key)| RowPlan {
        part,
        moment,
        deed,
        actor,
        key,
    });
    prop::collection::vec(row, 0..=count)
}

fn lost() -> impl Strategy<Value = Derived> {
    prop_oneof![
        Just(Derived::Index),
        Just(Derived::Accounting),
        Just(Derived::Analytics),
        Just(Derived::Notifier),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![4 => Just(Who::Fit), 1 => any::<u8>().prop_map(Who::Any)]
}

fn crash() -> impl Strategy<Value = Option<Crash>> {
    let crash = prop_oneof![
        Just(Crash::BeforeCommit),
        Just(Crash::BeforeHead),
        any::<u8>().prop_map(Crash::Torn)
    ];
    prop::option::weighted(0.12, crash)
}

fn stop() -> impl Strategy<Value = Stop> {
    prop_oneof![
        3 => Just(Stop::AtHead),
        2 => Just(Stop::OutOfTime),
        2 => any::<u8>().prop_map(Stop::Projected),
        1 => Just(Stop::Unstored),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let size = prop_oneof![
        Just(Size::Rest),
        Just(Size::Whole),
        Just(Size::Part),
        Just(Size::TooMuch),
        Just(Size::Nothing),
        Just(Size::WithoutReason),
    ];
    prop_oneof![
        2 => (0..8_u8, any::<u8>()).prop_map(|(login, role)| Deed::Register { login, role }),
        1 => (any::<u8>(), 0..3_u8).prop_map(|(user, name)| Deed::Rename { user, name }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(user, role)| Deed::SetRole { user, role }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(user, keep_tasks)| Deed::Deactivate { user, keep_tasks }),
        1 => any::<u8>().prop_map(|user| Deed::HandOver { user }),
        1 => any::<u8>().prop_map(|user| Deed::Reactivate { user }),
        10 => (any::<u8>(), any::<bool>()).prop_map(|(title, described)| Deed::Add { title, described }),
        4 => any::<[u8; 3]>().prop_map(|[task, texts, spelling]| Deed::Edit { task, texts, spelling }),
        2 => (any::<[u8; 2]>(), prop::bool::weighted(0.3)).prop_map(|([task, spelling], keep_fees)| {
            Deed::Cancel { task, keep_fees, spelling }
        }),
        9 => (prop::collection::vec(any::<u8>(), 1..4), any::<u8>())
            .prop_map(|(tasks, spelling)| Deed::Complete { tasks, spelling }),
        3 => Just(Deed::Reshuffle),
        4 => (any::<u8>(), size).prop_map(|(entry, size)| Deed::Correct { entry, size }),
        12 => about_letters(),
    ]
}

fn given_up() -> impl Strategy<Value = Step> {
    let consumer = prop_oneof![4 => Just(ACCOUNTING), 2 => Just(ANALYTICS), 1 => Just(NOTIFIER)];
    (consumer, any::<u8>()).prop_map(|(consumer, event)| Step::GivenUp { consumer, event })
}

fn about_letters() -> impl Strategy<Value = Deed> {
    let consumer = prop_oneof![
        6 => Just(None),
        2 => Just(Some(Consumer::Accounting)),
        1 => Just(Some(Consumer::Analytics)),
        1 => Just(Some(Consumer::Notifier)),
    ];
    let reason = prop_oneof![9 => Just(" it is clear now "), 1 => Just("  ")];
    (0..6_u8, any::<u8>(), consumer, reason).prop_map(
        |(what, event, consumer, reason)| match what {
            0 => Deed::SetAside {
                event,
                consumer,
                reason: Some(reason).filter(|_| event % 2 == 0),
            },
            1 | 2 => Deed::Retry {
                event,
                consumer,
                reason,
            },
            _ => Deed::Skip {
                event,
                consumer,
                reason,
            },
        },
    )
}

//! Bounds on the values of events, so that no calculation overflows, even with a forged log. The
//! schemas state the form of an event. A value out of bounds may have that form, but this program
//! never writes it.
//!
//! Invariant: no rule and no clock produces a value out of bounds, so this program can read
//! its own events.

use std::ops::RangeInclusive;

use jiff::civil::Date;

use crate::domain::event::{
    BalanceChanged, CompanyFounded, DayClosed, Event, PayoutMade, TaskSettled,
};
use crate::domain::id::Sequence;
use crate::domain::money::Money;
use crate::domain::time::{BusinessDate, EventTime};

/// Ten billion currency units in both directions: nine million events of this size fit into `i64`.
pub const MINOR_MAX: i64 = 1_000_000_000_000;
/// Bound for counts of tasks, users and entries: more than any log holds.
pub const COUNT_MAX: u64 = 1_000_000_000_000;
/// Bound for a task's assignments and a mail's attempts.
pub const ORDINAL_MAX: u32 = 1_000_000_000;
/// 9999-01-01T00:00:00Z in microseconds since 1970: every event is between 1970 and this time.
pub const END_MICROS: i64 = 253_370_764_800_000_000;
/// The dates of these times in any time zone, and some later ones.
pub const DATES: RangeInclusive<BusinessDate> = BusinessDate::new(Date::constant(1969, 12, 31))
    ..=BusinessDate::new(Date::constant(9999, 1, 31));

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OutOfBounds {
    #[error("{0} is no amount of money that an event states: the most is {most} either way", most = Money::from_minor(MINOR_MAX))]
    Money(Money),
    #[error("no price lies between {0} and {1}")]
    Prices(Money, Money),
    #[error("{0} is too large: the most is {COUNT_MAX}")]
    Count(u64),
    #[error("{0} is too large: the most is {ORDINAL_MAX}")]
    Ordinal(u32),
    #[error("sequence {0} is too large")]
    Sequence(Sequence),
    #[error("{0} is not in the years 1970 to 9998")]
    Time(EventTime),
    #[error("{0} is not in the years 1970 to 9998")]
    Date(BusinessDate),
}

type Checked = Result<(), OutOfBounds>;

/// # Errors
/// The first member that is out of bounds.
pub fn check(event: &Event) -> Checked {
    match event {
        Event::CompanyFounded(e) => company_founded(e),
        Event::UserRegistered(_)
        | Event::UserChanged(_)
        | Event::UserRoleChanged(_)
        | Event::UserDeactivated(_)
        | Event::UserReactivated(_)
        | Event::UserPasswordReset(_) => Ok(()),
        Event::TaskCreated(e) => count(e.number),
        Event::TaskChanged(_) => Ok(()),
        Event::TaskAssigned(e) => ordinal(e.assignment_no),
        Event::TasksReshuffled(e) => [e.open_tasks, e.eligible_users, e.moved]
            .into_iter()
            .try_for_each(count),
        Event::TaskCompleted(e) => ordinal(e.assignment_no),
        Event::TaskCancelled(_) => Ok(()),
        Event::TaskPriced(e) => money([e.fee, e.reward]),
        Event::BalanceChanged(e) => balance_changed(e),
        Event::TaskSettled(e) => task_settled(e),
        Event::PayoutMade(e) => payout_made(e),
        Event::DayClosed(e) => day_closed(e),
        Event::MailSent(e) => ordinal(e.attempt),
        Event::MailFailed(e) => ordinal(e.attempt),
        Event::EventSetAside(e) => sequence(e.target_sequence),
        Event::EventRetried(e) => sequence(e.target_sequence),
        Event::EventSkipped(e) => sequence(e.target_sequence),
    }
}

/// # Errors
/// [`OutOfBounds::Time`] if `time` is outside the years of events.
pub fn moment(time: EventTime) -> Checked {
    if (0..END_MICROS).contains(&time.micros()) {
        Ok(())
    } else {
        Err(OutOfBounds::Time(time))
    }
}

fn company_founded(e: &CompanyFounded) -> Checked {
    let range = &e.pricing;
    for (min, max) in [
        (range.fee_min, range.fee_max),
        (range.reward_min, range.reward_max),
    ] {
        money([min, max])?;
        if min.is_negative() || max < min {
            return Err(OutOfBounds::Prices(min, max));
        }
    }
    Ok(())
}

fn balance_changed(e: &BalanceChanged) -> Checked {
    money([e.amount, e.balance])?;
    date(e.business_date)?;
    moment(e.occurred_at)?;
    sequence(e.cause_sequence.unwrap_or_default())?;
    ordinal(e.assignment_no.unwrap_or_default())
}

fn task_settled(e: &TaskSettled) -> Checked {
    count(e.number)?;
    moment(e.completed_at)?;
    date(e.completed_on)?;
    sequence(e.completed_sequence)?;
    money([e.fee, e.reward, e.fees_charged])
}

fn payout_made(e: &PayoutMade) -> Checked {
    date(e.business_date)?;
    money([e.amount, e.opening, e.earned])
}

fn day_closed(e: &DayClosed) -> Checked {
    date(e.business_date)?;
    sequence(e.through_sequence)?;
    let counts = [
        e.entries,
        e.late_entries,
        e.payouts_count,
        e.accounts_negative,
        e.skipped_events,
    ];
    counts.into_iter().try_for_each(count)?;
    money([
        e.fees,
        e.rewards,
        e.corrections,
        e.management_earned,
        e.payouts_total,
        e.debt_carried,
    ])
}

fn money<const N: usize>(amounts: [Money; N]) -> Checked {
    let beyond = amounts
        .into_iter()
        .find(|amount| amount.minor().unsigned_abs() > MINOR_MAX.unsigned_abs());
    beyond.map_or(Ok(()), |amount| Err(OutOfBounds::Money(amount)))
}

fn count(count: u64) -> Checked {
    if count <= COUNT_MAX {
        Ok(())
    } else {
        Err(OutOfBounds::Count(count))
    }
}

fn ordinal(ordinal: u32) -> Checked {
    if ordinal <= ORDINAL_MAX {
        Ok(())
    } else {
        Err(OutOfBounds::Ordinal(ordinal))
    }
}

fn sequence(sequence: Sequence) -> Checked {
    if sequence <= Sequence::MAX {
        Ok(())
    } else {
        Err(OutOfBounds::Sequence(sequence))
    }
}

fn date(date: BusinessDate) -> Checked {
    if DATES.contains(&date) {
        Ok(())
    } else {
        Err(OutOfBounds::Date(date))
    }
}

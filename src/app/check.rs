//! `check`: the few numbers by which a monitoring system sees that the store is well, each beside its
//! limit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::App;
use crate::app::backup::generations::newest_manifest;
use crate::app::doctor::{Health, counted};
use crate::app::error::in_full;
use crate::app::status::Status;
use crate::domain::company::Company;

/// The limits; a greater value is a problem.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The time since the end of the first date that is not closed.
    pub close_age: Duration,
    /// The age of the first event that a consumer has not read.
    pub lag: Duration,
    /// The number of pay mails that were given up.
    pub mails: u64,
    /// The directory of a backup or of several, and the age of the last one.
    pub backup: Option<(PathBuf, Duration)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Count,
    Seconds,
}

/// A number and its judgement.
#[derive(Clone, Debug)]
pub struct Measure {
    pub name: &'static str,
    /// `None` if it cannot be read.
    pub value: Option<u64>,
    pub unit: Unit,
    /// A greater value is a problem.
    pub limit: Option<u64>,
    pub health: Health,
    /// The fault in words.
    pub finding: Option<String>,
}

impl Measure {
    fn new(name: &'static str, value: u64, unit: Unit) -> Measure {
        Measure {
            name,
            value: Some(value),
            unit,
            limit: None,
            health: Health::Ok,
            finding: None,
        }
    }

    /// A problem above `limit`, which `say` puts into words.
    fn up_to(mut self, limit: u64, say: impl FnOnce() -> String) -> Measure {
        self.limit = Some(limit);
        if self.value.is_some_and(|value| value > limit) {
            self.health = Health::Problem;
            self.finding = Some(say());
        }
        self
    }

    /// A warning above zero.
    fn worth_a_look(mut self, say: impl FnOnce() -> String) -> Measure {
        if self.value.is_some_and(|value| value > 0) {
            self.health = Health::Warning;
            self.finding = Some(say());
        }
        self
    }
}

impl App<'_> {
    /// Judges the status of the store, and the age of the backup if one is named.
    pub fn check(&self, status: &Status, company: &Company, limits: &Limits) -> Vec<Measure> {
        let mut measures = Vec::new();
        measures.extend(closes(status, limits.close_age).into_iter().flatten());
        measures.push(lag(status, limits.lag));
        measures.push(stopped(status));
        measures.push(set_aside(status));
        measures.extend(mails(status, limits.mails).into_iter().flatten());
        measures.push(clock(status));
        if let Some((path, age)) = &limits.backup {
            measures.push(self.backup_age(path, company, *age));
        }
        measures
    }

    fn backup_age(&self, path: &Path, company: &Company, limit: Duration) -> Measure {
        let unknown = |finding| Measure {
            value: None,
            health: Health::Problem,
            finding: Some(finding),
            ..Measure::new("backup_age", 0, Unit::Seconds)
        };
        match newest_manifest(path, company.id) {
            Ok(manifest) if manifest.company_id != company.id => unknown(format!(
                "{} is a backup of {}",
                path.display(),
                manifest.company
            )),
            Ok(manifest) => {
                let micros = manifest.made_at.micros_until(self.environment.now());
                let seconds = micros.max(0).unsigned_abs() / 1_000_000;
                Measure::new("backup_age", seconds, Unit::Seconds).up_to(limit.as_secs(), || {
                    format!("the last backup is {} old", in_words(seconds))
                })
            }
            Err(error) => unknown(in_full(&error)),
        }
    }
}

/// `None` if the tables of accounting cannot be read, which is a finding of its own.
fn closes(status: &Status, limit: Duration) -> Option<[Measure; 2]> {
    let open = status.open_dates?;
    let age = Measure::new("close_age", open.age_seconds, Unit::Seconds);
    let age = age.up_to(limit.as_secs(), || {
        let dates = counted(open.count, "date is", "dates are");
        let last = status
            .last_closed_date
            .map_or_else(|| "none".to_owned(), |date| date.to_string());
        format!("{dates} over and not closed (last close: {last})")
    });
    Some([Measure::new("open_dates", open.count, Unit::Count), age])
}

fn lag(status: &Status, limit: Duration) -> Measure {
    let slowest = status
        .consumers
        .iter()
        .max_by_key(|consumer| consumer.lag_seconds);
    let (name, seconds) = slowest.map_or(("", 0), |slowest| {
        (slowest.name, slowest.lag_seconds.max(0).unsigned_abs())
    });
    Measure::new("lag", seconds, Unit::Seconds).up_to(limit.as_secs(), || {
        format!("{name} is {} behind", in_words(seconds))
    })
}

fn stopped(status: &Status) -> Measure {
    let stops: Vec<String> = status
        .consumers
        .iter()
        .filter_map(|consumer| {
            Some(format!(
                "{}: {}",
                consumer.name,
                consumer.last_error.as_ref()?
            ))
        })
        .collect();
    let measure = Measure::new("consumers_stopped", stops.len() as u64, Unit::Count);
    measure.up_to(0, || stops.join("; "))
}

fn set_aside(status: &Status) -> Measure {
    let count = status.consumers.iter().map(|row| row.set_aside).sum();
    Measure::new("set_aside", count, Unit::Count).worth_a_look(|| {
        let events = counted(count, "event is", "events are");
        format!("{events} set aside (`popug-cli dlq list`)")
    })
}

/// `None` if the tables of the notifier cannot be read, which is a finding of its own.
fn mails(status: &Status, limit: u64) -> Option<[Measure; 2]> {
    let mails = status.mails.as_ref()?;
    let waiting = Measure::new("mails_waiting", mails.untried + mails.retrying, Unit::Count);
    let failed = Measure::new("mails_failed", mails.failed, Unit::Count).up_to(limit, || {
        let mails = counted(mails.failed, "pay mail was", "pay mails were");
        format!("{mails} given up (`popug-cli mail list`)")
    });
    Some([waiting, failed])
}

fn clock(status: &Status) -> Measure {
    let behind = status.clock_behind_seconds.max(0).unsigned_abs();
    Measure::new("clock_behind", behind, Unit::Seconds)
        .worth_a_look(|| format!("the clock is {} behind the last event", in_words(behind)))
}

/// Formats a time in the largest unit that fits into it twice: `119 seconds`, `2 minutes`.
pub fn in_words(seconds: u64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let fits = units.iter().find(|(length, _)| seconds >= 2 * length);
    fits.map_or_else(
        || format!("{seconds} seconds"),
        |(length, name)| format!("{} {name}", seconds / length),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit_of_which_there_are_two() {
        let told = [119, 120, 7_199, 7_200, 172_799, 172_800].map(in_words);
        let expected = [
            "119 seconds",
            "2 minutes",
            "119 minutes",
            "2 hours",
            "47 hours",
            "2 days",
        ];
        assert_eq!(told, expected);
    }
}

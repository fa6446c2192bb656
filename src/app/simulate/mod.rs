//! Simulates a company: finished days of a made-up past, for demonstrations, load and benchmarks.
//!
//! Everything goes through the rules, under one writer lock: `people` are registered, create
//! `errands` and complete them during `day`s; each day is closed after midnight.
//!
//! Invariant: the same seed on the same store gives the same events, including ids and times.

mod day;
mod errands;
mod people;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::rc::Rc;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use uuid::{Builder, Uuid};

use crate::app::identity::Caller;
use crate::app::timed_commands::{BatchAppender, HistoryClock};
use crate::app::{App, AppError};
use crate::consumers::WriterAccess;
use crate::consumers::accounting::Accounting;
use crate::consumers::run::{consume_accounting, consume_analytics};
use crate::domain::company::Company;
use crate::domain::dice::Dice;
use crate::domain::id::Sequence;
use crate::domain::role::Right;
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::event_log::Hash;
use crate::turn::index::index_at_head;
use day::Office;

/// The parameters of a simulation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Simulation {
    /// The number of finished days; the last one is yesterday.
    pub days: u32,
    /// The number of popugs to register.
    pub popugs: u32,
    pub tasks_per_day: u32,
    pub seed: u64,
}

/// The result of a simulation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Simulated {
    pub first_date: BusinessDate,
    pub last_date: BusinessDate,
    /// The number of commands, without closes.
    pub commands: u64,
    /// Including the events of accounting, without those of `after`.
    pub appended_events: u64,
    pub closed_dates: Vec<BusinessDate>,
}

impl App<'_> {
    /// Plays the days of `simulation` for `caller` and leaves all consumers at the head. `after` is
    /// called when everything is appended and no lock is held; it brings the notifier to the head.
    /// In a draft the consumers stay where they are. `progress` gets the number of finished days.
    ///
    /// # Errors
    /// [`AppError::NoRoom`] if the days would begin before the log's last event; nothing is
    /// appended.
    pub fn simulate(
        &self,
        caller: &Caller,
        simulation: &Simulation,
        after: &dyn Fn(&App<'_>) -> Result<(), AppError>,
        progress: &dyn Fn(u32),
    ) -> Result<Simulated, AppError> {
        caller.require(Right::Administer)?;
        if simulation.days == 0 {
            let message = "a simulation takes at least one day".to_owned();
            return Err(AppError::Usage {
                message,
                hint: None,
            });
        }
        let simulated =
            self.with_accounting(|accounting| self.play(caller, simulation, accounting, progress));
        let simulated = simulated.inspect_err(|error| self.settle_after(error))?;
        if self.log.is_draft() {
            return Ok(simulated);
        }
        after(self)?;
        consume_accounting(&self.around(), &mut WriterAccess::PerBatch)?;
        consume_analytics(&self.around())?;
        self.index()?;
        Ok(simulated)
    }

    fn play(
        &self,
        caller: &Caller,
        simulation: &Simulation,
        accounting: &mut Accounting<'_>,
        progress: &dyn Fn(u32),
    ) -> Result<Simulated, AppError> {
        let now = self.environment.now();
        let history_clock = HistoryClock::new(now);
        let appender = BatchAppender::open(self, &history_clock, Some(accounting))?;
        let index = index_at_head(&self.around())?;
        let admin = self.actor(&index, caller.user.id)?;
        admin.require(Right::Administer)?;
        let company = self.company(&index)?;
        let period = Period::of(simulation.days, &company, now, appender.last_time())?;
        let dice = SeededDice::new(simulation.seed, appender.head().sequence.next());
        let taken: HashSet<String> = index.users()?.into_iter().map(|user| user.login).collect();
        let mut office = Office::open(
            &index,
            appender,
            dice,
            Rc::new(admin),
            simulation.tasks_per_day,
        );
        office.hire(
            period.opens,
            simulation.popugs,
            people::Names::beside(taken),
        )?;
        for (date, done) in period.dates.iter().zip(1..) {
            office.work(&Hours::of(*date, &company.zone, now))?;
            progress(done);
        }
        Ok(Simulated {
            first_date: period.dates[0],
            last_date: period.dates[period.dates.len() - 1],
            commands: office.commands,
            appended_events: office.appended(),
            closed_dates: office.closed_dates,
        })
    }
}

/// The dates to play.
struct Period {
    dates: Vec<BusinessDate>,
    opens: EventTime,
}

impl Period {
    /// # Errors
    /// [`AppError::NoRoom`]
    fn of(
        days: u32,
        company: &Company,
        now: EventTime,
        last: Option<EventTime>,
    ) -> Result<Period, AppError> {
        let zone = &company.zone;
        let mut dates = Vec::new();
        let mut date = zone.date_of(now).previous();
        while dates.len() < days as usize {
            if zone.has_date(date) {
                dates.push(date);
            }
            date = date.previous();
        }
        dates.reverse();
        let opens = zone.end_of(dates[0].previous());
        match last {
            Some(last) if last > opens => Err(AppError::NoRoom {
                days,
                start: opens,
                last,
            }),
            _ => Ok(Period { dates, opens }),
        }
    }
}

/// The working hours of a date.
struct Hours {
    date: BusinessDate,
    /// Nine o'clock; never so early that it belongs to another date.
    begin: EventTime,
    end: EventTime,
    /// The date is closed between these two.
    over: EventTime,
    now: EventTime,
}

const HOUR_MICROS: i64 = 3_600_000_000;

impl Hours {
    fn of(date: BusinessDate, zone: &Zone, now: EventTime) -> Hours {
        let midnight = zone.end_of(date.previous());
        let at = |hours: i64| {
            EventTime::from_micros(midnight.micros() + hours * HOUR_MICROS)
                .expect("within the calendar")
        };
        Hours {
            date,
            begin: at(9),
            end: at(19),
            over: zone.end_of(date),
            now,
        }
    }
}

/// Dice that depend on a seed and a place in the log, so that a second simulation with the same
/// seed repeats no id.
struct SeededDice(ChaCha12Rng);

impl SeededDice {
    fn new(seed: u64, first: Sequence) -> SeededDice {
        let hash = Hash::of_bytes(format!("simulate/{seed}/{first}").as_bytes());
        let seed: [u8; 32] = hash.ascii()[..32].try_into().expect("32 of 64 digits");
        SeededDice(ChaCha12Rng::from_seed(seed))
    }
}

impl Dice for SeededDice {
    fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    fn uuid_v7(&mut self, at: EventTime) -> Uuid {
        let mut random = [0; 10];
        self.0.fill_bytes(&mut random);
        let millis = u64::try_from(at.micros() / 1_000).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

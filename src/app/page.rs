//! The page of a period for a caller: the reports that they may see, all from one opening of the tables.

use crate::app::AppError;
use crate::app::lists::board_table;
use crate::app::reports::{Reports, Request};
use crate::consumers::standing::Standing;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::period::{DateRange, Period, Unit};
use crate::domain::role::Right;
use crate::domain::time::BusinessDate;
use crate::reports::error::ReportError;
use crate::reports::name::ReportName;
use crate::reports::query::Dates;
use crate::reports::render::page::facts::{Page, Source};
use crate::reports::standouts;
use crate::state::Checkpoint;
use crate::store::Database;

/// The dates of a page without a period.
const DEFAULT: &str = "this month";
/// A chart with more dates shows whole weeks, and one with more weeks whole months.
const BARS_MAX: usize = 400;
/// The columns of the matrix.
const UNITS_MAX: usize = 12;
/// The rows of a list of tasks.
const TASKS_MAX: usize = 5;

/// The tables, open for reading.
struct Open {
    database: Database,
    standing: Standing,
    head: Sequence,
}

/// The tables of both consumers; those of analytics only if the caller may see a report from them.
struct Books<'a> {
    reports: &'a Reports<'a>,
    accounting: Open,
    analytics: Option<Open>,
}

impl Books<'_> {
    /// A report of these dates; `None` if the caller may not see it.
    fn load(
        &self,
        name: ReportName,
        dates: Dates,
        granularity: Option<Unit>,
        versus: Option<Dates>,
    ) -> Result<Option<Source>, AppError> {
        let Ok(user) = self.reports.visible_user(name, None) else {
            return Ok(None);
        };
        let open = match name.reads() {
            Consumer::Analytics => self
                .analytics
                .as_ref()
                .expect("opened for a visible report"),
            Consumer::Tracker | Consumer::Accounting | Consumer::Notifier => &self.accounting,
        };
        let request = Request {
            dates,
            granularity,
            versus,
            ..Request::of(name)
        };
        let sequences = (open.standing.through, open.head);
        let report = self
            .reports
            .make(&request, user, &open.database, sequences)?;
        Ok(Some(Source {
            command: command(name, dates, granularity, versus),
            report,
        }))
    }
}

/// The command line that shows the same report.
fn command(name: ReportName, dates: Dates, by: Option<Unit>, versus: Option<Dates>) -> String {
    let dates_of = |dates: Dates| match (dates, dates.period()) {
        (_, DateRange { from, to }) if from == to => from.map(|date| date.to_string()),
        (
            _,
            DateRange {
                from: Some(from),
                to: Some(to),
            },
        ) => Some(format!("{from}..{to}")),
        _ => None,
    };
    let mut words = vec!["report".to_owned(), name.name().to_owned()];
    words.extend(dates_of(dates));
    words.extend(by.map(|unit| format!("--by {}", unit.name())));
    words.extend(
        versus
            .and_then(dates_of)
            .map(|dates| format!("--vs {dates}")),
    );
    words.join(" ")
}

fn dates((from, to): (BusinessDate, BusinessDate)) -> Dates {
    if from == to {
        return Dates::On(from);
    }
    Dates::Range {
        from: Some(from),
        to: Some(to),
    }
}

/// The widest units of which at most `most` touch the dates, from the narrowest on.
fn unit_for(from: BusinessDate, to: BusinessDate, units: &[Unit], most: usize) -> Unit {
    let fits = |unit: &&Unit| unit.touching(from, to).len() <= most;
    units.iter().find(fits).copied().unwrap_or(Unit::Year)
}

impl Reports<'_> {
    /// Collects the reports of a page about `period`, by default this month. Also returns the progress of the tables.
    ///
    /// # Errors
    /// If the caller is a service user, no date of the company is in the period, or tables cannot be read.
    pub fn page(&self, period: Option<&Period>) -> Result<(Page, Vec<Standing>), AppError> {
        self.caller.require(Right::SeeTasks)?;
        let this_month: Period = DEFAULT.parse().expect("a period");
        let period = period.unwrap_or(&this_month);
        let (from, to) = self.clipped(period)?;
        let before = self.previous(ReportName::Pay, Some(period)).ok();
        let before = before.filter(|dates| dates.period().to >= Some(self.company.first_date));
        self.bring_to_head()?;
        let books = self.books()?;
        let now = dates((from, to));
        let compared = |name| books.load(name, now, None, before);
        let plain = |name| books.load(name, now, None, None);
        let unit = unit_for(from, to, &[Unit::Day, Unit::Week, Unit::Month], BARS_MAX);
        let earnings = compared(ReportName::Earnings)?;
        let bars = match unit {
            Unit::Day => None,
            unit => books.load(ReportName::Earnings, now, Some(unit), None)?,
        };
        let top_unit = unit_for(from, to, &Unit::ALL, UNITS_MAX);
        let connection = books.accounting.database.connection();
        let range = DateRange::of((from, to));
        let met = |error: ReportError| error.met_in(&books.accounting.database);
        let checkpoint = books.checkpoint()?;
        let page = Page {
            company: self.company.name.clone(),
            currency: self.company.currency.clone(),
            zone: self.company.zone.clone(),
            reader: self.caller.user.login.clone(),
            role: self.caller.user.role.to_string(),
            made_at: self.app.environment.now(),
            today: self.today(),
            period: (from, to),
            before: before.map(Dates::period),
            sequence: checkpoint.sequence,
            hash: checkpoint.hash.to_string(),
            head: books.accounting.head,
            handed_out: match (&earnings, unit) {
                (Some(_), Unit::Day) => {
                    standouts::handed_out_anew(connection, range).map_err(met)?
                }
                _ => Default::default(),
            },
            earnings,
            bars,
            negative: books.load(ReportName::Negative, Dates::On(to), None, None)?,
            pay: compared(ReportName::Pay)?.expect("everybody may see their own pay"),
            matrix: books.matrix(from, to)?,
            board: board_table(&self.caller.board(self.index, self.company, self.today())?),
            top: plain(ReportName::TopTask)?,
            top_by: books.load(ReportName::TopTask, now, Some(top_unit), None)?,
            fastest: standouts::fastest(connection, range, TASKS_MAX).map_err(met)?,
            oldest: standouts::oldest(connection, TASKS_MAX).map_err(met)?,
            people: plain(ReportName::People)?,
            flow: plain(ReportName::Flow)?,
            flow_before: match before {
                Some(before) => books.load(ReportName::Flow, before, None, None)?,
                None => None,
            },
            trial: books.load(ReportName::TrialBalance, Dates::Default, None, None)?,
        };
        Ok((page, books.standings()))
    }

    /// The dates of the company in `period`.
    fn clipped(&self, period: &Period) -> Result<(BusinessDate, BusinessDate), ReportError> {
        let (first, today) = (
            self.company.first_date,
            self.today().max(self.company.first_date),
        );
        let DateRange { from, to } = period.dates(today);
        let (from, to) = (
            from.unwrap_or(first).max(first),
            to.unwrap_or(today).min(today),
        );
        if to < from {
            return Err(ReportError::NoDates { first, today });
        }
        Ok((from, to))
    }

    fn books(&self) -> Result<Books<'_>, AppError> {
        let open = |consumer| -> Result<Open, AppError> {
            let (database, standing, head) = self.read(consumer)?;
            Ok(Open {
                database,
                standing,
                head,
            })
        };
        let needs_analytics = self
            .visible()
            .any(|name| name.reads() == Consumer::Analytics);
        Ok(Books {
            reports: self,
            accounting: open(Consumer::Accounting)?,
            analytics: needs_analytics
                .then(|| open(Consumer::Analytics))
                .transpose()?,
        })
    }
}

impl Books<'_> {
    /// The pay sheets of the last months, quarters or years up to `to`, which reach back to `from` if they can.
    fn matrix(&self, from: BusinessDate, to: BusinessDate) -> Result<Vec<Source>, AppError> {
        let first = self.reports.company.first_date;
        let unit = unit_for(from, to, &[Unit::Month, Unit::Quarter], UNITS_MAX);
        let mut units = Vec::new();
        let mut end = to;
        while units.len() < UNITS_MAX && end >= first {
            let (start, _) = unit.around(end);
            units.push((start.max(first), end));
            end = start.previous();
        }
        units.reverse();
        let sheets = units
            .into_iter()
            .map(|unit| self.load(ReportName::Pay, dates(unit), None, None));
        sheets.filter_map(Result::transpose).collect()
    }

    /// The last event that all tables include.
    fn checkpoint(&self) -> Result<Checkpoint, AppError> {
        let opened = [Some(&self.accounting), self.analytics.as_ref()];
        let mut checkpoints = Vec::new();
        for open in opened.into_iter().flatten() {
            checkpoints.push(open.database.checkpoint()?);
        }
        let least = checkpoints
            .into_iter()
            .min_by_key(|checkpoint| checkpoint.sequence);
        Ok(least.expect("accounting has a checkpoint"))
    }

    fn standings(self) -> Vec<Standing> {
        let opened = [Some(self.accounting), self.analytics];
        opened
            .into_iter()
            .flatten()
            .map(|open| open.standing)
            .collect()
    }
}

//! Reports for a caller: the right to see them, their tables, and the last event that these
//! include.

use std::io::Write;

use crate::app::identity::Caller;
use crate::app::{App, AppError};
use crate::consumers::standing::Standing;
use crate::consumers::table_file::{open_to_read, project_through};
use crate::consumers::withheld::Withheld;
use crate::domain::company::{Company, FOUNDED};
use crate::domain::event::Consumer;
use crate::domain::id::{Sequence, UserId};
use crate::domain::period::{DateRange, Period, Unit};
use crate::domain::role::Right;
use crate::domain::time::BusinessDate;
use crate::reports::Report;
use crate::reports::arrangement::Arrangement;
use crate::reports::comparison;
use crate::reports::error::ReportError;
use crate::reports::journal::{self, Dialect};
use crate::reports::name::ReportName;
use crate::reports::query::{Dates, Query};
use crate::state::StateIndex;
use crate::store::{Database, Tables};

/// The report that a caller asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub name: ReportName,
    pub dates: Dates,
    pub granularity: Option<Unit>,
    /// The dates with which these are compared.
    pub versus: Option<Dates>,
    /// Only the rows of this user.
    pub user: Option<UserId>,
    pub arrangement: Arrangement,
}

impl Request {
    /// All rows that the caller may see, for the report's default dates.
    pub fn of(name: ReportName) -> Request {
        Request {
            name,
            dates: Dates::Default,
            granularity: None,
            versus: None,
            user: None,
            arrangement: Arrangement::default(),
        }
    }

    fn check(&self) -> Result<(), ReportError> {
        if self.granularity.is_some() && !self.name.takes_granularity() {
            return Err(ReportError::NoOption(self.name.name(), "--period"));
        }
        if self.user.is_some() && !self.name.takes_user() {
            return Err(ReportError::NoOption(self.name.name(), "--user"));
        }
        self.dates.check()
    }
}

/// The reports of a store, for one caller.
#[derive(Clone, Copy)]
pub struct Reports<'a> {
    pub app: &'a App<'a>,
    pub index: &'a StateIndex,
    pub company: &'a Company,
    pub caller: &'a Caller,
    /// Whether tables are brought to the head before they are read.
    pub are_current: bool,
}

/// The books, open for reading, and the last event that they include.
pub struct Journal {
    database: Database,
    pub standing: Standing,
    /// The head when the journal was asked for.
    pub head: Sequence,
}

impl Journal {
    /// # Errors
    /// If tables cannot be read, or `out` cannot be written.
    pub fn write(&self, dialect: Dialect, out: &mut dyn Write) -> Result<(), ReportError> {
        let (database, through) = (&self.database, self.standing.through);
        journal::write(database.connection(), dialect, through, out)
            .map_err(|error| error.met_in(database))
    }
}

impl Reports<'_> {
    /// The dates that `period` means today, and whether some were left out: a range reaches from the company's first
    /// date to today.
    pub fn dates(&self, period: &Period) -> (Dates, bool) {
        let (first, today) = (self.company.first_date, self.today());
        let asked = period.dates(today);
        let (from, to) = (asked.from, asked.to);
        if let Some(date) = from.filter(|_| from == to) {
            return (Dates::On(date), false);
        }
        let is_outside = to.is_some_and(|to| to < first)
            || from.is_some_and(|from| from > today)
            || from.zip(to).is_some_and(|(from, to)| to < from);
        if is_outside {
            return (Dates::Range { from, to }, false);
        }
        let from = from.map(|from| from.max(first));
        let to = to.map(|to| to.min(today));
        (Dates::Range { from, to }, DateRange { from, to } != asked)
    }

    /// The dates before those of `period`: the unit before a whole unit, otherwise as many dates. Without a period, those
    /// before the dates that the report shows by default.
    ///
    /// # Errors
    /// [`ReportError::NothingToCompare`] if these dates have no beginning or no end.
    pub fn previous(
        &self,
        name: ReportName,
        period: Option<&Period>,
    ) -> Result<Dates, ReportError> {
        let today = self.today();
        let DateRange { from, to } = match (period, name) {
            (Some(period), _) => period.dates(today),
            (None, ReportName::Earnings) => DateRange::of((today, today)),
            (None, ReportName::Pay) => DateRange::of(Unit::Month.around(today)),
            (None, _) => DateRange::default(),
        };
        let (Some(from), Some(to)) = (from, to) else {
            return Err(ReportError::NothingToCompare(name.name()));
        };
        let mut units = Unit::ALL.into_iter();
        let end = from.previous();
        let (from, to) = match units.find(|unit| unit.around(from) == (from, to)) {
            Some(unit) => unit.around(end),
            None => {
                let days = i64::from(to.epoch_days()) - i64::from(from.epoch_days());
                (end.plus_days(-days), end)
            }
        };
        Ok(if from == to {
            Dates::On(from)
        } else {
            Dates::Range {
                from: Some(from),
                to: Some(to),
            }
        })
    }

    /// The company's date now.
    pub fn today(&self) -> BusinessDate {
        self.company.zone.date_of(self.app.environment.now())
    }

    /// Makes a report. Also returns the progress of its tables.
    ///
    /// # Errors
    /// If the caller may not see it, the report does not have the option or range of dates, or its
    /// tables cannot be read.
    pub fn load(&self, request: &Request) -> Result<(Report, Standing), AppError> {
        let user = self.visible_user(request.name, request.user)?;
        request.check()?;
        let (database, standing, head) = self.read(request.name.reads())?;
        let mut report = self.make(request, user, &database, (standing.through, head))?;
        report.pages.read_from(database);
        Ok((report, standing))
    }

    /// Makes a report from open tables, which include the events up to the first of `sequences`; the second is the head.
    /// `user` is the one whose rows the caller may see.
    pub(super) fn make(
        &self,
        request: &Request,
        user: Option<UserId>,
        database: &Database,
        (as_of_sequence, head_sequence): (Sequence, Sequence),
    ) -> Result<Report, AppError> {
        let query = Query {
            dates: request.dates,
            granularity: request.granularity,
            user,
            today: self.today(),
            as_of_sequence,
            head_sequence,
        };
        let connection = database.connection();
        let report = request.name.load(connection, &query);
        let report = report.and_then(|report| match request.versus {
            Some(dates) => {
                let other = request.name.load(connection, &Query { dates, ..query })?;
                comparison::compare(request.name, report, &other)
            }
            None => Ok(report),
        });
        let report = report.and_then(|report| request.arrangement.apply(report, Some(connection)));
        let mut report = report.map_err(|error| error.met_in(database))?;
        report.company.clone_from(&self.company.name);
        Ok(report)
    }

    /// The reports that the caller may see.
    pub fn visible(&self) -> impl Iterator<Item = ReportName> {
        ReportName::ALL
            .into_iter()
            .filter(|name| self.visible_user(*name, None).is_ok())
    }

    /// The books for plain-text accounting.
    ///
    /// # Errors
    /// If the caller may not export them, or the tables cannot be read.
    pub fn journal(&self) -> Result<Journal, AppError> {
        self.caller.require(Right::ExportJournal)?;
        let (database, standing, head) = self.read(Consumer::Accounting)?;
        Ok(Journal {
            database,
            standing,
            head,
        })
    }

    /// Opens the tables of a consumer. Also returns the head when they were asked for.
    pub(super) fn read(
        &self,
        consumer: Consumer,
    ) -> Result<(Database, Standing, Sequence), AppError> {
        let head = self.app.log.head()?.sequence;
        let (mut database, mut standing) = self.open(consumer)?;
        if self.are_current && self.is_behind(consumer, head, &standing)? {
            drop(database);
            self.app.consume_at_once(self.company, consumer)?;
            (database, standing) = self.open(consumer)?;
        }
        let head = head.max(standing.through);
        Ok((database, standing, head))
    }

    /// Opens the tables of a consumer. Before the first complete `consume` they show the founding:
    /// the file is missing, or a `consume` that was refused or killed left its tables empty.
    pub(super) fn open(&self, consumer: Consumer) -> Result<(Database, Standing), AppError> {
        let withheld = self.app.withheld(self.index, consumer)?;
        let tables = match consumer {
            Consumer::Analytics => Tables::Analytics,
            Consumer::Tracker | Consumer::Accounting | Consumer::Notifier => Tables::Accounting,
        };
        let mut database = open_to_read(&self.app.around(), tables)?;
        if database.checkpoint()?.sequence == Sequence::ZERO {
            // The file is open for reading only, so its empty tables cannot be filled.
            drop(database);
            database = Database::in_memory(tables)?;
            let nothing = Withheld::nothing(consumer);
            project_through(&self.app.around(), &database, tables, nothing, FOUNDED)?;
        }
        let standing = Standing::of_tables(&database, &withheld)?;
        Ok((database, standing))
    }

    /// The user whose rows the caller may see; `None` means all users.
    pub(super) fn visible_user(
        &self,
        name: ReportName,
        asked: Option<UserId>,
    ) -> Result<Option<UserId>, AppError> {
        let (caller, own) = (self.caller, self.caller.user.id);
        let right = match name {
            ReportName::Balances
            | ReportName::Payouts
            | ReportName::Statement
            | ReportName::Pay
            | ReportName::Payslip => {
                if caller.may(Right::SeeAllMoney) {
                    return Ok(asked.or_else(|| name.needs_user().then_some(own)));
                }
                caller.require(Right::SeeOwnMoney)?;
                if asked.is_some_and(|user| user != own) {
                    caller.require(Right::SeeAllMoney)?;
                }
                return Ok(Some(own));
            }
            ReportName::Earnings
            | ReportName::Entries
            | ReportName::TrialBalance
            | ReportName::Closes => Right::SeeBooks,
            ReportName::Negative | ReportName::TopTask | ReportName::People | ReportName::Flow => {
                Right::SeeAnalytics
            }
            ReportName::Tasks => Right::SeeTasks,
        };
        caller.require(right)?;
        Ok(asked)
    }
}

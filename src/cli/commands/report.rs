//! `report`

use clap::{Args, ValueEnum};

use crate::app::App;
use crate::app::command::known_user;
use crate::cli::commands::reach::Reach;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::{Named, parse_date};
use crate::cli::invocation::{Desk, Invocation};
use crate::consumers::run::{self, check_on_chain, project_through};
use crate::consumers::withheld::Withheld;
use crate::domain::company::FOUNDED;
use crate::domain::event::Consumer;
use crate::domain::id::{Sequence, UserId};
use crate::domain::role::Right;
use crate::domain::time::BusinessDate;
use crate::reports::error::ReportError;
use crate::reports::name::ReportName;
use crate::reports::query::{Dates, Granularity, Query};
use crate::reports::table::{Report, Value};
use crate::store::{Database, Tables, is_damage};

#[derive(Args, Debug)]
pub struct ReportArgs {
    /// balances, earnings, negative, top-task, payouts, statement, entries, trial-balance, closes or tasks
    #[arg(value_parser = Named::new(parse_name, ReportName::ALL.map(ReportName::name)), hide_possible_values = true)]
    name: ReportName,
    #[command(flatten)]
    dates: DateArgs,
    /// Rows by whole days, ISO weeks or calendar months (earnings, top-task)
    #[arg(long, value_enum)]
    period: Option<PeriodArg>,
    /// Only this user
    #[arg(long, value_name = "LOGIN")]
    user: Option<String>,
}

/// Business dates; both ends of a range are included.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct DateArgs {
    /// One business date; balances and people are shown as they were at its end
    #[arg(long, value_name = "DATE", value_parser = parse_date, conflicts_with_all = ["from", "to"])]
    date: Option<BusinessDate>,
    /// First business date
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    from: Option<BusinessDate>,
    /// Last business date
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    to: Option<BusinessDate>,
}

impl DateArgs {
    fn dates(self) -> Dates {
        match (self.date, self.from, self.to) {
            (Some(date), _, _) => Dates::On(date),
            (None, None, None) => Dates::Default,
            (None, from, to) => Dates::Range { from, to },
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum PeriodArg {
    Day,
    Week,
    Month,
}

fn parse_name(text: &str) -> Result<ReportName, String> {
    text.parse().map_err(|_| {
        let names: Vec<_> = ReportName::ALL.into_iter().map(ReportName::name).collect();
        format!("the reports are {}", names.join(", "))
    })
}

impl ReportArgs {
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let desk = invocation.desk()?;
        let asked = self
            .user
            .as_deref()
            .map(|name| desk.ask(|index| known_user(index, name)))
            .transpose()?;
        let user = visible_user(&desk, self.name, asked.map(|user| user.id))?;
        let granularity = self.period.map(|period| match period {
            PeriodArg::Day => Granularity::Day,
            PeriodArg::Week => Granularity::Week,
            PeriodArg::Month => Granularity::Month,
        });
        if granularity.is_some() && !self.name.takes_granularity() {
            return Err(Failure::usage(format!(
                "`report {}` has no --period",
                self.name.name()
            )));
        }
        let (dates, began) = (self.dates.dates(), desk.company.first_date);
        let (report, reach) = load(&desk, self.name, dates, granularity, user)?;
        if let Dates::On(date) = dates
            && date < began
        {
            let remark = format!("the company began on {began}: nothing is there before that date");
            invocation.reporter.remark(&remark);
        }
        reach.tell(invocation.reporter, report.head_sequence);
        invocation.emit(&report)?;
        Ok(if balances(&report) {
            Exit::Done
        } else {
            Exit::Findings
        })
    }
}

/// Whose rows the caller gets to see: `None` is everybody's.
///
/// # Errors
/// Exit 5 without the right.
pub fn visible_user(
    desk: &Desk<'_>,
    name: ReportName,
    asked: Option<UserId>,
) -> Result<Option<UserId>, Failure> {
    match name {
        ReportName::Balances | ReportName::Payouts | ReportName::Statement => {
            let own = desk.caller.user.id;
            if desk.caller.may(Right::SeeAllMoney) {
                return Ok(asked.or_else(|| (name == ReportName::Statement).then_some(own)));
            }
            desk.caller.require(Right::SeeOwnMoney)?;
            if asked.is_some_and(|user| user != own) {
                desk.caller.require(Right::SeeAllMoney)?;
            }
            Ok(Some(own))
        }
        ReportName::Earnings
        | ReportName::Entries
        | ReportName::TrialBalance
        | ReportName::Closes => {
            desk.caller.require(Right::SeeBooks)?;
            Ok(asked)
        }
        ReportName::Negative | ReportName::TopTask => {
            desk.caller.require(Right::SeeAnalytics)?;
            Ok(asked)
        }
        ReportName::Tasks => {
            desk.caller.require(Right::SeeTasks)?;
            Ok(asked)
        }
    }
}

/// Opens the consumer's file, loads the report and closes the file again.
///
/// # Errors
/// Tables of another log, or that cannot be read.
pub fn load(
    desk: &Desk<'_>,
    name: ReportName,
    dates: Dates,
    granularity: Option<Granularity>,
    user: Option<UserId>,
) -> Result<(Report, Reach), Failure> {
    if let (true, false) = (user.is_some(), name.takes_user()) {
        return Err(Failure::usage(format!(
            "`report {}` has no --user",
            name.name()
        )));
    }
    let app = &desk.app;
    let query = Query {
        dates,
        granularity,
        user,
        today: desk.company.zone.date_of(app.environment.now()),
        head_sequence: app.log.head()?.sequence,
    };
    query.check()?;
    let database = open_for_report(app, name.reads())?;
    let mut report = name
        .load(database.connection(), &query)
        .map_err(|error| match error {
            ReportError::Tables(source) if is_damage(&source) => {
                Failure::from(database.failed("read")(source))
            }
            other => other.into(),
        })?;
    let reach = Reach::of(desk, name.reads(), &database)?;
    report.pages.read_from(database);
    Ok((
        Report {
            as_of_sequence: reach.through,
            ..report
        },
        reach,
    ))
}

/// The tables of a report. Before the first `consume` that is carried out they are as of the founding: the file is
/// missing, or a `consume` that was refused or killed has left its tables empty.
///
/// # Errors
/// As [`open_to_read`].
pub fn open_for_report(app: &App<'_>, consumer: Consumer) -> Result<Database, Failure> {
    let database = open_to_read(app, consumer)?;
    if database.checkpoint()?.sequence > Sequence::ZERO {
        return Ok(database);
    }
    // A file is opened for reading only, so its empty tables cannot be filled.
    drop(database);
    let tables = tables_of(consumer);
    let founding = Database::in_memory(tables)?;
    project_through(
        &app.around(),
        &founding,
        tables,
        Withheld::nothing(consumer),
        FOUNDED,
    )?;
    Ok(founding)
}

/// # Errors
/// If the file is locked, damaged, made from another log or by another version of the program.
pub fn open_to_read(app: &App<'_>, consumer: Consumer) -> Result<Database, Failure> {
    let tables = tables_of(consumer);
    let database = run::open_to_read(&app.around(), tables)?;
    if !database.is_current()? {
        return Err(of_another_version(consumer, &database));
    }
    check_on_chain(&app.around(), consumer, &database.checkpoint()?)?;
    Ok(database)
}

fn of_another_version(consumer: Consumer, database: &Database) -> Failure {
    let path = database.path().display();
    Failure::new(
        Exit::Failure,
        "tables_of_another_version",
        format!("{path} was made by another version of popug-cli"),
    )
    .hint(format!(
        "`popug-cli consume {}` makes the tables anew from the log",
        consumer.name()
    ))
}

const fn tables_of(consumer: Consumer) -> Tables {
    match consumer {
        Consumer::Analytics => Tables::Analytics,
        Consumer::Tracker | Consumer::Accounting | Consumer::Notifier => Tables::Accounting,
    }
}

/// What a consumer leaves out.
///
/// # Errors
/// If it is not known, or the log cannot be read.
pub fn withheld(desk: &Desk<'_>, consumer: Consumer) -> Result<Withheld, Failure> {
    Ok(Withheld::of(
        &desk.app.log,
        consumer,
        &desk.ask(|index| Ok(index.resolutions()?))?,
    )?)
}

/// A trial balance whose totals differ is a finding.
fn balances(report: &Report) -> bool {
    let total = |name: &str| {
        report
            .totals
            .iter()
            .find(|(total, _)| *total == name)
            .map(|(_, value)| value)
    };
    match (report.name, total("debit"), total("credit")) {
        ("trial-balance", Some(Value::Money(debit)), Some(Value::Money(credit))) => debit == credit,
        _ => true,
    }
}

//! `report`

use std::path::PathBuf;

use clap::Args;

use crate::app::command::known_user;
use crate::app::reports::{Reports, Request};
use crate::cli::commands::{page, payslips};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::{Named, one_of, parse_period};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::rows::RowArgs;
use crate::cli::tips::meant;
use crate::domain::period::{Period, Unit};
use crate::reports::error::ReportError;
use crate::reports::name::ReportName;
use crate::reports::query::Dates;
use crate::reports::render::{Excel, Format, Options};

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// balances, earnings, negative, top-task, payouts, statement, entries, trial-balance, closes, tasks, pay, payslip, people, flow, or page: the charts and tables of a period in one HTML file
    #[arg(value_parser = Named::new(parse_name, Wanted::NAMES), hide_possible_values = true)]
    name: Wanted,
    #[command(flatten)]
    dates: DateArgs,
    /// One row per day, ISO week, month, quarter or year (earnings, top-task, flow)
    #[arg(long, visible_alias = "by", value_name = "UNIT", value_parser = one_of(&Unit::ALL, Unit::name))]
    period: Option<Unit>,
    /// Compare with this period, or with the `previous` one (earnings, balances, pay, tasks)
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    vs: Option<String>,
    /// Only rows of this user
    #[arg(long, value_name = "LOGIN")]
    user: Option<String>,
    /// One file for each user (payslip), in the directory of --dir; -o sets the format, html by default
    #[arg(long, requires = "dir", conflicts_with = "user")]
    all: bool,
    /// The directory of the files of --all
    #[arg(long, value_name = "DIR", requires = "all")]
    dir: Option<PathBuf>,
    /// CSV as Excel of this country opens it: separator, decimal sign, local dates and times
    #[arg(long, value_name = "COUNTRY", num_args = 0..=1, require_equals = true, default_missing_value = "en", value_parser = one_of(&Excel::ALL, Excel::name))]
    excel: Option<Excel>,
    #[command(flatten)]
    rows: RowArgs,
    #[command(flatten)]
    tables: TablesArgs,
}

/// Which state of the tables a report shows.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct TablesArgs {
    /// Show the tables as they are; by default new events are consumed first if that takes about a second or less
    #[arg(long)]
    no_consume: bool,
}

impl TablesArgs {
    /// The reports of a store, from tables in this state.
    pub(super) fn reports<'s>(self, store: &'s OpenStore<'_>) -> Reports<'s> {
        Reports {
            are_current: !self.no_consume,
            ..store.reports()
        }
    }
}

/// Business dates; both ends of a range are included.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct DateArgs {
    /// The dates: 2026-11-22, 2026-11, november, 2026-Q4, yesterday, last week, -7d, 2026-04..2026-06
    #[arg(value_name = "PERIOD", num_args = 0..)]
    when: Vec<String>,
    /// The same. For one date, balances, names, roles and activity are those at its end
    #[arg(long, value_name = "PERIOD", value_parser = parse_period, allow_hyphen_values = true, conflicts_with_all = ["from", "to", "when"])]
    date: Option<Period>,
    /// First business date, or the period that begins with it
    #[arg(long, value_name = "PERIOD", value_parser = parse_period, allow_hyphen_values = true, conflicts_with = "when")]
    from: Option<Period>,
    /// Last business date, or the period that ends with it
    #[arg(long, value_name = "PERIOD", value_parser = parse_period, allow_hyphen_values = true, conflicts_with = "when")]
    to: Option<Period>,
}

impl DateArgs {
    /// The period that was asked for.
    fn period(self) -> Result<Option<Period>, Failure> {
        let end = |end: Option<Period>| end.map_or_else(String::new, |period| period.to_string());
        let asked = match (self.date, self.from, self.to) {
            (Some(date), _, _) => return Ok(Some(date)),
            (None, None, None) => self.when.join(" "),
            (None, from, to) => format!("{}..{}", end(from), end(to)),
        };
        if asked.is_empty() {
            return Ok(None);
        }
        let period = parse_period(&asked).map_err(Failure::usage)?;
        Ok(Some(period))
    }
}

/// A report, or the page of many.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Report(ReportName),
    Page,
}

const PAGE: &str = "page";

impl Wanted {
    const NAMES: [&str; ReportName::ALL.len() + 1] = {
        let mut names = [PAGE; ReportName::ALL.len() + 1];
        let mut place = 0;
        while place < ReportName::ALL.len() {
            names[place] = ReportName::ALL[place].name();
            place += 1;
        }
        names
    };
}

fn parse_name(text: &str) -> Result<Wanted, String> {
    if text == PAGE {
        return Ok(Wanted::Page);
    }
    let found = text.parse().map(Wanted::Report);
    found.map_err(|_| {
        let meant = meant(text, Wanted::NAMES);
        let meant = meant.map_or_else(String::new, |name| format!("did you mean `{name}`? "));
        format!("{meant}the reports are {}", Wanted::NAMES.join(", "))
    })
}

impl ReportArgs {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let narrowing = match self.name {
            Wanted::Report(name) if name.takes_user() => "--from, --to or --user",
            Wanted::Report(_) | Wanted::Page => "--from and --to",
        };
        let shown = match self.name {
            Wanted::Report(name) => self.show(name, invocation),
            Wanted::Page => self.show_page(invocation),
        };
        shown.map_err(|failure| failure.hint_of_memory(narrowing))
    }

    fn show_page(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let options = [
            ("--period", self.period.is_some()),
            ("--vs", self.vs.is_some()),
            ("--user", self.user.is_some()),
            ("--all", self.all),
            ("--excel", self.excel.is_some()),
            (
                "--columns, --sort or --limit",
                !self.rows.arrangement().is_default(),
            ),
        ];
        if let Some((option, _)) = options.into_iter().find(|(_, is_given)| *is_given) {
            return Err(ReportError::NoOption(PAGE, option).into());
        }
        let store = invocation.store()?;
        let period = self.dates.period()?;
        page::write(invocation, &self.tables.reports(&store), period.as_ref())
    }

    fn show(self, name: ReportName, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        if self.excel.is_some() && invocation.format() != Format::Csv {
            return Err(Failure::usage("--excel is for CSV").hint("add -o csv, or --out FILE.csv"));
        }
        let store = invocation.store()?;
        let asked = self
            .user
            .as_deref()
            .map(|name| known_user(&store.index, name))
            .transpose()?;
        let (period, began) = (self.dates.period()?, store.company.first_date);
        let reports = self.tables.reports(&store);
        let (dates, is_clipped) = match &period {
            Some(period) => reports.dates(period),
            None => (Dates::Default, false),
        };
        let versus = match self.vs.as_deref() {
            None => None,
            Some("previous") => Some(reports.previous(name, period.as_ref())?),
            Some(other) => {
                let other = parse_period(other).map_err(Failure::usage)?;
                Some(reports.dates(&other).0)
            }
        };
        let request = Request {
            name,
            versus,
            dates,
            granularity: self.period,
            user: asked.map(|user| user.id),
            arrangement: self.rows.arrangement(),
        };
        if let Some(dir) = &self.dir {
            return payslips::write(invocation, &reports, &request, dir);
        }
        let (mut report, standing) = reports.load(&request)?;
        report.asked = period.map(|period| period.to_string());
        if is_clipped {
            let today = reports.today();
            let note = format!("the company's dates are {began} to {today}; no others are shown");
            invocation.reporter.note(&note);
        }
        if let Dates::On(date) = dates
            && date < began
        {
            let remark = format!("the company began on {began}: nothing is there before that date");
            invocation.reporter.remark(&remark);
        }
        invocation.tell_gaps(&standing, report.head_sequence);
        let excel = self.excel;
        invocation.emit_with(
            &report,
            Options {
                excel,
                ..invocation.options()
            },
        )?;
        Ok(if report.adds_up {
            Exit::Done
        } else {
            Exit::Findings
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_fits_nowhere_names_the_options_of_a_report() {
        let tables = duckdb::Connection::open_in_memory().unwrap();
        tables
            .execute_batch("SET memory_limit = '1MB'; SET temp_directory = ''")
            .unwrap();
        let error = tables
            .execute_batch("CREATE TABLE t AS SELECT range::TEXT AS n FROM range(3000000)")
            .unwrap_err();
        let failure = Failure::from(ReportError::Tables(error));
        assert_eq!(
            (failure.code.as_str(), failure.hints.len()),
            ("out_of_memory", 1)
        );
        let hints = failure.hint_of_memory("--from and --to").hints;
        assert!(hints[1].ends_with("with --from and --to"), "{hints:?}");
        let other = Failure::usage("x").hint_of_memory("--from and --to");
        assert!(other.hints.is_empty());
    }
}

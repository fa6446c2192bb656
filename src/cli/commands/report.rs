//! `report`

use clap::Args;

use crate::app::command::known_user;
use crate::app::reports::Request;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::{Named, one_of, parse_date};
use crate::cli::invocation::Invocation;
use crate::domain::time::BusinessDate;
use crate::reports::Report;
use crate::reports::name::ReportName;
use crate::reports::query::{Dates, Granularity};
use crate::reports::table::Value;

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// balances, earnings, negative, top-task, payouts, statement, entries, trial-balance, closes or tasks
    #[arg(value_parser = Named::new(parse_name, ReportName::ALL.map(ReportName::name)), hide_possible_values = true)]
    name: ReportName,
    #[command(flatten)]
    dates: DateArgs,
    /// One row per day, ISO week or calendar month (earnings, top-task)
    #[arg(long, value_parser = one_of(&Granularity::ALL, Granularity::name))]
    period: Option<Granularity>,
    /// Only rows of this user
    #[arg(long, value_name = "LOGIN")]
    user: Option<String>,
}

/// Business dates; both ends of a range are included.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(super) struct DateArgs {
    /// One business date; balances, names, roles and activity are those at its end
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

fn parse_name(text: &str) -> Result<ReportName, String> {
    text.parse().map_err(|_| {
        let names: Vec<_> = ReportName::ALL.into_iter().map(ReportName::name).collect();
        format!("the reports are {}", names.join(", "))
    })
}

impl ReportArgs {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        let asked = self
            .user
            .as_deref()
            .map(|name| known_user(&store.index, name))
            .transpose()?;
        let (dates, began) = (self.dates.dates(), store.company.first_date);
        let (report, standing) = store.reports().load(&Request {
            name: self.name,
            dates,
            granularity: self.period,
            user: asked.map(|user| user.id),
        })?;
        if let Dates::On(date) = dates
            && date < began
        {
            let remark = format!("the company began on {began}: nothing is there before that date");
            invocation.reporter.remark(&remark);
        }
        invocation.tell_gaps(&standing, report.head_sequence);
        invocation.emit(&report)?;
        Ok(if balances(&report) {
            Exit::Done
        } else {
            Exit::Findings
        })
    }
}

/// Whether the totals of a trial balance are equal; otherwise that is a finding.
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

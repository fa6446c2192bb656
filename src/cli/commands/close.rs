//! `close`

use clap::Args;

use crate::cli::commands::report::parse_date;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, done};
use crate::consumers::accounting::Closed;
use crate::domain::time::BusinessDate;
use crate::reports::error::ReportError;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub struct Close {
    /// Close open dates up to and including this one; by default every finished one
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    date: Option<BusinessDate>,
}

impl Close {
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let desk = invocation.desk()?;
        invocation.refuse_dry_run()?;
        let closed = desk.app.close(&desk.caller, self.date)?;
        let already = self.date.filter(|date| closed.last().is_none_or(|last| last.day.business_date < *date));
        invocation.emit(&done(&desk, "close", table(&closed, already)?)?)?;
        Ok(Exit::Done)
    }
}

fn table(closed: &[Closed], already: Option<BusinessDate>) -> Result<Table, ReportError> {
    let dates = closed.iter().map(|closed| Some(closed.day.business_date)).chain(already.map(Some));
    let results = closed.iter().map(|_| Some("closed")).chain(already.map(|_| Some("already_closed")));
    let none = || already.map(|_| None);
    Ok(Table::builder()
        .date("date", dates)
        .text("result", results)
        .int("payouts_count", closed.iter().map(|closed| Some(closed.day.payouts_count)).chain(none()))
        .money("payouts_total", closed.iter().map(|closed| Some(closed.day.payouts_total)).chain(already.map(|_| None)))
        .int("sequence", closed.iter().map(|closed| Some(closed.sequence.0)).chain(none()))
        .build()?)
}

//! `close`

use clap::Args;

use crate::cli::failure::{Exit, Failure};
use crate::cli::global::parse_period;
use crate::cli::invocation::Invocation;
use crate::consumers::accounting::{Closed, Closes};
use crate::domain::period::Period;
use crate::domain::time::BusinessDate;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Close {
    /// Close the open dates up to the end of this date or period; by default every finished date
    #[arg(long, value_name = "PERIOD", value_parser = parse_period, allow_hyphen_values = true)]
    date: Option<Period>,
}

impl Close {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        let today = store.reports().today();
        let last = self.date.and_then(|period| period.dates(today).to);
        let mut planned = None;
        invocation.ask_before(&store, |draft| {
            let closes = draft.app.close(&draft.caller, last)?;
            planned = closes.closed.last().map(|closed| closed.day.business_date);
            Ok(planned.is_some())
        })?;
        // A date that ended during the question is closed by the next run.
        let closes = store.app.close(&store.caller, last.or(planned))?;
        let is_nothing = last.is_none() && closes.is_nothing() && invocation.shows_words();
        match closes.first_open.filter(|_| is_nothing) {
            Some(open) => {
                let note = format!("nothing to close: {open} is not over yet");
                invocation.reporter.note(&note);
            }
            None => invocation.emit_outcome(&store, || {
                invocation.emit_done(&store, "close", table(&closes, last))
            })?,
        }
        closes.unblocked()?;
        Ok(Exit::Done)
    }
}

/// The closed dates, then the date at which the run ended.
fn table(closes: &Closes, asked: Option<BusinessDate>) -> Table {
    let closed = &closes.closed;
    let is_closed = |date: &BusinessDate| {
        closed
            .last()
            .is_none_or(|last| last.day.business_date < *date)
    };
    let end = match closes.blocked {
        Some((date, _)) => Some((date, "blocked")),
        None => asked.filter(is_closed).map(|date| (date, "already_closed")),
    };
    let before = closes
        .already_closed
        .as_ref()
        .filter(|_| end.is_some_and(|(_, result)| result == "already_closed"));
    let dates = closed
        .iter()
        .map(|closed| Some(closed.day.business_date))
        .chain(end.map(|(date, _)| Some(date)));
    let results = closed
        .iter()
        .map(|_| Some("closed"))
        .chain(end.map(|(_, result)| Some(result)));
    // A script that asks again gets the figures of the former close.
    let then = |part: fn(&Closed) -> u64| end.map(|_| before.map(part));
    let then_paid = end.map(|_| before.map(|closed| closed.day.payouts_total));
    Table::builder()
        .date("date", dates)
        .text("result", results)
        .int(
            "payouts_count",
            closed
                .iter()
                .map(|closed| Some(closed.day.payouts_count))
                .chain(then(|closed| closed.day.payouts_count)),
        )
        .money(
            "payouts_total",
            closed
                .iter()
                .map(|closed| Some(closed.day.payouts_total))
                .chain(then_paid),
        )
        .int(
            "sequence",
            closed
                .iter()
                .map(|closed| Some(closed.sequence.0))
                .chain(then(|closed| closed.sequence.0)),
        )
        .build()
}

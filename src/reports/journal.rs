//! The books for plain-text accounting: every entry is a transaction, by business date then
//! sequence, with an assertion of zero at every payout.
//!
//! In this order a payout is the last entry of its user on its date, because no entry is dated into
//! a closed date. hledger asserts on the posting itself, beancount at the start of the next date.
//! Entries are read and written page by page, so the journal is never in memory as a whole.

mod beancount;
mod hledger;

use std::io::Write;

use duckdb::Connection;
use duckdb::arrow::array::{Array, AsArray, RecordBatch};
use duckdb::arrow::datatypes as arrow;

use crate::domain::id::Sequence;
use crate::domain::ledger::entry::{EntryKind, Posting, posting};
use crate::domain::money::Money;
use crate::domain::time::BusinessDate;
use crate::reports::DateRange;
use crate::reports::error::ReportError;
use crate::reports::source::Source;
use crate::reports::statement::{pages, sql};
use crate::reports::trial_balance::entry_kind;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    Hledger,
    Beancount,
}

impl Dialect {
    pub const ALL: [Dialect; 2] = [Dialect::Hledger, Dialect::Beancount];

    /// The program that reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Hledger => "hledger",
            Dialect::Beancount => "beancount",
        }
    }

    /// The extensions that its files may have, the usual one first.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Dialect::Hledger => &["journal", "hledger", "ledger", "j", "dat", "txt"],
            Dialect::Beancount => &["beancount", "bean", "txt"],
        }
    }
}

/// The first lines of a journal.
struct Heading<'a> {
    company: &'a str,
    currency: &'a str,
    as_of_sequence: u64,
    first_date: BusinessDate,
    /// All users with an entry.
    logins: Vec<String>,
}

/// One entry, borrowed from a batch.
struct Entry<'a> {
    sequence: u64,
    entry_id: &'a str,
    date: BusinessDate,
    login: &'a str,
    kind: EntryKind,
    posting: Posting,
    number: Option<u64>,
    jira_id: Option<&'a str>,
    title: Option<&'a str>,
    reason: Option<&'a str>,
}

impl Entry<'_> {
    /// `fee T-12 UP-7 Fix it: reason`, unescaped.
    fn narration(&self) -> String {
        let number = self
            .number
            .map(|number| format!(" T-{number}"))
            .unwrap_or_default();
        let spaced = |text: Option<&str>| text.map(|text| format!(" {text}")).unwrap_or_default();
        let reason = self
            .reason
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        format!(
            "{}{number}{}{}{reason}",
            self.kind.name(),
            spaced(self.jira_id),
            spaced(self.title)
        )
    }
}

/// Writes all entries of accounting's tables, which are complete up to `as_of`, to `out`, which
/// should be buffered.
pub fn write(
    connection: &Connection,
    dialect: Dialect,
    as_of: Sequence,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let source = Source::open(connection)?;
    let company: String = connection.query_row("SELECT name FROM company", [], |row| row.get(0))?;
    let heading = Heading {
        company: &company,
        currency: &source.currency,
        as_of_sequence: as_of.0,
        first_date: source.first_date,
        logins: logins(connection)?,
    };
    match dialect {
        Dialect::Hledger => hledger::write_heading(&heading, out)?,
        Dialect::Beancount => beancount::write_heading(&heading, out)?,
    }
    for page in pages(&source, DateRange::default(), None)? {
        let mut statement = connection.prepare(&sql(&page, None, COLUMNS))?;
        for batch in statement.query_arrow([])? {
            write_batch(&batch, dialect, &source.currency, out)?;
        }
    }
    Ok(())
}

fn logins(connection: &Connection) -> Result<Vec<String>, ReportError> {
    let sql = "SELECT DISTINCT coalesce(login, e.user_id::VARCHAR) AS login
        FROM (SELECT DISTINCT user_id FROM user_days) e LEFT JOIN users USING (user_id) ORDER BY login";
    let mut statement = connection.prepare(sql)?;
    let logins = statement.query_map([], |row| row.get(0))?;
    Ok(logins.collect::<duckdb::Result<_>>()?)
}

const COLUMNS: &str = "e.sequence, e.entry_id, e.business_date, coalesce(u.login, e.user_id::VARCHAR) AS login, e.kind,
    e.amount, t.number, nullif(coalesce(x.jira_id, t.jira_id), '') AS jira_id, coalesce(x.title, t.title) AS title, e.reason";

fn write_batch(
    batch: &RecordBatch,
    dialect: Dialect,
    currency: &str,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let text = |column: usize| batch.column(column).as_string::<i32>();
    let optional =
        |column: usize, row: usize| text(column).is_valid(row).then(|| text(column).value(row));
    let sequences = batch.column(0).as_primitive::<arrow::UInt64Type>();
    let dates = batch.column(2).as_primitive::<arrow::Date32Type>();
    let amounts = batch.column(5).as_primitive::<arrow::Int64Type>();
    let numbers = batch.column(6).as_primitive::<arrow::UInt64Type>();
    for row in 0..batch.num_rows() {
        let kind = entry_kind(text(4).value(row))?;
        let entry = Entry {
            sequence: sequences.value(row),
            entry_id: text(1).value(row),
            date: BusinessDate::from_epoch_days(dates.value(row)),
            login: text(3).value(row),
            kind,
            posting: posting(kind, Money::from_minor(amounts.value(row))),
            number: numbers.is_valid(row).then(|| numbers.value(row)),
            jira_id: optional(7, row),
            title: optional(8, row),
            reason: optional(9, row),
        };
        match dialect {
            Dialect::Hledger => hledger::write_entry(&entry, currency, out)?,
            Dialect::Beancount => beancount::write_entry(&entry, currency, out)?,
        }
    }
    Ok(())
}

//! `trial-balance` (rule A8): debit and credit of every account, from the postings of every entry. Those of one kind and
//! one side are summed before, and all but corrections by the day already.

use duckdb::Connection;
use polars::prelude::{DataFrame, IntoLazy, SortMultipleOptions, col};

use crate::domain::ledger::entry::{Account, EntryKind, posting};
use crate::domain::money::Money;
use crate::domain::period::DateRange;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Dates, Query, dated};
use crate::reports::source::{Source, money_totals, sum};
use crate::reports::table::ColumnKind::{Money as Minor, Text};
use crate::reports::table::{ColumnKind, Table};

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("account", Text),
    ("type", Text),
    ("debit", Minor),
    ("credit", Minor),
    ("balance", Minor),
];

/// Reads accounting's tables. One date means all entries up to its end, a range the entries within
/// it.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let period = match query.dates {
        Dates::On(date) => DateRange {
            from: None,
            to: Some(date),
        },
        Dates::Default | Dates::Range { .. } => query.dates.period(),
    };
    let dated = dated("business_date", period);
    let sums = source.load(&format!(
        "WITH days AS (
            SELECT user_id, -sum(fees) AS fee, sum(rewards) AS reward, -sum(payout) AS payout
            FROM user_days WHERE {dated} GROUP BY user_id),
        sums AS (
            UNPIVOT days ON fee, reward, payout INTO NAME kind VALUE amount
            UNION ALL SELECT user_id, kind, sum(amount)
            FROM entries WHERE kind = 'correction' AND {dated} GROUP BY user_id, kind, amount > 0)
        SELECT coalesce(u.login, s.user_id::VARCHAR) AS login, s.kind, s.amount::BIGINT AS amount
        FROM sums s LEFT JOIN users u USING (user_id) WHERE s.amount <> 0",
    ))?;
    let frame = compute(&sums)?;
    let totals = money_totals(&frame, &["debit", "credit", "balance"])?;
    let adds_up = sum(&frame, "debit")? == sum(&frame, "credit")?;
    let table = Table::from_frame(COLUMNS, &frame)?;
    let mut report = source.report("trial-balance", query, period, totals, table);
    report.adds_up = adds_up;
    Ok(report)
}

/// `sums` are signed from the popug's side, one for each kind and sign.
fn compute(sums: &DataFrame) -> Result<DataFrame, ReportError> {
    let sides = sides(sums)?;
    let account = [col("account"), col("type")];
    let totals = sides
        .lazy()
        .group_by(account)
        .agg([col("debit").sum(), col("credit").sum()]);
    Ok(totals
        .with_column((col("debit") - col("credit")).alias("balance"))
        .sort(["account"], SortMultipleOptions::default())
        .collect()?)
}

/// Both sides of the posting of each sum, one in each row.
fn sides(sums: &DataFrame) -> Result<DataFrame, ReportError> {
    let (logins, kinds) = (sums.column("login")?.str()?, sums.column("kind")?.str()?);
    let amounts = sums.column("amount")?.i64()?;
    let (mut accounts, mut types, mut debits, mut credits) = (vec![], vec![], vec![], vec![]);
    for ((login, kind), amount) in logins.iter().zip(kinds.iter()).zip(amounts.iter()) {
        let (Some(login), Some(kind), Some(amount)) = (login, kind, amount) else {
            continue;
        };
        let posted = posting(entry_kind(kind)?, Money::from_minor(amount));
        let minor = posted.amount.minor();
        for (account, debit, credit) in [(posted.debit, minor, 0), (posted.credit, 0, minor)] {
            accounts.push(account.name(login));
            types.push(account_type(account));
            debits.push(debit);
            credits.push(credit);
        }
    }
    Ok(polars::df!("account" => accounts, "type" => types, "debit" => debits, "credit" => credits)?)
}

/// # Errors
/// [`ReportError::UnknownKind`]
pub fn entry_kind(name: &str) -> Result<EntryKind, ReportError> {
    let kinds = [
        EntryKind::Fee,
        EntryKind::Reward,
        EntryKind::Payout,
        EntryKind::Correction,
    ];
    let found = kinds.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| ReportError::UnknownKind(name.to_owned()))
}

const fn account_type(account: Account) -> &'static str {
    match account {
        Account::Bank => "assets",
        Account::Rewards => "expenses",
        Account::Fees => "income",
        Account::Popug => "liabilities",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debits_equal_credits_and_a_correction_swaps_sides() {
        let sums = polars::df!(
            "login" => ["anna"; 5], "kind" => ["fee", "reward", "payout", "correction", "correction"],
            "amount" => [-1200_i64, 3000, -1100, 200, -500]
        )
        .unwrap();
        let frame = compute(&sums).unwrap();
        let accounts: Vec<_> = frame
            .column("account")
            .unwrap()
            .str()
            .unwrap()
            .iter()
            .flatten()
            .collect();
        assert_eq!(
            accounts,
            [
                "assets:bank",
                "expenses:management:rewards",
                "income:management:fees",
                "liabilities:popugs:anna"
            ]
        );
        let of = |name: &str| {
            frame
                .column(name)
                .unwrap()
                .i64()
                .unwrap()
                .iter()
                .flatten()
                .collect::<Vec<_>>()
        };
        assert_eq!(of("debit"), [0, 3000, 200, 2800]);
        assert_eq!(of("credit"), [1100, 500, 1200, 3200]);
        assert_eq!(of("balance"), [-1100, 2500, -1000, -400]);
    }
}

//! Checks that tables hold the contents that their checkpoint states.
//!
//! The checkpoint is written with the rows and carries the tally of the entries up to it. A file
//! that was put together from parts of two others, or changed by another program, contradicts
//! itself here before anybody is paid from it.

use crate::consumers::common_tables::{CommonTables, load_days};
use crate::domain::ledger::tally::Tally;
use crate::store::{Database, StoreError, Tables};

/// Opens the contents for work: the entries, if the file has them, are compared with the checkpoint
/// without reading them, the days of all users while they are loaded.
///
/// # Errors
/// [`StoreError::Damaged`] if the rows differ from the checkpoint.
pub fn load_checked(database: &Database, tables: Tables) -> Result<CommonTables, StoreError> {
    check_entries(database, tables)?;
    CommonTables::load(database)
}

/// Compares the number of entries and the digest of the last one with the checkpoint.
///
/// # Errors
/// [`StoreError::Damaged`] if they differ.
fn check_entries(database: &Database, tables: Tables) -> Result<(), StoreError> {
    if tables != Tables::Accounting {
        return Ok(());
    }
    let wanted = database.tally()?;
    // Entries are only appended, so the last one is the row with the highest number. DuckDB reads one
    // block for a row whose number is in the query.
    let sql = format!(
        "SELECT (SELECT count(*) FROM entries)::UBIGINT,
            coalesce((SELECT digest FROM entries WHERE rowid = {}), 0)",
        i128::from(wanted.entries) - 1
    );
    let held = database
        .connection()
        .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    let (entries, digest) = held.map_err(database.failed("read"))?;
    let held = Tally {
        entries,
        digest,
        ..wanted
    };
    database.check_tally("entries", held)
}

/// Checks the consistency of the money within the tables of one file.
///
/// # Errors
/// [`StoreError::Damaged`] with the first contradiction.
pub fn check_money(database: &Database, tables: Tables) -> Result<(), StoreError> {
    check_entries(database, tables)?;
    load_days(database)?;
    let checks = match tables {
        Tables::Accounting => ACCOUNTING_CHECKS,
        Tables::Analytics => ANALYTICS_CHECKS,
    };
    for (contradiction, sql) in checks {
        let sql = format!("SELECT count(*)::UBIGINT FROM ({sql})");
        let found = database
            .connection()
            .query_row(&sql, [], |row| row.get::<_, u64>(0));
        let found = found.map_err(|error| database.failed_sum(error))?;
        if found > 0 {
            return Err(database.damaged(format!("{contradiction} ({found} times)")));
        }
    }
    Ok(())
}

/// A contradiction, and a query whose rows are its cases.
type Contradiction = (&'static str, &'static str);

const ACCOUNTING_CHECKS: &[Contradiction] = &[
    (
        "the days of a user are not the sums of the entries",
        "FROM (SELECT user_id, business_date, count(*) AS number,
             coalesce(-sum(amount) FILTER (kind = 'fee'), 0) AS fees,
             coalesce(sum(amount) FILTER (kind = 'reward'), 0) AS rewards,
             coalesce(sum(amount) FILTER (kind = 'correction'), 0) AS corrections,
             coalesce(-sum(amount) FILTER (kind = 'payout'), 0) AS payout FROM entries GROUP BY ALL) e
         FULL JOIN user_days d USING (user_id, business_date)
         WHERE (e.number, e.fees, e.rewards, e.corrections, e.payout)
             IS DISTINCT FROM (d.entries, d.fees, d.rewards, d.corrections, d.payout)",
    ),
    (
        "the running balance of a user does not end with the sum of the entries",
        "FROM (SELECT user_id, arg_max(balance, sequence) AS balance, sum(amount) AS change FROM entries GROUP BY ALL)
         WHERE balance <> change",
    ),
    (
        "the entries do not add up to the sum in the checkpoint",
        "FROM checkpoint WHERE amount <> (SELECT coalesce(sum(e.amount), 0) FROM entries e)",
    ),
    (
        "a payout is not the entry that paid it",
        "FROM (SELECT payout_id, -amount AS paid FROM entries WHERE kind = 'payout') e
         FULL JOIN (SELECT payout_id, amount AS paid FROM payouts) p USING (payout_id)
         WHERE e.paid IS DISTINCT FROM p.paid",
    ),
];

const ANALYTICS_CHECKS: &[Contradiction] = &[(
    "the payouts of a user and date are not what was paid on it",
    "FROM (SELECT user_id, business_date, sum(amount) AS paid FROM payouts GROUP BY ALL) p
     FULL JOIN (SELECT user_id, business_date, payout AS paid FROM user_days WHERE payout <> 0) d
         USING (user_id, business_date)
     WHERE p.paid IS DISTINCT FROM d.paid",
)];

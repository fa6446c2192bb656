//! Invariants I8 and I12: the tables equal a rebuild from the log, and analytics agrees with
//! accounting.

use std::path::Path;

use crate::app::AppError;
use crate::app::verify::checkpoints::LiveFiles;
use crate::app::verify::rebuilds::{Differences, DuckDbRebuild, IndexRebuild, Rebuilds};
use crate::app::verify::scratch::Scratch;
use crate::app::verify::{Findings, Violation};
use crate::consumers::ConsumeError;
use crate::domain::event::Consumer;
use crate::event_log::LogError;
use crate::state::StateError;
use crate::store::connecting::quoted;
use crate::store::{Database, StoreError, Tables};

/// Compares the live files with those that were rebuilt while the log was read.
pub(super) fn check_tables(
    files: &LiveFiles,
    rebuilds: Rebuilds<'_>,
    scratch: &Scratch,
    findings: &mut Findings,
) -> Result<(), AppError> {
    check_state(rebuilds.index, findings)?;
    if let Some(mails) = rebuilds.mails {
        let made = comparable(mails.end(), Consumer::Notifier, "notifier.sqlite", findings)?;
        differ(
            Consumer::Notifier,
            "notifier.sqlite",
            made.unwrap_or_default(),
            findings,
        );
    }
    let mut may_lack_money = false;
    let mut wrong = None;
    for rebuild in rebuilds.duckdb {
        let consumer = rebuild.follower.consumer();
        may_lack_money |= rebuild.follower.withheld.may_lack_money();
        let DuckDbRebuild {
            tables,
            path,
            ended,
            ..
        } = rebuild;
        let file = match tables {
            Tables::Accounting => &files.accounting,
            Tables::Analytics => &files.analytics,
        };
        let Some((live, _)) = file else { continue };
        if comparable(ended, consumer, tables.file_name(), findings)?.is_none() {
            may_lack_money = true;
            continue;
        }
        for difference in differences(live, &path, scratch.path())? {
            let place = format!("{} table {}", tables.file_name(), difference.table);
            findings.rebuildable("I8", consumer.name(), place, difference.what);
            wrong = wrong.or(Some(consumer));
        }
    }
    if let (Some((accounting, at)), Some((analytics, same))) = (&files.accounting, &files.analytics)
        && at == same
        && !may_lack_money
    {
        check_totals(accounting, analytics, wrong, findings)?;
    }
    Ok(())
}

/// The rebuilt file. If the log did not allow a rebuild, that is reported.
fn comparable<T>(
    made: Result<T, ConsumeError>,
    consumer: Consumer,
    file: &str,
    findings: &mut Findings,
) -> Result<Option<T>, AppError> {
    let (sequence, reason) = match made {
        Ok(made) => return Ok(Some(made)),
        Err(ConsumeError::Stopped {
            sequence, reason, ..
        })
        | Err(ConsumeError::State(StateError::Contradiction {
            sequence, reason, ..
        })) => (sequence, reason),
        Err(ConsumeError::Log(error) | ConsumeError::State(StateError::Log(error)))
            if is_of_an_event(&error) =>
        {
            findings
                .notes
                .push(format!("{file} was not compared with a rebuild: {error}"));
            return Ok(None);
        }
        Err(other) => return Err(other.into()),
    };
    let what = format!("{} cannot continue: {reason}", consumer.name());
    findings
        .violations
        .push(Violation::of_event("I8", sequence.0, what));
    Ok(None)
}

fn check_state(index: IndexRebuild<'_>, findings: &mut Findings) -> Result<(), AppError> {
    const FILE: &str = "state.sqlite";
    let (differences, ended) = index.end();
    let was_compared = differences.is_some();
    differ(
        Consumer::Tracker,
        FILE,
        differences.unwrap_or_default(),
        findings,
    );
    match ended {
        // The file was compared up to the event that was already reported.
        Err(ConsumeError::Log(error) | ConsumeError::State(StateError::Log(error)))
            if was_compared && is_of_an_event(&error) =>
        {
            Ok(())
        }
        ended => comparable(ended, Consumer::Tracker, FILE, findings).map(drop),
    }
}

fn differ(consumer: Consumer, file: &str, differences: Differences, findings: &mut Findings) {
    for (table, what) in differences {
        findings.rebuildable("I8", consumer.name(), format!("{file} table {table}"), what);
    }
}

/// Whether a single event cannot be read.
fn is_of_an_event(error: &LogError) -> bool {
    matches!(
        error,
        LogError::UnknownVersion { .. } | LogError::Undecodable { .. }
    )
}

struct Difference {
    table: String,
    what: String,
}

/// Compares every table of `rebuilt` with the live one, as multisets of rows.
fn differences(
    live: &Database,
    rebuilt: &Path,
    scratch: &Path,
) -> Result<Vec<Difference>, StoreError> {
    let (scratch, rebuilt) = (quoted(scratch)?, quoted(rebuilt)?);
    let attach =
        format!("SET temp_directory = '{scratch}'; ATTACH '{rebuilt}' AS rebuilt (READ_ONLY)");
    live.run("compare", &attach)?;
    let names = || -> Result<Vec<String>, duckdb::Error> {
        let mut statement = live
            .connection()
            .prepare("SELECT table_name FROM duckdb_tables() WHERE database_name = 'rebuilt' ORDER BY table_name")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    let mut found = Vec::new();
    for table in names().map_err(live.failed("compare"))? {
        match compare(live, &table) {
            Ok(None) => {}
            Ok(Some(what)) => found.push(Difference { table, what }),
            Err(error) => {
                found.push(Difference {
                    table,
                    what: error
                        .to_string()
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                });
            }
        }
    }
    live.run("compare", "DETACH rebuilt")?;
    Ok(found)
}

/// Tables with equal counts and equal sums of row hashes are equal. Otherwise the differing rows
/// are looked for.
fn compare(live: &Database, table: &str) -> Result<Option<String>, duckdb::Error> {
    let connection = live.connection();
    let digest = |of: &str| -> Result<(u64, String), duckdb::Error> {
        let sql = format!(
            "SELECT count(*)::UBIGINT, coalesce(sum(hash(r)::HUGEINT), 0)::VARCHAR FROM {of}{table} r"
        );
        connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    };
    if digest("")? == digest("rebuilt.")? {
        return Ok(None);
    }
    let only_in = |one: &str, other: &str| -> Result<(u64, Option<String>), duckdb::Error> {
        let sql = format!(
            "WITH d AS (FROM {one}{table} EXCEPT ALL FROM {other}{table})
             SELECT count(*)::UBIGINT, min(r::VARCHAR) FROM d r"
        );
        connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    };
    let ((extra, extra_row), (lacking, lacking_row)) =
        (only_in("", "rebuilt.")?, only_in("rebuilt.", "")?);
    let row = |row: Option<String>| {
        row.map(|row| format!(", such as {row}"))
            .unwrap_or_default()
    };
    Ok(Some(format!(
        "{extra} rows are not what the log gives{}; {lacking} rows of the log are not there{}",
        row(extra_row),
        row(lacking_row)
    )))
}

/// The totals that both files have: name, and the queries for analytics and accounting.
const TOTALS: [(&str, &str, &str); 3] = [
    (
        "fees, rewards, corrections and payouts by date",
        "SELECT coalesce(string_agg(t::VARCHAR, ' ' ORDER BY business_date), '') FROM (SELECT business_date,
         sum(fees) AS fees, sum(rewards) AS rewards, sum(corrections) AS corrections, sum(payout) AS payouts
         FROM user_days GROUP BY business_date) t",
        "SELECT coalesce(string_agg(t::VARCHAR, ' ' ORDER BY business_date), '') FROM (SELECT business_date,
         coalesce(-sum(amount) FILTER (kind = 'fee'), 0) AS fees,
         coalesce(sum(amount) FILTER (kind = 'reward'), 0) AS rewards,
         coalesce(sum(amount) FILTER (kind = 'correction'), 0) AS corrections,
         coalesce(-sum(amount) FILTER (kind = 'payout'), 0) AS payouts
         FROM entries GROUP BY business_date) t",
    ),
    (
        "payouts by user",
        "SELECT coalesce(string_agg(t::VARCHAR, ' ' ORDER BY user_id), '') FROM (SELECT user_id, count(*) AS payouts,
         sum(amount) AS paid FROM payouts GROUP BY user_id) t",
        "SELECT coalesce(string_agg(t::VARCHAR, ' ' ORDER BY user_id), '') FROM (SELECT user_id, count(*) AS payouts,
         -sum(amount) AS paid FROM entries WHERE kind = 'payout' GROUP BY user_id) t",
    ),
    (
        "rewards of finished tasks",
        "SELECT (count(*), coalesce(sum(reward), 0))::VARCHAR FROM settled",
        "SELECT (count(*), coalesce(sum(amount), 0))::VARCHAR FROM entries WHERE kind = 'reward'",
    ),
];

/// Compares both files. `wrong` names the consumers whose tables differ from a rebuild.
fn check_totals(
    accounting: &Database,
    analytics: &Database,
    wrong: Option<Consumer>,
    findings: &mut Findings,
) -> Result<(), AppError> {
    for (name, of_analytics, of_accounting) in TOTALS {
        let ask = |database: &Database, sql: &str| -> Result<String, StoreError> {
            database
                .connection()
                .query_row(sql, [], |row| row.get(0))
                .map_err(database.failed("read"))
        };
        if ask(analytics, of_analytics)? != ask(accounting, of_accounting)? {
            let what = format!("{name}: analytics and accounting disagree at the same checkpoint");
            match wrong {
                Some(consumer) => findings.rebuildable(
                    "I12",
                    consumer.name(),
                    format!("{}.duckdb", consumer.name()),
                    what,
                ),
                None => findings.violations.push(Violation::of_log("I12", what)),
            }
        }
    }
    Ok(())
}

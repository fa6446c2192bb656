//! The exported journals, read by hledger and beancount themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::deadline;
use crate::domain::id::Sequence;
use crate::reports::check::history::{History, Size};
use crate::reports::check::tables;
use crate::reports::journal::{self, Dialect};
use crate::reports::query::{Dates, Query};
use crate::reports::table::Cell;
use crate::reports::trial_balance;

/// Balances by account name, in minor units.
type Balances = BTreeMap<String, i64>;

struct Sample {
    history: History,
    connection: duckdb::Connection,
    directory: tempfile::TempDir,
}

impl Sample {
    fn new() -> Sample {
        let history = History::of(
            21,
            Size {
                users: 10,
                dates: 15,
                deeds_per_date: 60,
            },
        );
        let directory = tempfile::tempdir().unwrap();
        let connection = duckdb::Connection::open_in_memory().unwrap();
        tables::fill(&connection, &history, directory.path());
        Sample {
            history,
            connection,
            directory,
        }
    }

    fn journal(&self, dialect: Dialect, change: impl Fn(String) -> String) -> PathBuf {
        let mut text = Vec::new();
        journal::write(&self.connection, dialect, Sequence(1), &mut text).unwrap();
        let path = self
            .directory
            .path()
            .join(format!("{dialect:?}.txt").to_lowercase());
        std::fs::write(&path, change(String::from_utf8(text).unwrap())).unwrap();
        path
    }

    fn trial_balance(&self) -> Balances {
        let dates = Dates::Default;
        let today = self.history.last_date;
        let query = Query {
            dates,
            granularity: None,
            user: None,
            today,
            as_of_sequence: Sequence(1),
            head_sequence: Sequence(1),
        };
        let table = trial_balance::load(&self.connection, &query).unwrap().table;
        let mut columns = table.cells();
        let (balances, accounts) = (columns.swap_remove(4), columns.swap_remove(0));
        let row = |row: (Cell<&str>, Cell<&str>)| match row {
            (Cell::Text(account), Cell::Money(balance)) => (account.to_owned(), balance.minor()),
            other => panic!("{other:?}"),
        };
        accounts.zip(balances).map(row).collect()
    }
}

/// The programs, found or installed by the project's own script.
fn tools() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment = root.join("target/journal-tools");
    let output = run(Command::new(root.join("scripts/journal-tools")).arg(environment));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

fn run(command: &mut Command) -> Output {
    deadline::output(command.env("LC_ALL", "C.UTF-8"))
}

fn minor(decimal: &str) -> i64 {
    decimal
        .parse::<crate::domain::money::Money>()
        .unwrap()
        .minor()
}

/// Turns the first assertion of zero into a wrong one.
fn with_a_wrong_assertion(text: String) -> String {
    let wrong = text.replacen("= 0.00 EUR", "= 0.01 EUR", 1);
    if wrong == text {
        text.replacen("  0.00 EUR", "  7.00 EUR", 1)
    } else {
        wrong
    }
}

#[test]
fn hledger_and_beancount_accept_the_books_and_agree_with_the_trial_balance() {
    let (sample, tools) = (Sample::new(), tools());
    assert!(!sample.history.payouts.is_empty());
    hledger_agrees(&sample, &tools["HLEDGER"]);
    beancount_agrees(&sample, &tools["BEAN_CHECK"], &tools["BEAN_PYTHON"]);
}

fn hledger_agrees(sample: &Sample, hledger: &str) {
    let path = sample.journal(Dialect::Hledger, |text| text);
    let ask =
        |path: &Path, what: &[&str]| run(Command::new(hledger).arg("-f").arg(path).args(what));
    let checked = ask(&path, &["check", "--strict"]);
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    let found = ask(
        &path,
        &["balance", "--flat", "--empty", "--no-total", "-O", "csv"],
    )
    .stdout;
    let mut csv = csv::Reader::from_reader(&found[..]);
    let balances = csv.records().map(Result::unwrap).map(|row| {
        let amount = row[1].trim_end_matches(" EUR").to_owned();
        (
            row[0].to_owned(),
            if amount == "0" { 0 } else { minor(&amount) },
        )
    });
    assert_eq!(balances.collect::<Balances>(), sample.trial_balance());
    let transactions = String::from_utf8(ask(&path, &["stats"]).stdout).unwrap();
    assert!(
        transactions.contains(&format!(": {} (", sample.history.entries.len())),
        "{transactions}"
    );
    let wrong = sample.journal(Dialect::Hledger, with_a_wrong_assertion);
    assert!(!ask(&wrong, &["check", "--strict"]).status.success());
}

const BALANCES: &str = "
import sys
from beancount import loader
from beancount.core import data, realization
entries, errors, _ = loader.load_file(sys.argv[1])
assert not errors, errors
logins = {e.account: 'liabilities:popugs:' + e.meta['login'] for e in entries
          if isinstance(e, data.Open) and 'login' in e.meta}
for real in realization.iter_children(realization.realize(entries)):
    if any(isinstance(p, data.TxnPosting) for p in real.txn_postings):
        total = sum((p.units.number for p in real.balance), 0)
        print(logins.get(real.account, real.account.lower()), format(total, '.2f'), sep='\\t')
";

fn beancount_agrees(sample: &Sample, bean_check: &str, python: &str) {
    let path = sample.journal(Dialect::Beancount, |text| text);
    let checked = run(Command::new(bean_check).arg("--no-cache").arg(&path));
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    let output = run(Command::new(python).args(["-c", BALANCES]).arg(&path));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let balances = lines.lines().filter_map(|line| line.split_once('\t'));
    let balances: Balances = balances
        .map(|(account, amount)| (account.to_owned(), minor(amount)))
        .collect();
    assert_eq!(balances, sample.trial_balance());
    let wrong = sample.journal(Dialect::Beancount, with_a_wrong_assertion);
    assert!(
        !run(Command::new(bean_check).arg("--no-cache").arg(&wrong))
            .status
            .success()
    );
}

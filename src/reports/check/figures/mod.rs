//! Every figure of every report (rules N1 and N2 among them), computed again from the entries alone.

mod management;
mod money;

use serde_json::{Value as Json, json};

use crate::domain::event::{BalanceChanged, TaskAssigned, TaskCreated};
use crate::domain::id::{Sequence, UserId};
use crate::domain::ledger::entry::{Account, EntryKind, posting};
use crate::domain::money::Money;
use crate::domain::period::Unit;
use crate::domain::role::Role;
use crate::domain::time::{BusinessDate, EventTime};
use crate::domain::user::User;
use crate::reports::check::history::{At, History, Size};
use crate::reports::check::tables;
use crate::reports::error::ReportError;
use crate::reports::name::ReportName;
use crate::reports::query::{Dates, Query};
use crate::reports::render::{Format, Options, render};

struct Store {
    history: History,
    connection: duckdb::Connection,
    _directory: tempfile::TempDir,
}

impl Store {
    fn of(seed: u64) -> Store {
        let history = History::of(
            seed,
            Size {
                users: 10,
                dates: 12,
                deeds_per_date: 40,
            },
        );
        let directory = tempfile::tempdir().unwrap();
        let connection = duckdb::Connection::open(directory.path().join("books.duckdb")).unwrap();
        tables::fill(&connection, &history, directory.path());
        Store {
            history,
            connection,
            _directory: directory,
        }
    }

    fn query(&self, dates: Dates) -> Query {
        let today = self.history.last_date;
        Query {
            dates,
            granularity: None,
            user: None,
            today,
            as_of_sequence: Sequence(self.history.head),
            head_sequence: Sequence(self.history.head),
        }
    }

    fn report(&self, name: ReportName, query: &Query) -> Json {
        let report = name.load(&self.connection, query).unwrap();
        let mut out = Vec::new();
        render(&report, Format::Json, Options::default(), &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    fn dates(&self) -> Vec<BusinessDate> {
        self.history
            .company
            .first_date
            .through(self.history.last_date)
            .collect()
    }

    fn people(&self) -> Vec<&User> {
        let mut people: Vec<&User> = self
            .history
            .users
            .iter()
            .filter(|user| user.role != Role::Service)
            .collect();
        people.sort_by(|a, b| a.login.cmp(&b.login));
        people
    }

    fn sum(&self, chosen: impl Fn(&BalanceChanged) -> bool) -> Money {
        self.history
            .entries
            .iter()
            .map(|at| &at.fact)
            .filter(|e| chosen(e))
            .map(|e| e.amount)
            .sum()
    }

    fn of_kind(&self, kind: EntryKind, chosen: impl Fn(&BalanceChanged) -> bool) -> Money {
        self.sum(|e| e.kind == kind && chosen(e))
    }

    fn balance_at(&self, user: UserId, date: BusinessDate) -> Money {
        self.sum(|e| e.user_id == user && e.business_date <= date)
    }

    fn is_closed(&self, date: BusinessDate) -> bool {
        self.history
            .closes
            .iter()
            .any(|at| at.fact.business_date == date)
    }

    fn login(&self, user: UserId) -> &str {
        &self
            .history
            .users
            .iter()
            .find(|u| u.id == user)
            .unwrap()
            .login
    }

    fn balances_row(&self, user: &User, from: Option<BusinessDate>, to: BusinessDate) -> Json {
        let within = |e: &BalanceChanged| {
            e.user_id == user.id
                && e.business_date <= to
                && from.is_none_or(|from| e.business_date >= from)
        };
        let opening = from.map_or(Money::ZERO, |from| {
            self.balance_at(user.id, from.previous())
        });
        let user = &from.map_or_else(|| user.clone(), |_| self.history.user_on(user.id, to));
        json!({
            "date": from, "user_id": user.id, "login": user.login, "name": user.full_name, "role": user.role,
            "active": user.active, "opening": opening.to_string(),
            "fees": (-self.of_kind(EntryKind::Fee, within)).to_string(),
            "rewards": self.of_kind(EntryKind::Reward, within).to_string(),
            "corrections": self.of_kind(EntryKind::Correction, within).to_string(),
            "payout": (-self.of_kind(EntryKind::Payout, within)).to_string(),
            "balance": self.balance_at(user.id, to).to_string(), "closed": from.map(|date| self.is_closed(date)),
        })
    }

    fn red_at(&self, date: BusinessDate) -> Vec<(&User, Money)> {
        let balances = self
            .people()
            .into_iter()
            .map(|user| (user, self.balance_at(user.id, date)));
        balances
            .filter(|(_, balance)| balance.is_negative())
            .collect()
    }

    fn earnings_row(&self, from: BusinessDate, to: BusinessDate) -> Json {
        let within = |e: &BalanceChanged| e.business_date >= from && e.business_date <= to;
        let fees = -self.of_kind(EntryKind::Fee, within);
        let rewards = self.of_kind(EntryKind::Reward, within);
        let corrections = self.of_kind(EntryKind::Correction, within);
        let paid = self
            .history
            .payouts
            .iter()
            .filter(|at| (from..=to).contains(&at.fact.business_date))
            .count();
        let red = self.red_at(to);
        json!({
            "fees": fees.to_string(), "rewards": rewards.to_string(), "corrections": corrections.to_string(),
            "earned": (fees - rewards - corrections).to_string(), "popugs_negative": red.len(),
            "payouts": (-self.of_kind(EntryKind::Payout, within)).to_string(), "payouts_count": paid,
            "debt_carried": (-red.iter().map(|(_, balance)| *balance).sum::<Money>()).to_string(),
            "closed": self.is_closed(to),
        })
    }
}

fn without(mut row: Json, members: &[&str]) -> Json {
    members
        .iter()
        .for_each(|member| drop(row.as_object_mut().unwrap().remove(*member)));
    row
}

fn rows(report: &Json) -> &Vec<Json> {
    report["rows"].as_array().unwrap()
}

#[test]
fn balances_are_sums_of_entries_now_and_at_every_date() {
    let store = Store::of(1);
    let (dates, people) = (store.dates(), store.people());
    let last = *dates.last().unwrap();
    let expected: Vec<Json> = people
        .iter()
        .map(|user| store.balances_row(user, None, last))
        .collect();
    let report = store.report(ReportName::Balances, &store.query(Dates::Default));
    assert_eq!(rows(&report), &expected);
    assert_eq!(report["totals"]["balance"], store.sum(|_| true).to_string());

    let row = |date: BusinessDate| people.iter().map(move |user| (date, *user));
    let expected: Vec<Json> = dates
        .iter()
        .flat_map(|d| row(*d))
        .map(|(d, user)| store.balances_row(user, Some(d), d))
        .collect();
    let range = Dates::Range {
        from: None,
        to: None,
    };
    assert_eq!(
        rows(&store.report(ReportName::Balances, &store.query(range))),
        &expected
    );
    let one = store.report(ReportName::Balances, &store.query(Dates::On(dates[3])));
    assert_eq!(rows(&one)[..], expected[3 * people.len()..4 * people.len()]);
    let before = dates[0].previous();
    let unregistered: Vec<Json> = row(before)
        .map(|(date, user)| store.balances_row(user, Some(date), date))
        .collect();
    assert!(unregistered.iter().all(|row| row["active"] == json!(false)));
    assert_eq!(
        rows(&store.report(ReportName::Balances, &store.query(Dates::On(before)))),
        &unregistered
    );
}

#[test]
fn balances_of_one_user_are_their_rows_only() {
    let store = Store::of(2);
    let anna = store.history.user("anna.k");
    let report = store.report(
        ReportName::Balances,
        &Query {
            user: Some(anna.id),
            ..store.query(Dates::Default)
        },
    );
    assert_eq!(rows(&report).len(), 1);
    assert_eq!(rows(&report)[0]["login"], "anna.k");
}

#[test]
fn tasks_show_their_holder_their_end_and_their_cost() {
    let store = Store::of(13);
    let report = store.report(ReportName::Tasks, &store.query(Dates::Default));
    let history = &store.history;
    assert_eq!(rows(&report).len(), history.created.len());
    for (row, task) in rows(&report).iter().zip(&history.created) {
        let id = task.fact.task_id;
        let assigned: Vec<_> = history
            .assigned
            .iter()
            .filter(|at| at.fact.task_id == id)
            .collect();
        let latest = assigned.last().unwrap();
        let completed = history.completed.iter().find(|at| at.fact.task_id == id);
        let charged = -store.of_kind(EntryKind::Fee, |entry| entry.task_id == Some(id));
        assert_eq!(row["number"], json!(task.fact.number));
        assert_eq!(
            row["status"],
            if completed.is_some() {
                "completed"
            } else {
                "open"
            }
        );
        assert_eq!(row["assignee"], store.login(latest.fact.assignee_id));
        assert_eq!(
            (&row["assignments"], &row["assigned_at"]),
            (&json!(assigned.len()), &json!(latest.time))
        );
        assert_eq!(
            (&row["fees_charged"], &row["created_by"]),
            (&json!(charged.to_string()), &json!("admin"))
        );
        assert_eq!(row["completed_at"], json!(completed.map(|at| at.time)));
        assert_eq!(
            row["completed_by"],
            json!(completed.map(|at| store.login(at.fact.completed_by)))
        );
    }
    let date = history.company.first_date.plus_days(2);
    let created = history
        .created
        .iter()
        .filter(|at| history.company.zone.date_of(at.time) == date)
        .count();
    assert_eq!(
        rows(&store.report(ReportName::Tasks, &store.query(Dates::On(date)))).len(),
        created
    );
}

#[test]
fn every_report_of_a_company_without_history_has_its_shape() {
    let history = History::of(
        1,
        Size {
            users: 0,
            dates: 0,
            deeds_per_date: 0,
        },
    );
    let directory = tempfile::tempdir().unwrap();
    let connection = duckdb::Connection::open_in_memory().unwrap();
    tables::fill(&connection, &history, directory.path());
    let store = Store {
        history,
        connection,
        _directory: directory,
    };
    let admin = store.history.users[0].id;
    for name in ReportName::ALL {
        for dates in [
            Dates::Default,
            Dates::On(store.history.last_date),
            Dates::Range {
                from: None,
                to: None,
            },
        ] {
            let query = Query {
                user: Some(admin),
                ..store.query(dates)
            };
            let report = store.report(name, &query);
            assert_eq!(report["report"], name.name());
            assert_eq!(report["as_of_sequence"], json!(store.history.head));
        }
    }
    let far = Dates::On("1999-01-01".parse().unwrap());
    assert_eq!(
        rows(&store.report(ReportName::Earnings, &store.query(far)))[0]["closed"],
        json!(false)
    );
}

#[test]
fn a_report_refuses_empty_tables_a_turned_range_and_a_statement_of_nobody() {
    let empty = duckdb::Connection::open_in_memory().unwrap();
    empty
        .execute_batch(include_str!("../../../store/common.sql"))
        .unwrap();
    let store = Store::of(14);
    let query = store.query(Dates::Default);
    assert!(matches!(
        ReportName::Balances.load(&empty, &query),
        Err(ReportError::NothingConsumed)
    ));
    let nobody = ReportName::Statement.load(&store.connection, &query);
    assert!(matches!(nobody, Err(ReportError::UserMissing)));
    let unknown = Query {
        user: Some(UserId::from_uuid(uuid::Uuid::max())),
        ..query
    };
    assert_eq!(
        ReportName::Statement
            .load(&store.connection, &unknown)
            .unwrap()
            .table
            .height(),
        0
    );
    let day = store.history.last_date;
    let turned = Dates::Range {
        from: Some(day),
        to: Some(day.previous()),
    };
    assert!(matches!(
        turned.check(),
        Err(ReportError::EndBeforeStart { .. })
    ));
}

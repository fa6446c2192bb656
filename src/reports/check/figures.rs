//! Every figure of every report (rules N1 and N2 among them), computed again from the entries alone.

use serde_json::{Value as Json, json};

use crate::domain::event::BalanceChanged;
use crate::domain::id::{Sequence, UserId};
use crate::domain::ledger::entry::{Account, EntryKind, posting};
use crate::domain::money::Money;
use crate::domain::role::Role;
use crate::domain::time::BusinessDate;
use crate::domain::user::User;
use crate::reports::check::history::{History, Size};
use crate::reports::check::tables;
use crate::reports::error::ReportError;
use crate::reports::name::ReportName;
use crate::reports::query::{Dates, Granularity, Query};
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
fn balances_of_one_user_are_his_rows_only() {
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
fn earnings_have_a_row_for_every_date_with_the_debts_at_its_end() {
    let store = Store::of(3);
    let report = store.report(
        ReportName::Earnings,
        &store.query(Dates::Range {
            from: None,
            to: None,
        }),
    );
    let found: Vec<Json> = rows(&report)
        .iter()
        .map(|row| without(row.clone(), &["date"]))
        .collect();
    let expected: Vec<Json> = store
        .dates()
        .into_iter()
        .map(|date| store.earnings_row(date, date))
        .collect();
    assert_eq!(found, expected);
    assert!(expected.iter().any(|row| row["closed"] == json!(false)));
    assert!(
        expected
            .iter()
            .any(|row| row["popugs_negative"] != json!(0))
    );
}

#[test]
fn earnings_agree_with_what_each_close_recorded() {
    let store = Store::of(4);
    let report = store.report(
        ReportName::Earnings,
        &store.query(Dates::Range {
            from: None,
            to: None,
        }),
    );
    assert!(!store.history.closes.is_empty());
    for (row, close) in rows(&report).iter().zip(&store.history.closes) {
        assert_eq!(row["date"], json!(close.fact.business_date));
        assert_eq!(row["earned"], close.fact.management_earned.to_string());
        assert_eq!(row["debt_carried"], close.fact.debt_carried.to_string());
        assert_eq!(row["popugs_negative"], json!(close.fact.accounts_negative));
        assert_eq!(row["payouts_count"], json!(close.fact.payouts_count));
    }
}

#[test]
fn earnings_by_week_cover_whole_weeks() {
    let store = Store::of(5);
    let day = store.history.company.first_date.plus_days(5);
    let query = Query {
        granularity: Some(Granularity::Week),
        ..store.query(Dates::On(day))
    };
    let report = store.report(ReportName::Earnings, &query);
    let (start, end) = Granularity::Week.around(day);
    assert_eq!(rows(&report).len(), 1);
    assert_eq!(
        (
            &rows(&report)[0]["period_start"],
            &rows(&report)[0]["period_end"]
        ),
        (&json!(start), &json!(end))
    );
    let expected = store.earnings_row(start, end);
    assert_eq!(
        without(rows(&report)[0].clone(), &["period_start", "period_end"]),
        expected
    );
}

#[test]
fn negative_lists_debtors_deepest_first_and_since_when() {
    let store = Store::of(6);
    let dates = store.dates();
    let mut told_of_inactive = false;
    for at in [None, Some(dates[6]), Some(dates[0])] {
        let until = at.unwrap_or(*dates.last().unwrap());
        let report = store.report(
            ReportName::Negative,
            &store.query(at.map_or(Dates::Default, Dates::On)),
        );
        for row in rows(&report) {
            let user = store
                .history
                .users
                .iter()
                .find(|user| row["user_id"] == json!(user.id))
                .unwrap();
            let then = at.map_or_else(|| user.clone(), |at| store.history.user_on(user.id, at));
            assert_eq!(row["active"], then.active, "{row}");
            assert_eq!(
                (&row["name"], &row["role"]),
                (&json!(then.full_name), &json!(then.role)),
                "{row}"
            );
            told_of_inactive |= at.is_some() && !then.active && user.active;
        }
        let mut expected: Vec<(Money, &str, BusinessDate)> = Vec::new();
        for (user, balance) in store.red_at(until) {
            let back = dates.iter().rev().skip_while(|date| **date > until);
            let red = back.take_while(|date| store.balance_at(user.id, **date).is_negative());
            expected.push((balance, &user.login, *red.last().unwrap()));
        }
        expected.sort();
        let found: Vec<Json> = rows(&report)
            .iter()
            .map(|r| json!([r["balance"], r["login"], r["in_red_since"], r["date"]]))
            .collect();
        let expected: Vec<Json> = expected
            .iter()
            .map(|(b, login, since)| json!([b.to_string(), login, since, at]))
            .collect();
        assert_eq!(found, expected);
    }
    assert!(
        told_of_inactive,
        "a history in which nobody in the red came back proves less"
    );
}

#[test]
fn the_top_task_is_the_dearest_and_earliest_of_its_period() {
    let store = Store::of(7);
    let (first, last) = (store.history.company.first_date, store.history.last_date);
    let range = Dates::Range {
        from: None,
        to: Some(last.plus_days(3)),
    };
    for granularity in [
        None,
        Some(Granularity::Day),
        Some(Granularity::Week),
        Some(Granularity::Month),
    ] {
        let report = store.report(
            ReportName::TopTask,
            &Query {
                granularity,
                ..store.query(range)
            },
        );
        let to = last.plus_days(3);
        let periods = granularity.map_or(vec![(first, to)], |granularity| {
            granularity.touching(first, to)
        });
        let best = |start: BusinessDate, end: BusinessDate| {
            let inside = store
                .history
                .settled
                .iter()
                .filter(|at| (start..=end).contains(&at.fact.completed_on));
            inside
                .max_by_key(|at| {
                    (
                        at.fact.reward,
                        std::cmp::Reverse(at.fact.completed_sequence),
                    )
                })
                .map(|at| &at.fact)
        };
        let expected: Vec<Json> = periods
            .iter()
            .map(|(start, end)| match best(*start, *end) {
                Some(s) => json!([
                    start,
                    end,
                    s.number,
                    s.reward.to_string(),
                    store.login(s.completed_by)
                ]),
                None => json!([start, end, null, null, null]),
            })
            .collect();
        let found: Vec<Json> = rows(&report)
            .iter()
            .map(|r| {
                json!([
                    r["period_start"],
                    r["period_end"],
                    r["number"],
                    r["reward"],
                    r["completed_by"]
                ])
            })
            .collect();
        assert_eq!(found, expected, "{granularity:?}");
    }
}

#[test]
fn payouts_show_what_became_of_their_mail() {
    let store = Store::of(8);
    let report = store.report(ReportName::Payouts, &store.query(Dates::Default));
    assert_eq!(rows(&report).len(), store.history.payouts.len());
    for (number, at) in store.history.payouts.iter().enumerate() {
        let row = rows(&report)
            .iter()
            .find(|row| row["payout_id"] == json!(at.fact.payout_id))
            .unwrap();
        let email = format!("{}@popug.example", store.login(at.fact.user_id));
        let (status, to) = match number % 3 {
            0 => ("sent", "elsewhere@popug.example"),
            1 => ("failed", email.as_str()),
            _ => ("pending", email.as_str()),
        };
        assert_eq!(
            (&row["mail_status"], &row["mail_to"]),
            (&json!(status), &json!(to))
        );
        assert_eq!(
            row["amount"],
            (at.fact.opening + at.fact.earned).to_string()
        );
        let paid = store
            .history
            .user_on(at.fact.user_id, at.fact.business_date);
        assert_eq!(row["name"], json!(paid.full_name));
    }
    let order: Vec<_> = rows(&report)
        .iter()
        .map(|row| (row["date"].as_str(), row["login"].as_str()))
        .collect();
    assert!(order.is_sorted());
}

#[test]
fn a_statement_runs_from_opening_to_closing_in_its_own_order() {
    let store = Store::of(9);
    let (anna, from) = (
        store.history.user("anna.k"),
        store.history.company.first_date.plus_days(4),
    );
    let dates = Dates::Range {
        from: Some(from),
        to: None,
    };
    let report = store.report(
        ReportName::Statement,
        &Query {
            user: Some(anna.id),
            ..store.query(dates)
        },
    );
    let mut entries: Vec<_> = store
        .history
        .entries
        .iter()
        .filter(|at| at.fact.user_id == anna.id)
        .collect();
    entries.sort_by_key(|at| (at.fact.business_date, at.sequence));
    let mut balance = store.balance_at(anna.id, from.previous());
    assert_eq!(report["opening_balance"], balance.to_string());
    let after = entries.iter().filter(|at| at.fact.business_date >= from);
    assert_eq!(rows(&report).len(), after.clone().count());
    for (row, at) in rows(&report).iter().zip(after) {
        balance += at.fact.amount;
        assert_eq!(row["sequence"], json!(at.sequence));
        assert_eq!(row["balance"], balance.to_string());
        assert_eq!(
            (&row["time"], &row["posted_at"]),
            (&json!(at.fact.occurred_at), &json!(at.time))
        );
        let task = store
            .history
            .created
            .iter()
            .find(|task| Some(task.fact.task_id) == at.fact.task_id);
        assert_eq!(row["title"], json!(task.map(|task| &task.fact.title)));
    }
    let within = |e: &BalanceChanged| e.user_id == anna.id && e.business_date >= from;
    let paid = -store.of_kind(EntryKind::Payout, within);
    assert_eq!(
        (&report["paid"], &report["login"]),
        (&json!(paid.to_string()), &json!("anna.k"))
    );
    assert_eq!(report["earned"], (store.sum(within) + paid).to_string());
    assert_eq!(report["closing_balance"], balance.to_string());
}

#[test]
fn entries_show_balances_as_posted() {
    let store = Store::of(10);
    let report = store.report(ReportName::Entries, &store.query(Dates::Default));
    assert_eq!(rows(&report).len(), store.history.entries.len());
    let mut sorted: Vec<_> = store.history.entries.iter().collect();
    sorted.sort_by_key(|at| (at.fact.business_date, at.sequence));
    for (row, at) in rows(&report).iter().zip(sorted) {
        assert_eq!(row["sequence"], json!(at.sequence));
        assert_eq!(row["balance"], at.fact.balance.to_string());
        assert_eq!(row["login"], store.login(at.fact.user_id));
        assert_eq!(
            (&row["late"], &row["reason"]),
            (&json!(at.fact.late), &json!(at.fact.reason))
        );
    }
    assert!(
        store.history.entries.iter().any(|at| at.fact.late),
        "a history without late entries proves less"
    );
}

#[test]
fn the_trial_balance_is_the_sum_of_all_postings() {
    let store = Store::of(11);
    let until = store.dates()[7];
    for at in [None, Some(until)] {
        let mut accounts = std::collections::BTreeMap::<String, [Money; 2]>::new();
        let entries = store.history.entries.iter().map(|at| &at.fact);
        for entry in entries.filter(|entry| at.is_none_or(|at| entry.business_date <= at)) {
            let posted = posting(entry.kind, entry.amount);
            let name = |account: Account| account.name(store.login(entry.user_id));
            accounts.entry(name(posted.debit)).or_default()[0] += posted.amount;
            accounts.entry(name(posted.credit)).or_default()[1] += posted.amount;
        }
        let report = store.report(
            ReportName::TrialBalance,
            &store.query(at.map_or(Dates::Default, Dates::On)),
        );
        let expected: Vec<Json> = accounts
            .iter()
            .map(|(account, [debit, credit])| {
                json!({
                    "account": account, "type": account.split(':').next(), "debit": debit.to_string(),
                    "credit": credit.to_string(), "balance": (*debit - *credit).to_string(),
                })
            })
            .collect();
        assert_eq!(rows(&report), &expected);
        assert_eq!(report["totals"]["debit"], report["totals"]["credit"]);
    }
}

#[test]
fn closes_show_the_recorded_totals() {
    let store = Store::of(12);
    let report = store.report(ReportName::Closes, &store.query(Dates::Default));
    assert_eq!(rows(&report).len(), store.history.closes.len());
    for (row, at) in rows(&report).iter().zip(&store.history.closes) {
        assert_eq!(row["business_date"], json!(at.fact.business_date));
        assert_eq!(
            (&row["closed_by"], &row["closed_at"]),
            (&json!("admin"), &json!(at.time))
        );
        assert_eq!(row["payouts_total"], at.fact.payouts_total.to_string());
        assert_eq!(row["through_sequence"], json!(at.fact.through_sequence));
    }
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
        .execute_batch(include_str!("../../store/common.sql"))
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

#[test]
fn a_statement_fits_a_usual_terminal_and_says_what_it_leaves_out() {
    let store = Store::of(15);
    let anna = store.history.user("anna.k");
    let query = Query {
        user: Some(anna.id),
        ..store.query(Dates::Default)
    };
    let report = ReportName::Statement
        .load(&store.connection, &query)
        .unwrap();
    let mut out = Vec::new();
    render(
        &report,
        Format::Table,
        Options { width: Some(120) },
        &mut out,
    )
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("│ 2026-"))
        .count();
    assert_eq!(rows, report.table.height(), "a row is one line:\n{text}");
    assert!(
        text.lines()
            .last()
            .is_some_and(|line| line.starts_with("too narrow for: ")),
        "{text}"
    );
}

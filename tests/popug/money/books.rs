//! Every report, compared with the model's books of the same log to the cent, and late entries.

use serde_json::json;

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has};
use crate::helpers::harness::World;
use crate::helpers::played::{agree, opened};
use crate::model::books::{Books, User};
use crate::model::calendar::dates;
use crate::model::reports::money;

#[test]
fn balances_agree_now_and_on_every_date() {
    let (world, books, today) = opened();
    let (first, sunday) = (books.first_date, "2026-03-08".parse().expect("a date"));
    let (from, to) = (first.to_string(), today.to_string());
    let words = [
        "balances",
        "--from",
        &from,
        "--to",
        &to,
        "--date",
        "2026-03-08",
    ];
    agree(&world, "ada", &words[..1], &books.expected_balances(None));
    let expected = books.expected_balances(Some((first, today)));
    agree(&world, "ada", &words[..5], &expected);
    let expected = books.expected_balances(Some((sunday, sunday)));
    agree(&world, "ada", &[words[0], words[5], words[6]], &expected);
}

#[test]
fn entries_and_every_statement_agree() {
    let (world, books, _) = opened();
    agree(&world, "axel", &["entries"], &books.expected_entries());
    for user in books.people() {
        let words = ["statement", "--user", &user.login];
        agree(&world, "axel", &words, &books.expected_statement(user));
        let report = world.json("axel", &[&["report"], &words[..]].concat());
        let paid = books.sum(&user.id, |entry| entry.kind == "payout");
        let balance = books.balance(&user.id);
        for (name, value) in [
            ("login", user.login.clone()),
            ("opening_balance", money(0)),
            ("closing_balance", money(balance)),
            ("paid", money(-paid)),
            ("earned", money(balance - paid)),
        ] {
            assert_eq!(report[name], value, "{name} of {report}");
        }
    }
}

#[test]
fn payouts_and_closes_agree() {
    let (world, books, _) = opened();
    agree(&world, "axel", &["payouts"], &books.expected_payouts());
    agree(&world, "axel", &["closes"], &books.expected_closes());
    assert!(books.closes.len() >= 5 && books.mails.len() == books.payouts.len());
}

#[test]
fn the_trial_balance_agrees() {
    let (world, books, _) = opened();
    let expected = books.expected_trial_balance();
    agree(&world, "axel", &["trial-balance"], &expected);
    assert_eq!(expected["totals"]["debit"], expected["totals"]["credit"]);
}

#[test]
fn earnings_agree_by_day_week_and_month() {
    let (world, books, today) = opened();
    let from = books.first_date.to_string();
    let words = ["earnings", "--from", &from, "--period", "day"];
    let whole = (books.first_date, today);
    agree(
        &world,
        "axel",
        &words[..3],
        &books.expected_earnings(whole, None),
    );
    for period in ["day", "week", "month"] {
        let expected = books.expected_earnings(whole, Some(period));
        agree(
            &world,
            "axel",
            &[&words[..4], &[period]].concat(),
            &expected,
        );
    }
    let expected = books.expected_earnings((today, today), None);
    agree(&world, "axel", &["earnings"], &expected);
}

#[test]
fn who_is_in_the_red_and_since_when_agrees() {
    let (world, books, today) = opened();
    agree(&world, "ada", &["negative"], &books.expected_negative(None));
    for date in dates(books.first_date, today) {
        let expected = books.expected_negative(Some(date));
        agree(
            &world,
            "ada",
            &["negative", "--date", &date.to_string()],
            &expected,
        );
    }
}

#[test]
fn the_most_expensive_task_agrees() {
    let (world, books, today) = opened();
    let (from, whole) = (books.first_date.to_string(), (books.first_date, today));
    let words = ["top-task", "--from", &from, "--period"];
    agree(
        &world,
        "ada",
        &words[..3],
        &books.expected_top_task(whole, None),
    );
    for period in ["day", "week", "month"] {
        let expected = books.expected_top_task(whole, Some(period));
        agree(&world, "ada", &[&words[..], &[period]].concat(), &expected);
    }
}

#[test]
fn tasks_agree() {
    let (world, books, _) = opened();
    agree(&world, "walt", &["tasks"], &books.expected_tasks());
    let open = books.tasks.iter().filter(|task| task.is_open());
    let listed = world.rows("walt", &["task", "list"]);
    let listed = listed.iter().map(|row| row["number"].as_u64());
    assert!(listed.eq(open.map(|task| Some(task.number))));
}

#[test]
fn an_entry_of_a_closed_date_is_booked_late() {
    let mut world = World::new();
    world.does("mara", &["task", "add", "In time"]);
    world.does("ada", &["consume"]);
    // Another program closes today before it is over; no command would do so.
    append_close_of_today(&world);
    world
        .call("mara", &["task", "add", "Too late for today"])
        .expect(0, Any, Has("1 whole events were kept"));
    world.does("ada", &["consume"]);
    let late: Vec<String> = Books::of_log(&world.events())
        .entries
        .iter()
        .filter(|entry| entry.late)
        .map(|entry| entry.date.to_string())
        .collect();
    assert_eq!(late, ["2026-03-03"]);
    let rows = world.rows("ada", &["report", "entries", "--date", "2026-03-03"]);
    assert_eq!(
        rows.iter()
            .map(|row| row["late"].clone())
            .collect::<Vec<_>>(),
        [json!(true)]
    );
    world.at("2026-03-04T08:00:00Z");
    assert_eq!(world.rows("ada", &["close"]).len(), 1);
    let closes = world.rows("ada", &["report", "closes"]);
    assert_eq!(closes.last().expect("a close")["late_entries"], 1);
    Books::of_log(&world.events());
}

/// A `day.closed` of a date that is not over. No balance is positive, so it pays nobody.
fn append_close_of_today(world: &World) {
    let lines = world.log_lines();
    let books = Books::of_log(&world.events());
    let admin = &books.users[0].id;
    let close = &books.closing(admin, None, books.last_time, &[])[0];
    let of = |name: &str| close[name].to_string();
    let members = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "sequence",
        "more",
        "actor",
        "commandid",
        "data",
    ];
    let members = members.map(|name| format!("\"{name}\":{}", of(name)));
    let body = format!("{{{}}}", members.join(","));
    let (_, previous) = chain::split(lines.last().expect("a line"));
    let hash = chain::hash(previous, &body);
    let line = format!("{},\"hash\":\"{hash}\"}}\n", &body[..body.len() - 1]);
    let segment = world.store().join("log/00000000000000000001.ndjson");
    std::fs::write(segment, [world.log_bytes(), line.into_bytes()].concat()).expect("written");
}

#[test]
fn the_played_company_has_seen_everything_that_its_books_are_to_prove() {
    let (world, books, today) = opened();
    assert_eq!(
        (books.first_date.to_string(), today.to_string()),
        ("2026-03-05".to_owned(), "2026-03-11".to_owned())
    );
    let types: Vec<String> = world
        .events()
        .iter()
        .map(|e| e["type"].as_str().expect("a type").to_owned())
        .collect();
    for wanted in [
        "tasks.reshuffled.v1",
        "user.role_changed.v1",
        "user.deactivated.v1",
        "payout.made.v1",
        "day.closed.v1",
        "mail.sent.v1",
        "task.settled.v1",
    ] {
        assert!(types.iter().any(|found| found == wanted), "no {wanted}");
    }
    let corrections: Vec<i64> = books
        .entries
        .iter()
        .filter(|e| e.kind == "correction")
        .map(|e| e.amount)
        .collect();
    assert!(
        corrections.iter().any(|a| *a > 0) && corrections.iter().any(|a| *a < 0),
        "{corrections:?}"
    );
    let is_in_debt = |user: &User| books.balance_at_end_of(&user.id, today) < 0;
    assert!(books.users.iter().any(is_in_debt) && books.users.iter().any(|user| !user.active));
    let summer = books
        .entries
        .iter()
        .filter(|entry| entry.date.to_string() == "2026-03-08");
    assert!(summer.count() > 5);
}

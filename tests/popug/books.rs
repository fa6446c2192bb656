//! Every report against an independent recount of the log, to the cent.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};
use serde_json::{Value, json};

use crate::chain;
use crate::harness::Text::{Any, Has, Nothing};
use crate::harness::World;
use crate::recount::{Entry, Recount, Task};

/// Where clocks go forward on Sunday, 8 March 2026, at 07:00 UTC.
const SUMMER_ZONE: &str = "America/New_York";

/// Six days of a company with everything that happens in one; its last day is not closed.
pub fn played() -> World {
    static TEMPLATE: OnceLock<World> = OnceLock::new();
    TEMPLATE.get_or_init(play).copied()
}

fn play() -> World {
    let mut world = World::founded(SUMMER_ZONE, "2026-03-05T20:00:00Z");
    for (login, role) in [("lena", "developer"), ("petr", "worker"), ("olga", "developer")] {
        world.register(login, role);
        world.issue_token(login);
    }
    // Just before and after midnight, in winter and in summer time.
    let evenings = ["06T04:59:59", "07T04:59:59.999999", "08T04:59:59", "09T03:59:59", "10T03:59:59", "11T02:00:00"];
    let mornings = ["06T05:00:00", "07T05:00:00", "08T05:00:00", "09T04:00:00", "10T04:00:00", "11T12:00:00"];
    for (day, (evening, morning)) in evenings.into_iter().zip(mornings).enumerate() {
        let evening = format!("2026-03-{evening}Z");
        add_tasks(world.at(&evening), day);
        if day.is_multiple_of(2) {
            let _ = world.does("mara", &["task", "reshuffle"]);
        }
        complete_some(&world, day, 2);
        happen(&world, day);
        let _ = world.at(&format!("2026-03-{morning}Z"));
        add_tasks(&world, day);
        complete_some(&world, day, 3);
        if day == 2 || day == 4 {
            let _ = world.does("cron", &["close"]);
        }
        correct_something(&world, day);
    }
    let _ = world.does("ada", &["consume"]);
    world
}

fn add_tasks(world: &World, day: usize) {
    for n in 0..5 {
        let title = format!("Задача {day}.{n}");
        let _ = match n {
            0 => world.call("mara", &["task", "add", &title, "--jira-id", &format!("UP-{day}{n}")]),
            1 => {
                world.call("dora", &["task", "add", &title, "--description", "=not a formula, \"quoted\"\nsecond line"])
            }
            _ => world.call("axel", &["task", "add", &title]),
        }
        .expect(0, Any, Nothing);
    }
}

/// Completes the open tasks whose number is a multiple of `each`, those of the deactivated aside.
fn complete_some(world: &World, day: usize, each: u64) {
    for row in world.rows("mara", &["task", "list"]) {
        let (login, number) = (row["assignee"].as_str().expect("a login"), row["number"].as_u64().expect("a number"));
        if number.is_multiple_of(each) && !(day >= 3 && login == "petr") {
            let _ = world.does(login, &["task", "complete", &number.to_string()]);
        }
    }
}

/// What else happens in a company.
fn happen(world: &World, day: usize) {
    let _ = match day {
        1 => world.does("ada", &["user", "set-role", "olga", "manager"]),
        2 => world.does("ada", &["user", "update", "dora", "--name", "Дора \u{202e}Попуг"]),
        3 => world.does("ada", &["user", "deactivate", "petr", "--reason", "left"]),
        4 => world.does("ada", &["user", "set-role", "walt", "accountant"]),
        5 => world.does("ada", &["user", "set-role", "olga", "developer"]),
        _ => world.does("ada", &["consume", "accounting"]),
    };
}

/// Half of the latest fee and all of the latest reward of somebody are taken back.
fn correct_something(world: &World, day: usize) {
    let _ = world.does("ada", &["consume", "accounting"]);
    let entries = world.rows("ada", &["report", "entries"]);
    let kind = if day.is_multiple_of(2) { "fee" } else { "reward" };
    let Some(entry) = entries.iter().rev().find(|row| row["kind"] == kind) else { return };
    let id = entry["entry_id"].as_str().expect("an id");
    let words = ["account", "correct", id, "--reason", "counted wrongly"];
    let amount = if day.is_multiple_of(2) { &["--amount", "5.55"][..] } else { &[] };
    let _ = world.does("ada", &[&words, amount].concat());
}

fn money(minor: i64) -> Value {
    let sign = if minor < 0 { "-" } else { "" };
    json!(format!("{sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100))
}

fn day(date: Date) -> Value {
    json!(date.to_string())
}

fn dates(from: Date, to: Date) -> Vec<Date> {
    from.series(1.day()).take_while(|date| *date <= to).collect()
}

/// The members of `row` that `wanted` names are as `wanted` says.
fn compare(row: &Value, wanted: &Value) {
    for (name, value) in wanted.as_object().expect("an object") {
        assert_eq!(&row[name], value, "{name} of {row}");
    }
}

fn compare_all(rows: &[Value], wanted: &[Value]) {
    assert_eq!(rows.len(), wanted.len(), "rows");
    for (row, wanted) in rows.iter().zip(wanted) {
        compare(row, wanted);
    }
}

/// World, recount, and the local date of now, on which the last events fell.
fn opened() -> (World, Recount, Date) {
    let world = played();
    chain::check(&world.log_lines());
    let recount = Recount::of(&world.events());
    let today = recount.local_date(world.now());
    (world, recount, today)
}

#[test]
fn the_played_company_has_seen_everything_that_the_recount_is_to_prove() {
    let (world, recount, today) = opened();
    assert_eq!((recount.first_date.to_string(), today.to_string()), ("2026-03-05".to_owned(), "2026-03-11".to_owned()));
    let types: Vec<String> = world.events().iter().map(|e| e["type"].as_str().expect("a type").to_owned()).collect();
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
    let corrections: Vec<i64> = recount.entries.iter().filter(|e| e.kind == "correction").map(|e| e.amount).collect();
    assert!(corrections.iter().any(|a| *a > 0) && corrections.iter().any(|a| *a < 0), "{corrections:?}");
    assert!(recount.debts_on(today).0 > 0 && recount.users.values().any(|user| !user.active));
    let summer = recount.entries.iter().filter(|entry| entry.date.to_string() == "2026-03-08");
    assert!(summer.count() > 5);
}

#[test]
fn balances_agree_now_and_on_every_date() {
    let (world, recount, today) = opened();
    let (first, far) = (recount.first_date, Date::MAX);
    let wanted: Vec<Value> = recount
        .popugs()
        .into_iter()
        .map(|(id, user)| {
            let sum = |kind| recount.sum(kind, first, far, Some(id));
            json!({
                "date": null, "user_id": id, "login": user.login, "name": user.name, "role": user.role,
                "active": user.active, "opening": "0.00", "fees": money(-sum("fee")), "rewards": money(sum("reward")),
                "corrections": money(sum("correction")), "payout": money(-sum("payout")),
                "balance": money(recount.balance_now(id)),
            })
        })
        .collect();
    compare_all(&world.rows("ada", &["report", "balances"]), &wanted);
    let on = |date: Date| -> Vec<Value> {
        recount.popugs().into_iter().map(|(id, user)| {
            let sum = |kind| recount.sum(kind, date, date, Some(id));
            json!({
                "date": day(date), "login": user.login, "opening": money(recount.balance_on(id, date.yesterday().expect("a date"))),
                "fees": money(-sum("fee")), "rewards": money(sum("reward")), "corrections": money(sum("correction")),
                "payout": money(-sum("payout")), "balance": money(recount.balance_on(id, date)),
                "closed": date < recount.open_date(),
            })
        }).collect()
    };
    let all: Vec<Value> = dates(first, today).into_iter().flat_map(on).collect();
    let (from, to) = (first.to_string(), today.to_string());
    compare_all(&world.rows("ada", &["report", "balances", "--from", &from, "--to", &to]), &all);
    compare_all(
        &world.rows("ada", &["report", "balances", "--date", "2026-03-08"]),
        &on("2026-03-08".parse().expect("a date")),
    );
}

#[test]
fn earnings_agree_by_day_week_and_month() {
    let (world, recount, today) = opened();
    let by_day: Vec<_> = dates(recount.first_date, today).into_iter().map(|date| (date, date)).collect();
    let of = |(from, to): (Date, Date)| {
        let sum = |kind| recount.sum(kind, from, to, None);
        let (negative, debt) = recount.debts_on(to);
        let paid = recount.entries.iter().filter(|e| e.kind == "payout" && e.date >= from && e.date <= to).count();
        json!({
            "fees": money(-sum("fee")), "rewards": money(sum("reward")), "corrections": money(sum("correction")),
            "earned": money(-sum("fee") - sum("reward") - sum("correction")), "popugs_negative": negative,
            "payouts": money(-sum("payout")), "payouts_count": paid, "debt_carried": money(debt),
            "closed": to < recount.open_date(),
        })
    };
    let with = |mut row: Value, names: &[(&str, Date)]| {
        names.iter().for_each(|(name, date)| row[*name] = day(*date));
        row
    };
    let wanted: Vec<Value> = by_day.iter().map(|period| with(of(*period), &[("date", period.0)])).collect();
    let from = recount.first_date.to_string();
    compare_all(&world.rows("axel", &["report", "earnings", "--from", &from]), &wanted);
    for period in ["day", "week", "month"] {
        let periods = periods(period, recount.first_date, today);
        let wanted: Vec<Value> = periods
            .iter()
            .map(|(from, to)| with(of((*from, *to)), &[("period_start", *from), ("period_end", *to)]))
            .collect();
        compare_all(&world.rows("axel", &["report", "earnings", "--from", &from, "--period", period]), &wanted);
    }
    let default = world.rows("axel", &["report", "earnings"]);
    assert_eq!(default.iter().map(|row| row["date"].clone()).collect::<Vec<_>>(), [day(today)]);
}

/// Whole days, ISO weeks or months that touch a range.
fn periods(name: &str, from: Date, to: Date) -> Vec<(Date, Date)> {
    let around = |date: Date| match name {
        "day" => (date, date),
        "week" => {
            let monday = date - Span::new().days(i64::from(date.weekday().since(Weekday::Monday)));
            (monday, monday + 6.days())
        }
        _ => (date.first_of_month(), date.last_of_month()),
    };
    let mut periods: Vec<_> = dates(from, to).into_iter().map(around).collect();
    periods.dedup();
    periods
}

#[test]
fn entries_and_every_statement_agree() {
    let (world, recount, _) = opened();
    let task = |id: &Option<String>| id.as_ref().and_then(|id| recount.tasks.iter().find(|task| task.id == *id));
    let mut entries: Vec<&Entry> = recount.entries.iter().collect();
    entries.sort_by_key(|entry| (entry.date, entry.sequence));
    let row = |entry: &Entry| {
        let task = task(&entry.task);
        json!({
            "sequence": entry.sequence, "entry_id": entry.id, "kind": entry.kind, "amount": money(entry.amount),
            "business_date": day(entry.date), "late": entry.late, "task_id": entry.task, "corrects": entry.corrects,
            "number": task.map(|task| task.number), "title": task.map(|task| &task.title),
            "jira_id": task.and_then(|task| task.jira_id.clone()),
        })
    };
    let posted = |entry: &Entry| -> i64 {
        let before =
            recount.entries.iter().filter(|other| other.user == entry.user && other.sequence <= entry.sequence);
        before.map(|other| other.amount).sum()
    };
    let wanted: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut row = row(entry);
            row["login"] = json!(recount.users[&entry.user].login);
            row["balance"] = money(posted(entry));
            row
        })
        .collect();
    compare_all(&world.rows("axel", &["report", "entries"]), &wanted);
    for (id, user) in recount.popugs() {
        let mut running = 0;
        let wanted: Vec<Value> = entries
            .iter()
            .filter(|entry| entry.user == *id)
            .map(|entry| {
                running += entry.amount;
                let mut row = row(entry);
                row["balance"] = money(running);
                row
            })
            .collect();
        let report = world.json("axel", &["report", "statement", "--user", &user.login]);
        compare_all(report["rows"].as_array().expect("rows"), &wanted);
        let paid: i64 = recount.sum("payout", recount.first_date, Date::MAX, Some(id));
        compare(
            &report,
            &json!({
                "login": user.login, "opening_balance": "0.00", "closing_balance": money(running), "paid": money(-paid),
                "earned": money(running - paid),
            }),
        );
    }
}

#[test]
fn payouts_and_closes_agree() {
    let (world, recount, _) = opened();
    let mut paid: Vec<&Entry> = recount.entries.iter().filter(|entry| entry.kind == "payout").collect();
    paid.sort_by_key(|entry| (entry.date, recount.users[&entry.user].login.clone()));
    let wanted: Vec<Value> = paid
        .iter()
        .map(|entry| {
            let opening = recount.balance_on(&entry.user, entry.date.yesterday().expect("a date"));
            json!({
                "date": day(entry.date), "entry_id": entry.id, "login": recount.users[&entry.user].login,
                "amount": money(-entry.amount), "opening": money(opening), "earned": money(-entry.amount - opening),
                "mail_status": "sent", "sequence": entry.sequence,
            })
        })
        .collect();
    compare_all(&without_sequences(world.rows("axel", &["report", "payouts"]), &wanted), &wanted);
    let wanted: Vec<Value> = recount.closes.iter().map(|closed| {
        let sum = |kind| recount.sum(kind, closed.date, closed.date, None);
        let of_date: Vec<&Entry> = recount.entries.iter().filter(|entry| entry.date == closed.date).collect();
        let count = |kept: fn(&&&Entry) -> bool| of_date.iter().filter(kept).count();
        let (negative, debt) = recount.debts_on(closed.date);
        json!({
            "business_date": day(closed.date), "sequence": closed.sequence, "closed_by": recount.users[&closed.by].login,
            "entries": of_date.len(), "late_entries": count(|entry| entry.late), "fees": money(-sum("fee")),
            "rewards": money(sum("reward")), "corrections": money(sum("correction")),
            "management_earned": money(-sum("fee") - sum("reward") - sum("correction")),
            "payouts_count": count(|entry| entry.kind == "payout"), "payouts_total": money(-sum("payout")),
            "accounts_negative": negative, "debt_carried": money(debt), "skipped_events": 0,
        })
    }).collect();
    compare_all(&world.rows("axel", &["report", "closes"]), &wanted);
    assert!(wanted.len() >= 5);
}

/// A payout's row names the sequence of its own event, which stands just before its entry.
fn without_sequences(mut rows: Vec<Value>, wanted: &[Value]) -> Vec<Value> {
    for (row, wanted) in rows.iter_mut().zip(wanted) {
        let (own, entry) =
            (row["sequence"].as_u64().expect("a sequence"), wanted["sequence"].as_u64().expect("a sequence"));
        assert_eq!(own + 1, entry, "{row}");
        row["sequence"] = json!(entry);
    }
    rows
}

#[test]
fn the_trial_balance_agrees() {
    let (world, recount, _) = opened();
    let mut accounts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for entry in &recount.entries {
        let popug = format!("liabilities:popugs:{}", recount.users[&entry.user].login);
        let other = match (entry.kind.as_str(), entry.amount > 0) {
            ("fee", _) | ("correction", true) => "income:management:fees",
            ("reward", _) | ("correction", false) => "expenses:management:rewards",
            _ => "assets:bank",
        };
        let (debit, credit) = if entry.amount > 0 { (other.to_owned(), popug) } else { (popug, other.to_owned()) };
        accounts.entry(debit).or_default().0 += entry.amount.abs();
        accounts.entry(credit).or_default().1 += entry.amount.abs();
    }
    let wanted: Vec<Value> = accounts.iter().map(|(account, (debit, credit))| {
        let kind = account.split(':').next().expect("a type");
        json!({ "account": account, "type": kind, "debit": money(*debit), "credit": money(*credit), "balance": money(debit - credit) })
    }).collect();
    let report = world.json("axel", &["report", "trial-balance"]);
    compare_all(report["rows"].as_array().expect("rows"), &wanted);
    let total: i64 = accounts.values().map(|(debit, _)| debit).sum();
    compare(&report["totals"], &json!({ "debit": money(total), "credit": money(total), "balance": "0.00" }));
}

#[test]
fn who_is_in_the_red_and_since_when_agrees() {
    let (world, recount, today) = opened();
    let on = |date: Date, shown: Value| -> Vec<Value> {
        let all = dates(recount.first_date, date);
        let mut red: Vec<(i64, String, Value)> = Vec::new();
        for (id, user) in &recount.users {
            let balance = recount.balance_on(id, date);
            if balance < 0 {
                let since =
                    all.iter().rev().take_while(|date| recount.balance_on(id, **date) < 0).last().expect("a date");
                let row = json!({ "date": shown, "login": user.login, "balance": money(balance), "in_red_since": day(*since) });
                red.push((balance, user.login.clone(), row));
            }
        }
        red.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        red.into_iter().map(|(_, _, row)| row).collect()
    };
    compare_all(&world.rows("ada", &["report", "negative"]), &on(today, Value::Null));
    for date in dates(recount.first_date, today) {
        compare_all(&world.rows("ada", &["report", "negative", "--date", &date.to_string()]), &on(date, day(date)));
    }
}

#[test]
fn the_most_expensive_task_agrees() {
    let (world, recount, today) = opened();
    let best = |from: Date, to: Date| -> Option<&Task> {
        let done =
            recount.tasks.iter().filter(|task| task.completion.as_ref().is_some_and(|c| c.on >= from && c.on <= to));
        done.max_by_key(|task| (task.reward, std::cmp::Reverse(task.completion.as_ref().map(|c| c.sequence))))
    };
    let from = recount.first_date.to_string();
    for name in ["day", "week", "month"] {
        let wanted: Vec<Value> = periods(name, recount.first_date, today).into_iter().map(|(from, to)| {
            let task = best(from, to);
            let done = task.and_then(|task| task.completion.as_ref());
            json!({
                "period_start": day(from), "period_end": day(to), "task_id": task.map(|task| &task.id),
                "reward": task.map(|task| money(task.reward)), "completed_on": done.map(|done| day(done.on)),
                "completed_by": done.map(|done| &recount.users[&done.by].login), "sequence": done.map(|done| done.sequence),
            })
        }).collect();
        compare_all(&world.rows("ada", &["report", "top-task", "--from", &from, "--period", name]), &wanted);
    }
    let row = world.rows("ada", &["report", "top-task", "--from", &from]);
    assert_eq!(row[0]["task_id"], json!(best(recount.first_date, today).map(|task| &task.id)));
}

#[test]
fn tasks_agree() {
    let (world, recount, _) = opened();
    let login = |id: &String| json!(recount.users[id].login);
    let wanted: Vec<Value> = recount
        .tasks
        .iter()
        .map(|task| {
            let done = task.completion.as_ref();
            let fees: i64 = recount
                .entries
                .iter()
                .filter(|e| e.kind == "fee" && e.task.as_ref() == Some(&task.id))
                .map(|e| e.amount)
                .sum();
            json!({
                "task_id": task.id, "number": task.number, "title": task.title, "jira_id": task.jira_id,
                "status": if done.is_some() { "completed" } else { "open" }, "created_by": login(&task.created_by),
                "created_at": task.created_at, "assignee": login(&task.assignee), "assigned_at": task.assigned_at,
                "assignments": task.assignments, "fee": money(task.fee), "reward": money(task.reward),
                "fees_charged": money(-fees), "completed_at": done.map(|done| &done.at),
                "completed_by": done.map(|done| login(&done.by)),
            })
        })
        .collect();
    compare_all(&world.rows("walt", &["report", "tasks"]), &wanted);
    let open: Vec<u64> =
        recount.tasks.iter().filter(|task| task.completion.is_none()).map(|task| task.number).collect();
    let listed: Vec<u64> =
        world.rows("walt", &["task", "list"]).iter().filter_map(|row| row["number"].as_u64()).collect();
    assert_eq!(listed, open);
}

#[test]
fn what_belongs_to_a_closed_date_is_booked_late() {
    let mut world = World::new();
    let _ = world.does("mara", &["task", "add", "In time"]);
    let _ = world.does("ada", &["consume"]);
    // Somebody closes today before it is over, by hand: no command would.
    append_close_of_today(&world);
    let _ = world.call("mara", &["task", "add", "Too late for today"]).expect(0, Any, Has("1 whole events were kept"));
    let _ = world.does("ada", &["consume"]);
    let recount = Recount::of(&world.events());
    let late: Vec<String> =
        recount.entries.iter().filter(|entry| entry.late).map(|entry| entry.date.to_string()).collect();
    assert_eq!(late, ["2026-03-03"]);
    let rows = world.rows("ada", &["report", "entries", "--date", "2026-03-03"]);
    assert_eq!(rows.iter().map(|row| row["late"].clone()).collect::<Vec<_>>(), [json!(true)]);
    let _ = world.at("2026-03-04T08:00:00Z");
    assert_eq!(world.rows("ada", &["close"]).len(), 1);
    let closes = world.rows("ada", &["report", "closes"]);
    assert_eq!(closes.last().expect("a close")["late_entries"], 1);
    let _ = Recount::of(&world.events());
}

/// A `day.closed` of a date that is not over. Nobody is in the black, so it pays nobody.
fn append_close_of_today(world: &World) {
    let lines = world.log_lines();
    let last = lines.last().expect("a line");
    let (sequence, (_, previous)) = (lines.len() + 1, chain::split(last));
    let last: Value = serde_json::from_str(last).expect("JSON");
    let recount = Recount::of(&world.events());
    let today = recount.open_date();
    let fees = -recount.sum("fee", today, today, None);
    let data = json!({
        "business_date": day(today), "through_sequence": sequence - 1, "entries": 1, "late_entries": 0, "fees": fees,
        "rewards": 0, "corrections": 0, "management_earned": fees, "payouts_count": 0, "payouts_total": 0,
        "accounts_negative": 1, "debt_carried": fees, "skipped_events": 0,
    });
    let (time, admin) =
        (&last["time"], recount.users.iter().find(|(_, user)| user.login == "ada").expect("an admin").0);
    let id = uuid::Uuid::from_u128(sequence as u128);
    let body = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/popug/accounting\",\"type\":\"day.closed.v1\",\
         \"subject\":\"day/{today}\",\"time\":{time},\"sequence\":\"{sequence:020}\",\"more\":0,\"actor\":\"user/{admin}\",\
         \"commandid\":\"close/{today}\",\"data\":{data}}}"
    );
    let line = format!("{},\"hash\":\"{}\"}}\n", &body[..body.len() - 1], chain::hash(previous, &body));
    let segment = world.store().join("log/00000000000000000001.ndjson");
    let mut file = std::fs::OpenOptions::new().append(true).open(segment).expect("a segment");
    std::io::Write::write_all(&mut file, line.as_bytes()).expect("written");
}

//! What accounting reports, against an independent recount of the log, to the cent: balances, entries, statements,
//! payouts, closes, the trial balance, and what is booked late.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has};
use crate::helpers::harness::World;
use crate::helpers::played::{compare, compare_all, dates, day, money, opened};
use crate::helpers::recount::{Entry, Recount};

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
    compare_all(
        &world.rows("ada", &["report", "balances", "--from", &from, "--to", &to]),
        &all,
    );
    compare_all(
        &world.rows("ada", &["report", "balances", "--date", "2026-03-08"]),
        &on("2026-03-08".parse().expect("a date")),
    );
}

#[test]
fn entries_and_every_statement_agree() {
    let (world, recount, _) = opened();
    let task = |id: &Option<String>| {
        id.as_ref()
            .and_then(|id| recount.tasks.iter().find(|task| task.id == *id))
    };
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
        let before = recount
            .entries
            .iter()
            .filter(|other| other.user == entry.user && other.sequence <= entry.sequence);
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
    let mut paid: Vec<&Entry> = recount
        .entries
        .iter()
        .filter(|entry| entry.kind == "payout")
        .collect();
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
    compare_all(
        &without_sequences(world.rows("axel", &["report", "payouts"]), &wanted),
        &wanted,
    );
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
        let (own, entry) = (
            row["sequence"].as_u64().expect("a sequence"),
            wanted["sequence"].as_u64().expect("a sequence"),
        );
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
        let (debit, credit) = if entry.amount > 0 {
            (other.to_owned(), popug)
        } else {
            (popug, other.to_owned())
        };
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
    compare(
        &report["totals"],
        &json!({ "debit": money(total), "credit": money(total), "balance": "0.00" }),
    );
}

#[test]
fn what_belongs_to_a_closed_date_is_booked_late() {
    let mut world = World::new();
    world.does("mara", &["task", "add", "In time"]);
    world.does("ada", &["consume"]);
    // Somebody closes today before it is over, by hand: no command would.
    append_close_of_today(&world);
    world
        .call("mara", &["task", "add", "Too late for today"])
        .expect(0, Any, Has("1 whole events were kept"));
    world.does("ada", &["consume"]);
    let recount = Recount::of(&world.events());
    let late: Vec<String> = recount
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
    Recount::of(&world.events());
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
    let (time, admin) = (
        &last["time"],
        recount
            .users
            .iter()
            .find(|(_, user)| user.login == "ada")
            .expect("an admin")
            .0,
    );
    let id = uuid::Uuid::from_u128(sequence as u128);
    let body = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/popug/accounting\",\"type\":\"day.closed.v1\",\
         \"subject\":\"day/{today}\",\"time\":{time},\"sequence\":\"{sequence:020}\",\"more\":0,\"actor\":\"user/{admin}\",\
         \"commandid\":\"close/{today}\",\"data\":{data}}}"
    );
    let line = format!(
        "{},\"hash\":\"{}\"}}\n",
        &body[..body.len() - 1],
        chain::hash(previous, &body)
    );
    let segment = world.store().join("log/00000000000000000001.ndjson");
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(segment)
        .expect("a segment");
    std::io::Write::write_all(&mut file, line.as_bytes()).expect("written");
}

#[test]
fn the_played_company_has_seen_everything_that_the_recount_is_to_prove() {
    let (world, recount, today) = opened();
    assert_eq!(
        (recount.first_date.to_string(), today.to_string()),
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
    let corrections: Vec<i64> = recount
        .entries
        .iter()
        .filter(|e| e.kind == "correction")
        .map(|e| e.amount)
        .collect();
    assert!(
        corrections.iter().any(|a| *a > 0) && corrections.iter().any(|a| *a < 0),
        "{corrections:?}"
    );
    assert!(recount.debts_on(today).0 > 0 && recount.users.values().any(|user| !user.active));
    let summer = recount
        .entries
        .iter()
        .filter(|entry| entry.date.to_string() == "2026-03-08");
    assert!(summer.count() > 5);
}

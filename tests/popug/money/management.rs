//! What management looks at, against an independent recount of the log, to the cent: earnings, debts, the most
//! expensive task, and tasks.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};
use serde_json::{Value, json};

use crate::helpers::played::{compare_all, dates, day, money, opened};
use crate::helpers::recount::Task;

#[test]
fn earnings_agree_by_day_week_and_month() {
    let (world, recount, today) = opened();
    let by_day: Vec<_> = dates(recount.first_date, today)
        .into_iter()
        .map(|date| (date, date))
        .collect();
    let of = |(from, to): (Date, Date)| {
        let sum = |kind| recount.sum(kind, from, to, None);
        let (negative, debt) = recount.debts_on(to);
        let paid = recount
            .entries
            .iter()
            .filter(|e| e.kind == "payout" && e.date >= from && e.date <= to)
            .count();
        json!({
            "fees": money(-sum("fee")), "rewards": money(sum("reward")), "corrections": money(sum("correction")),
            "earned": money(-sum("fee") - sum("reward") - sum("correction")), "popugs_negative": negative,
            "payouts": money(-sum("payout")), "payouts_count": paid, "debt_carried": money(debt),
            "closed": to < recount.open_date(),
        })
    };
    let with = |mut row: Value, names: &[(&str, Date)]| {
        names
            .iter()
            .for_each(|(name, date)| row[*name] = day(*date));
        row
    };
    let wanted: Vec<Value> = by_day
        .iter()
        .map(|period| with(of(*period), &[("date", period.0)]))
        .collect();
    let from = recount.first_date.to_string();
    compare_all(
        &world.rows("axel", &["report", "earnings", "--from", &from]),
        &wanted,
    );
    for period in ["day", "week", "month"] {
        let periods = periods(period, recount.first_date, today);
        let wanted: Vec<Value> = periods
            .iter()
            .map(|(from, to)| {
                with(
                    of((*from, *to)),
                    &[("period_start", *from), ("period_end", *to)],
                )
            })
            .collect();
        compare_all(
            &world.rows(
                "axel",
                &["report", "earnings", "--from", &from, "--period", period],
            ),
            &wanted,
        );
    }
    let default = world.rows("axel", &["report", "earnings"]);
    assert_eq!(
        default
            .iter()
            .map(|row| row["date"].clone())
            .collect::<Vec<_>>(),
        [day(today)]
    );
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
fn who_is_in_the_red_and_since_when_agrees() {
    let (world, recount, today) = opened();
    let on = |date: Date, shown: Value| -> Vec<Value> {
        let all = dates(recount.first_date, date);
        let mut red: Vec<(i64, String, Value)> = Vec::new();
        for (id, user) in &recount.users {
            let balance = recount.balance_on(id, date);
            if balance < 0 {
                let since = all
                    .iter()
                    .rev()
                    .take_while(|date| recount.balance_on(id, **date) < 0)
                    .last()
                    .expect("a date");
                let row = json!({ "date": shown, "login": user.login, "balance": money(balance), "in_red_since": day(*since) });
                red.push((balance, user.login.clone(), row));
            }
        }
        red.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        red.into_iter().map(|(_, _, row)| row).collect()
    };
    compare_all(
        &world.rows("ada", &["report", "negative"]),
        &on(today, Value::Null),
    );
    for date in dates(recount.first_date, today) {
        compare_all(
            &world.rows("ada", &["report", "negative", "--date", &date.to_string()]),
            &on(date, day(date)),
        );
    }
}

#[test]
fn the_most_expensive_task_agrees() {
    let (world, recount, today) = opened();
    let best = |from: Date, to: Date| -> Option<&Task> {
        let done = recount.tasks.iter().filter(|task| {
            task.completion
                .as_ref()
                .is_some_and(|c| c.on >= from && c.on <= to)
        });
        done.max_by_key(|task| {
            (
                task.reward,
                std::cmp::Reverse(task.completion.as_ref().map(|c| c.sequence)),
            )
        })
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
        compare_all(
            &world.rows(
                "ada",
                &["report", "top-task", "--from", &from, "--period", name],
            ),
            &wanted,
        );
    }
    let row = world.rows("ada", &["report", "top-task", "--from", &from]);
    assert_eq!(
        row[0]["task_id"],
        json!(best(recount.first_date, today).map(|task| &task.id))
    );
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
    let open: Vec<u64> = recount
        .tasks
        .iter()
        .filter(|task| task.completion.is_none())
        .map(|task| task.number)
        .collect();
    let listed: Vec<u64> = world
        .rows("walt", &["task", "list"])
        .iter()
        .filter_map(|row| row["number"].as_u64())
        .collect();
    assert_eq!(listed, open);
}

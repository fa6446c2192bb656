//! Figures for management (rules N1 and N2): earnings, debtors, the most expensive task.

use super::*;

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
        granularity: Some(Unit::Week),
        ..store.query(Dates::On(day))
    };
    let report = store.report(ReportName::Earnings, &query);
    let (start, end) = Unit::Week.around(day);
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
    for granularity in [None, Some(Unit::Day), Some(Unit::Week), Some(Unit::Month)] {
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
        let ties = |start: BusinessDate, end: BusinessDate, reward: Money| {
            let settled = store.history.settled.iter().map(|at| &at.fact);
            let inside = settled.filter(|s| (start..=end).contains(&s.completed_on));
            inside.filter(|s| s.reward == reward).count() - 1
        };
        let expected: Vec<Json> = periods
            .iter()
            .map(|(start, end)| match best(*start, *end) {
                Some(s) => json!([
                    start,
                    end,
                    s.number,
                    s.reward.to_string(),
                    store.login(s.completed_by),
                    ties(*start, *end, s.reward),
                ]),
                None => json!([start, end, null, null, null, null]),
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
                    r["completed_by"],
                    r["ties"]
                ])
            })
            .collect();
        assert_eq!(found, expected, "{granularity:?}");
    }
}

#[test]
fn people_have_the_tasks_that_were_given_to_them_and_kept_by_them() {
    let store = Store::of(16);
    let history = &store.history;
    let (from, to) = (store.dates()[2], store.dates()[8]);
    let zone = &history.company.zone;
    let is_within = |at: EventTime| (from..=to).contains(&zone.date_of(at));
    let dates = Dates::Range {
        from: Some(from),
        to: Some(to),
    };
    let report = store.report(ReportName::People, &store.query(dates));
    let former = |of: &At<TaskAssigned>| {
        let before = history
            .assigned
            .iter()
            .take_while(|at| at.sequence < of.sequence);
        before
            .filter(|at| at.fact.task_id == of.fact.task_id)
            .last()
            .map(|at| at.fact.assignee_id)
    };
    let mut is_told = [false; 3];
    for row in rows(&report) {
        let user = history.users.iter().find(|user| row["login"] == user.login);
        let user = user.unwrap();
        let given = history
            .assigned
            .iter()
            .filter(|at| at.fact.assignee_id == user.id);
        let assigned = given.clone().filter(|at| is_within(at.time)).count();
        let away = history.assigned.iter().filter(|at| {
            let is_taken = former(at) == Some(user.id);
            is_taken && at.fact.assignee_id != user.id && is_within(at.time)
        });
        let mut hours: Vec<i64> = Vec::new();
        for done in history
            .completed
            .iter()
            .filter(|at| at.fact.completed_by == user.id)
        {
            if is_within(done.time) {
                let of_task = history
                    .assigned
                    .iter()
                    .filter(|at| at.fact.task_id == done.fact.task_id);
                let mut fresh = of_task.filter(|at| former(at) != Some(user.id));
                hours.push(done.time.micros() - fresh.next_back().unwrap().time.micros());
            }
        }
        hours.sort_unstable();
        let median = (!hours.is_empty()).then(|| {
            let twice = hours[hours.len() / 2] + hours[(hours.len() - 1) / 2];
            (twice as f64 / 2.0 / 360_000_000.0).round() / 10.0
        });
        let entries =
            |e: &BalanceChanged| e.user_id == user.id && (from..=to).contains(&e.business_date);
        let (fees, rewards) = (
            -store.of_kind(EntryKind::Fee, entries),
            store.of_kind(EntryKind::Reward, entries),
        );
        let corrections = store.of_kind(EntryKind::Correction, entries);
        assert_eq!(
            (&row["assigned"], &row["reshuffled_away"], &row["completed"]),
            (
                &json!(assigned),
                &json!(away.clone().count()),
                &json!(hours.len())
            ),
            "{row}"
        );
        assert_eq!(row["median_hours_to_complete"], json!(median), "{row}");
        assert_eq!(
            row["earned_by_management"],
            (fees - rewards - corrections).to_string()
        );
        assert_eq!(row["name"], history.user_on(user.id, to).full_name);
        let found = [
            away.count() > 0,
            hours.len() > 1,
            corrections != Money::ZERO,
        ];
        is_told
            .iter_mut()
            .zip(found)
            .for_each(|(told, found)| *told |= found);
    }
    assert_eq!(is_told, [true; 3], "a history without them proves less");
    let open = |row: &Json| row["open"].as_i64().unwrap();
    let flow = store.report(ReportName::Flow, &store.query(dates));
    assert_eq!(
        flow["totals"]["open_at_end"],
        rows(&report).iter().map(open).sum::<i64>()
    );
}

#[test]
fn the_flow_of_tasks_adds_up_from_period_to_period() {
    let store = Store::of(17);
    let history = &store.history;
    let zone = &history.company.zone;
    let all = Dates::Range {
        from: None,
        to: None,
    };
    for granularity in [None, Some(Unit::Week), Some(Unit::Month)] {
        let query = Query {
            granularity,
            ..store.query(all)
        };
        let report = store.report(ReportName::Flow, &query);
        for row in rows(&report) {
            let start: BusinessDate = row["period_start"].as_str().unwrap().parse().unwrap();
            let end: BusinessDate = row["period_end"].as_str().unwrap().parse().unwrap();
            let is_within = |at: EventTime| (start..=end).contains(&zone.date_of(at));
            let created = history
                .created
                .iter()
                .filter(|at| is_within(at.time))
                .count();
            let completed = history
                .completed
                .iter()
                .filter(|at| is_within(at.time))
                .count();
            let is_open = |at: &&At<TaskCreated>| {
                let mut done = history
                    .completed
                    .iter()
                    .filter(|done| done.fact.task_id == at.fact.task_id);
                zone.date_of(at.time) <= end && !done.any(|done| zone.date_of(done.time) <= end)
            };
            let on = end.min(history.last_date).epoch_days();
            let open = history.created.iter().filter(is_open);
            let mut ages: Vec<i32> = open
                .map(|at| on - zone.date_of(at.time).epoch_days())
                .collect();
            ages.sort_unstable();
            let median = (!ages.is_empty())
                .then(|| f64::from(ages[ages.len() / 2] + ages[(ages.len() - 1) / 2]) / 2.0);
            assert_eq!(
                row,
                &json!({
                    "period_start": start, "period_end": end, "created": created, "completed": completed,
                    "cancelled": 0, "open_at_end": ages.len(), "median_age_days": median,
                }),
                "{granularity:?}"
            );
        }
        assert_eq!(report["totals"]["created"], history.created.len());
    }
}

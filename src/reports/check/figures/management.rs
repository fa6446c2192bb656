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

//! Figures of the books: entries, statements, payouts, closes and the trial balance, from literal histories.

use super::*;

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
            0 if number % 2 == 0 => ("sent", "elsewhere@popug.example"),
            0 => ("written", "elsewhere@popug.example"),
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
        Options {
            width: Some(80),
            colours: false,
            ..Options::default()
        },
        &mut out,
    )
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("2026-"))
        .count();
    assert_eq!(rows, report.table.height(), "a row is one line:\n{text}");
    assert!(text.contains("no room for: "), "{text}");
}

#[test]
fn a_pay_sheet_carries_every_balance_from_one_period_to_the_next() {
    let store = Store::of(18);
    let dates = store.dates();
    let halves = [(dates[0], dates[5]), (dates[6], dates[11])];
    let mut brought = 0;
    for (from, to) in halves {
        let range = Dates::Range {
            from: Some(from),
            to: Some(to),
        };
        let report = store.report(ReportName::Pay, &store.query(range));
        let mut sums = [Money::ZERO; 2];
        for row in rows(&report) {
            let user = store.history.user(row["login"].as_str().unwrap());
            let within =
                |e: &BalanceChanged| e.user_id == user.id && (from..=to).contains(&e.business_date);
            let of = |kind| store.of_kind(kind, within);
            let (opening, carried) = (
                store.balance_at(user.id, from.previous()),
                store.balance_at(user.id, to),
            );
            let payouts = store.history.payouts.iter().map(|at| &at.fact);
            let payouts =
                payouts.filter(|p| p.user_id == user.id && (from..=to).contains(&p.business_date));
            let was = store.history.user_on(user.id, to);
            let expected = json!({
                "user_id": user.id, "login": user.login, "name": was.full_name, "role": was.role, "active": was.active,
                "opening": opening.to_string(), "fees": (-of(EntryKind::Fee)).to_string(),
                "rewards": of(EntryKind::Reward).to_string(), "corrections": of(EntryKind::Correction).to_string(),
                "paid": (-of(EntryKind::Payout)).to_string(), "payouts_count": payouts.count(),
                "carried": carried.to_string(),
            });
            assert_eq!(row, &expected);
            sums = [sums[0] + opening, sums[1] + carried];
        }
        assert_eq!(report["totals"]["opening"], sums[0].to_string());
        assert_eq!(
            sums[0].minor(),
            brought,
            "nobody with a balance is left out"
        );
        brought = sums[1].minor();
        let check = report["check"].as_str().unwrap();
        assert!(check.ends_with(&format!(" = {}", sums[1])), "{check}");
    }
    assert_ne!(brought, 0, "a history without debts proves less");
}

#[test]
fn a_payslip_is_the_row_of_the_pay_sheet_with_every_charge_and_credit() {
    let store = Store::of(19);
    let (from, to) = (store.dates()[3], store.dates()[9]);
    let range = Dates::Range {
        from: Some(from),
        to: Some(to),
    };
    let sheet = store.report(ReportName::Pay, &store.query(range));
    for row in rows(&sheet) {
        let user = store.history.user(row["login"].as_str().unwrap());
        let query = Query {
            user: Some(user.id),
            ..store.query(range)
        };
        let slip = store.report(ReportName::Payslip, &query);
        for name in [
            "login",
            "name",
            "opening",
            "fees",
            "rewards",
            "corrections",
            "paid",
            "payouts_count",
            "carried",
        ] {
            assert_eq!(slip[name], row[name], "{name}");
        }
        let statement = store.report(ReportName::Statement, &query);
        assert_eq!(rows(&slip).len(), rows(&statement).len());
        for (slip, entry) in rows(&slip).iter().zip(rows(&statement)) {
            for name in [
                "entry_id",
                "business_date",
                "kind",
                "title",
                "amount",
                "balance",
                "reason",
            ] {
                assert_eq!(slip[name], entry[name]);
            }
        }
        if let Some(last) = rows(&slip).last() {
            assert_eq!(last["balance"], slip["carried"]);
        }
    }
}

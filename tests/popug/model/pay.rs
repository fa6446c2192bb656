//! The expected rows and totals of the pay sheet and of payslips.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::books::{Books, User};
use super::reports::{Span, count, money, report};

const MEMBERS: [&str; 11] = [
    "business_date",
    "time",
    "kind",
    "number",
    "jira_id",
    "title",
    "amount",
    "balance",
    "late",
    "reason",
    "entry_id",
];

impl Books {
    pub fn expected_pay(&self, span: Span) -> Value {
        let rows: Vec<Value> = self
            .people()
            .into_iter()
            .filter_map(|user| self.pay_row(user, span))
            .collect();
        let totals = json!({ "payouts_count": count(&rows, "payouts_count") });
        let sums = [
            "opening",
            "fees",
            "rewards",
            "corrections",
            "paid",
            "carried",
        ];
        report(rows, &sums, totals)
    }

    /// The user's row of the pay sheet, if they have one.
    fn pay_row(&self, user: &User, (from, to): Span) -> Option<Value> {
        let of = |kind| self.moved(kind, (from, to), Some(&user.id));
        let opening = self.sum(&user.id, |entry| entry.date < from);
        let payouts = self.entries.iter().filter(|entry| {
            entry.user == user.id && entry.kind == "payout" && (from..=to).contains(&entry.date)
        });
        let was = self.user_on(&user.id, Some(to));
        let sums = ["fee", "reward", "correction", "payout"].map(of);
        let carried = opening + sums.iter().sum::<i64>();
        let is_nothing = sums == [0; 4] && (opening, carried) == (0, 0);
        (!is_nothing || was.is_eligible()).then(|| {
            json!({
                "user_id": user.id, "login": user.login, "name": was.name, "role": was.role, "active": was.active,
                "opening": money(opening), "fees": money(-sums[0]), "rewards": money(sums[1]),
                "corrections": money(sums[2]), "paid": money(-sums[3]), "payouts_count": payouts.count(),
                "carried": money(carried),
            })
        })
    }

    /// The rows of a payslip: those of the statement from `from` to `to`.
    pub fn expected_payslip(&self, user: &User, (from, to): Span) -> Value {
        let statement = self.expected_statement(user);
        let is_within = |row: &&Value| {
            let date: Option<Date> = row["business_date"]
                .as_str()
                .and_then(|date| date.parse().ok());
            date.is_some_and(|date| (from..=to).contains(&date))
        };
        let rows = statement["rows"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(is_within);
        let chosen = |row: &Value| -> Value {
            let members = MEMBERS
                .iter()
                .map(|name| ((*name).to_owned(), row[*name].clone()));
            Value::Object(Map::from_iter(members))
        };
        report(rows.map(chosen).collect(), &["amount"], json!({}))
    }
}

//! The words above a table: its title, the period in words, and the headings of columns.

use crate::domain::period::{DateRange, Unit};
use crate::domain::time::BusinessDate;
use crate::reports::Report;

/// Columns whose heading is not their name in words.
const HEADINGS: [(&str, &str); 20] = [
    ("completed_on", "Completed on"),
    ("number", "Task"),
    ("jira_id", "Jira id"),
    ("task_id", "Task id"),
    ("user_id", "User id"),
    ("entry_id", "Entry"),
    ("payout_id", "Payout"),
    ("popugs_negative", "In the red"),
    ("payouts_count", "Payouts"),
    ("payouts", "Paid out"),
    ("payouts_total", "Paid out"),
    ("period_start", "From"),
    ("period_end", "To"),
    ("mail_status", "Mail"),
    ("mail_to", "Mail to"),
    ("corrects", "Corrects entry"),
    ("vs", "Against"),
    ("percent", "%"),
    ("median_hours_to_complete", "Median hours"),
    ("median_age_days", "Median age"),
];

/// The heading of a column: `debt_carried` is `Debt carried`, `closed_at` is `Closed`.
pub fn heading(name: &str) -> String {
    if let Some((_, words)) = HEADINGS.iter().find(|(known, _)| *known == name) {
        return (*words).to_owned();
    }
    let moment = name
        .strip_suffix("_at")
        .or_else(|| name.strip_suffix("_on"));
    let words = moment.unwrap_or(name).replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Name and period at the left, company and currency at the right.
pub(in crate::reports::render) fn title(report: &Report) -> (String, String) {
    let period = in_words(report.period);
    let state = match (report.period.to, report.closed_through) {
        (Some(to), Some(closed)) if to <= closed => ", closed".to_owned(),
        (Some(to), Some(closed))
            if report.period.from.is_none_or(|from| from <= closed) && closed < to =>
        {
            format!(", closed to {closed}")
        }
        _ => String::new(),
    };
    let name = report.name.replace('-', " ").to_uppercase();
    let mut left = if period.is_empty() {
        name
    } else {
        format!("{name}  {period}{state}")
    };
    if let Some(versus) = &report.versus {
        left.push_str(&format!(", against {}", in_words(versus.period)));
    }
    let company = [report.company.as_str(), report.currency.as_str()];
    let right = company.into_iter().filter(|word| !word.is_empty());
    (left, right.collect::<Vec<_>>().join(" · "))
}

pub(in crate::reports::render) fn in_words(period: DateRange) -> String {
    match (period.from, period.to) {
        (None, None) => String::new(),
        (Some(from), Some(to)) => {
            let whole = |unit: &Unit| unit.around(from) == (from, to);
            match Unit::ALL.into_iter().find(whole) {
                Some(Unit::Day) => from.civil().strftime("%A %-d %B %Y").to_string(),
                Some(Unit::Month) => from.civil().strftime("%B %Y").to_string(),
                Some(Unit::Quarter) => {
                    let quarter = (from.civil().month() + 2) / 3;
                    format!("Q{quarter} {}", from.civil().year())
                }
                Some(Unit::Year) => from.civil().year().to_string(),
                Some(Unit::Week) => format!("week {}", between(from, to)),
                None => between(from, to),
            }
        }
        (Some(from), None) => format!("from {}", date(from)),
        (None, Some(to)) => format!("to {}", date(to)),
    }
}

fn between(from: BusinessDate, to: BusinessDate) -> String {
    let is_same = |unit: Unit| unit.around(from) == unit.around(to);
    let from = from.civil();
    let from = match (is_same(Unit::Month), is_same(Unit::Year)) {
        (true, _) => from.strftime("%-d"),
        (false, true) => from.strftime("%-d %B"),
        (false, false) => from.strftime("%-d %B %Y"),
    };
    format!("{from} to {}", date(to))
}

fn date(date: BusinessDate) -> String {
    date.civil().strftime("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_the_name_in_words() {
        for (name, words) in [
            ("debt_carried", "Debt carried"),
            ("closed_at", "Closed"),
            ("completed_on", "Completed on"),
            ("popugs_negative", "In the red"),
            ("login", "Login"),
        ] {
            assert_eq!(heading(name), words);
        }
    }

    #[test]
    fn a_period_is_said_in_words() {
        let range = |from: &str, to: &str| DateRange {
            from: from.parse().ok(),
            to: to.parse().ok(),
        };
        for (from, to, words) in [
            ("2026-11-29", "2026-11-29", "Sunday 29 November 2026"),
            ("2026-11-01", "2026-11-30", "November 2026"),
            ("2026-10-01", "2026-12-31", "Q4 2026"),
            ("2026-01-01", "2026-12-31", "2026"),
            ("2026-11-16", "2026-11-22", "week 16 to 22 November 2026"),
            ("2026-11-02", "2026-11-05", "2 to 5 November 2026"),
            ("2026-10-28", "2026-11-05", "28 October to 5 November 2026"),
            (
                "2025-12-28",
                "2026-01-05",
                "28 December 2025 to 5 January 2026",
            ),
            ("2026-11-02", "", "from 2 November 2026"),
            ("", "2026-11-02", "to 2 November 2026"),
            ("", "", ""),
        ] {
            assert_eq!(in_words(range(from, to)), words);
        }
    }
}

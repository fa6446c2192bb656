//! The text of a pay mail, readable in 72 columns.
//!
//! Amounts stand first, so that they line up whatever script a title is in.

use std::fmt::Write;

use textwrap::Options;

use crate::domain::displayed::Displayed;
use crate::domain::money::Money;
use crate::mail::pay_mail::{Line, PayMail};

const COLUMNS: usize = 72;
/// The width of the longest kind, `correction`, and two spaces.
const KIND_COLUMNS: usize = 12;

/// Lines end in a line feed; composing makes them CRLF.
pub(super) fn text(mail: &PayMail) -> String {
    let mut text = String::new();
    paragraph(
        &mut text,
        &format!("Hello {},", Displayed(mail.to_name.trim())),
    );
    let (company, currency) = (Displayed(&mail.company), Displayed(&mail.currency));
    paragraph(
        &mut text,
        &format!(
            "{company} pays you {} {currency} for {}.",
            mail.amount, mail.date
        ),
    );
    text.push_str(&summary(mail));
    let (date, zone) = (mail.date, Displayed(&mail.zone));
    paragraph(
        &mut text,
        &format!("Charges and credits of {date} ({zone}), in {currency}:"),
    );
    let amount_columns = mail
        .lines
        .iter()
        .map(|line| signed(line.amount).len())
        .max()
        .unwrap_or(0);
    for line in &mail.lines {
        text.push_str(&entry(line, amount_columns));
    }
    write!(text, "\nPayout {}\n", mail.payout_id).expect("writing to a string");
    text
}

fn paragraph(text: &mut String, words: &str) {
    text.push_str(&textwrap::fill(words, COLUMNS));
    text.push_str("\n\n");
}

fn summary(mail: &PayMail) -> String {
    let rows = [
        (format!("Earned on {}", mail.date), signed(mail.earned)),
        ("Debt brought in".to_owned(), signed(mail.opening)),
        ("You get".to_owned(), mail.amount.to_string()),
    ];
    let columns = rows
        .iter()
        .map(|(_, amount)| amount.len())
        .max()
        .unwrap_or(0);
    let row = |(what, amount): &(String, String)| {
        format!(
            "  {what:<24}{amount:>columns$} {}\n",
            Displayed(&mail.currency)
        )
    };
    rows.iter().map(row).chain(["\n".to_owned()]).collect()
}

fn entry(line: &Line, amount_columns: usize) -> String {
    let amount = signed(line.amount);
    let first = format!(
        "  {amount:>amount_columns$}  {:<KIND_COLUMNS$}",
        line.kind.name()
    );
    let rest = " ".repeat(first.len());
    let jira_id = line
        .jira_id
        .as_deref()
        .map(|id| format!("{} ", Displayed(id)))
        .unwrap_or_default();
    let task = format!("#{} {jira_id}{}", line.task_number, Displayed(&line.title));
    let options = Options::new(COLUMNS)
        .initial_indent(&first)
        .subsequent_indent(&rest);
    textwrap::fill(&task, options) + "\n"
}

/// `+25.00`, `-12.00`, `0.00`
fn signed(amount: Money) -> String {
    let plus = if amount.is_positive() { "+" } else { "" };
    format!("{plus}{amount}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::entry::EntryKind;
    use crate::mail::compose::tests::pay_mail;

    #[test]
    fn the_letter_says_what_is_paid_and_why() {
        let mut mail = pay_mail();
        mail.opening = Money::from_minor(-1_295);
        mail.earned = Money::from_minor(1_295 + 120_000);
        mail.amount = Money::units(1_200);
        mail.lines[0].title =
            "Make the login page remember who somebody is even after the browser was closed".into();
        mail.lines.push(Line {
            kind: EntryKind::Correction,
            task_number: 1204,
            jira_id: Some("POPUG-1204".into()),
            title: "Починить \u{202e}клетку".into(),
            amount: Money::from_minor(118_795),
        });
        insta::assert_snapshot!(text(&mail), @r"
        Hello Анна Кузнецова,

        UberPopug Inc. pays you 1200.00 EUR for 2026-11-22.

          Earned on 2026-11-22    +1212.95 EUR
          Debt brought in           -12.95 EUR
          You get                  1200.00 EUR

        Charges and credits of 2026-11-22 (Europe/Moscow), in EUR:

            -15.00  fee         #12 UP-7 Make the login page remember who
                                somebody is even after the browser was closed
            +40.00  reward      #3 Накормить попугов
          +1187.95  correction  #1204 POPUG-1204 Починить \u{202e}клетку

        Payout 00000000-0000-0000-0000-000000001234
        ");
    }

    #[test]
    fn every_line_fits_and_none_is_left_out() {
        let mut mail = pay_mail();
        mail.company = "Очень длинное название компании ".repeat(6);
        let line = mail.lines[1].clone();
        let title = |number: u64| format!("{number} {}", "鸚鵡".repeat(number as usize % 60));
        mail.lines = (1..=2_000)
            .map(|n| Line {
                task_number: n,
                title: title(n),
                ..line.clone()
            })
            .collect();
        let text = text(&mail);
        assert!(
            text.lines()
                .all(|line| textwrap::core::display_width(line) <= COLUMNS),
            "{text}"
        );
        for number in 1..=2_000 {
            assert!(
                text.contains(&format!("+40.00  reward      #{number} {number}")),
                "{number}"
            );
        }
    }
}

//! beancount's format. Its account names begin with a capital and contain only letters, digits and
//! dashes, so a login is mapped to such a name and stands unchanged beside the account's `open`.

use std::io::{self, Write};

use crate::domain::displayed::Displayed;
use crate::domain::ledger::entry::{Account, EntryKind};
use crate::domain::money::Money;
use crate::reports::journal::{Entry, Heading};

pub(super) fn write_heading(heading: &Heading<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (date, currency) = (heading.first_date, heading.currency);
    writeln!(
        out,
        "; {}, as of sequence {}",
        Displayed(heading.company),
        heading.as_of_sequence
    )?;
    writeln!(out, "\noption \"title\" {}", quoted(heading.company))?;
    writeln!(out, "option \"operating_currency\" \"{currency}\"\n")?;
    for account in [Account::Bank, Account::Rewards, Account::Fees] {
        writeln!(out, "{date} open {} {currency}", account_name(account, ""))?;
    }
    for login in &heading.logins {
        writeln!(
            out,
            "{date} open {} {currency}\n  login: {}",
            account_name(Account::Popug, login),
            quoted(login)
        )?;
    }
    Ok(())
}

pub(super) fn write_entry(
    entry: &Entry<'_>,
    currency: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (debit, credit, amount) = (
        entry.posting.debit,
        entry.posting.credit,
        entry.posting.amount,
    );
    writeln!(
        out,
        "\n{} * {} {}\n  sequence: {}\n  entry: {}\n  {}  {amount} {currency}\n  {}  {} {currency}",
        entry.date,
        quoted(entry.login),
        quoted(&entry.narration()),
        entry.sequence,
        quoted(entry.entry_id),
        account_name(debit, entry.login),
        account_name(credit, entry.login),
        -amount,
    )?;
    if entry.kind == EntryKind::Payout {
        let (next, account) = (entry.date.next(), account_name(Account::Popug, entry.login));
        writeln!(
            out,
            "\n{next} balance {account}  {} {currency}",
            Money::ZERO
        )?;
    }
    Ok(())
}

fn account_name(account: Account, login: &str) -> String {
    match account {
        Account::Bank => "Assets:Bank".to_owned(),
        Account::Rewards => "Expenses:Management:Rewards".to_owned(),
        Account::Fees => "Income:Management:Fees".to_owned(),
        Account::Popug => format!("Liabilities:Popugs:{}", component(login)),
    }
}

/// `anna.k_2` becomes `AnnaDotkBar2`, without loss: a login has no capitals, so a capital after the
/// first character can only begin `Dot` or `Bar`, which stand for `.` and `_`.
fn component(login: &str) -> String {
    let mut name = String::with_capacity(login.len());
    for (at, c) in login.char_indices() {
        match c {
            '.' => name.push_str("Dot"),
            '_' => name.push_str("Bar"),
            _ if at == 0 => name.push(c.to_ascii_uppercase()),
            _ => name.push(c),
        }
    }
    name
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        Displayed(text)
            .to_string()
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_logins_share_an_account() {
        let logins = [
            "a.b", "a_b", "a-b", "ab", "adotb", "a", "0a", "0", "abarb", "a.-b",
        ];
        let names: std::collections::BTreeSet<String> = logins.into_iter().map(component).collect();
        assert_eq!(names.len(), logins.len());
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(allowed) && !name.starts_with(char::is_lowercase)),
            "{names:?}"
        );
        assert_eq!(component("anna.k_2"), "AnnaDotkBar2");
    }
}

//! hledger's journal format.

use std::io::{self, Write};

use crate::domain::displayed::Displayed;
use crate::domain::ledger::entry::{Account, EntryKind};
use crate::reports::journal::{Entry, Heading};

pub(super) fn write_heading(heading: &Heading<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "; {}, as of sequence {}",
        escaped(heading.company),
        heading.as_of_sequence
    )?;
    writeln!(out, "\ncommodity 1000.00 {}\n", heading.currency)?;
    for (account, kind) in [
        (Account::Bank, "A"),
        (Account::Rewards, "X"),
        (Account::Fees, "R"),
    ] {
        writeln!(out, "account {}  ; type:{kind}", account.name(""))?;
    }
    for login in &heading.logins {
        writeln!(out, "account {}  ; type:L", Account::Popug.name(login))?;
    }
    Ok(())
}

pub(super) fn write_entry(
    entry: &Entry<'_>,
    currency: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let asserted = |account| match (entry.kind, account) {
        (EntryKind::Payout, Account::Popug) => format!(" = 0.00 {currency}"),
        _ => String::new(),
    };
    let (debit, credit, amount) = (
        entry.posting.debit,
        entry.posting.credit,
        entry.posting.amount,
    );
    let narration = entry.narration();
    writeln!(
        out,
        "\n{} {} | {}  ; sequence:{}, entry:{}\n    {}  {amount} {currency}{}\n    {}  {} {currency}{}",
        entry.date,
        entry.login,
        escaped(&narration),
        entry.sequence,
        entry.entry_id,
        debit.name(entry.login),
        asserted(debit),
        credit.name(entry.login),
        -amount,
        asserted(credit),
    )
}

/// A semicolon would begin a comment.
fn escaped(text: &str) -> String {
    Displayed(text).to_string().replace(';', "\\u{3b}")
}

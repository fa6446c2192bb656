//! The facts of a pay mail, before they become text.

use crate::domain::id::PayoutId;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::time::BusinessDate;

/// The contents of a mail about a user's payout for one date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PayMail {
    pub payout_id: PayoutId,
    pub company: String,
    /// ISO 4217.
    pub currency: String,
    /// The IANA name of the time zone of the date.
    pub zone: String,
    pub date: BusinessDate,
    pub to_name: String,
    pub to_address: String,
    /// Above zero; equals `opening + earned`.
    pub amount: Money,
    /// The debt brought in: zero or below.
    pub opening: Money,
    /// The sum of `lines`.
    pub earned: Money,
    /// Every charge and credit of the date, in the order to show them.
    pub lines: Vec<Line>,
}

/// One charge or credit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub kind: EntryKind,
    pub task_number: u64,
    pub jira_id: Option<String>,
    pub title: String,
    /// Signed from the popug's side: a fee is negative.
    pub amount: Money,
}

//! Reads rows of the notifier's tables.

use rusqlite::Row;

use crate::domain::event::Transport;
use crate::domain::id::{CompanyId, EventId, PayoutId, Sequence, UserId};
use crate::domain::money::Money;
use crate::domain::time::{BusinessDate, EventTime};
use crate::state::row;

/// The state of a pay mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailState {
    /// The notifier sends it, at once or at its next attempt.
    Pending,
    /// A file of the outbox, which nobody has got.
    Written,
    /// Accepted by a mail server; of simulated history, only recorded.
    Sent,
    /// Sent again only by `mail retry`.
    Failed,
}

impl MailState {
    pub const ALL: [MailState; 4] = [
        MailState::Pending,
        MailState::Written,
        MailState::Sent,
        MailState::Failed,
    ];

    /// The state after a mail went out by `transport`.
    pub const fn after(transport: Transport) -> MailState {
        match transport {
            Transport::File => MailState::Written,
            Transport::Smtp | Transport::None => MailState::Sent,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            MailState::Pending => "pending",
            MailState::Written => "written",
            MailState::Sent => "sent",
            MailState::Failed => "failed",
        }
    }

    fn named(name: &str) -> Option<MailState> {
        MailState::ALL
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// A row of a list of pay mails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailRow {
    pub payout_id: PayoutId,
    pub business_date: BusinessDate,
    pub login: String,
    pub name: String,
    pub amount: Money,
    /// The recipient's address, which for an unsent mail is the present one.
    pub to: String,
    pub state: MailState,
    pub attempts: u32,
    /// Only of a pending mail that failed before.
    pub next_try: Option<EventTime>,
    pub last_error: Option<String>,
    /// The sequence of the payout.
    pub sequence: Sequence,
}

/// A mail to send now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct OwedMail {
    pub waiting: WaitingMail,
    pub name: String,
    pub email: String,
}

/// The facts of a mail to send that are compared with the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct WaitingMail {
    pub payout_id: PayoutId,
    /// The sequence of `payout.made`.
    pub sequence: Sequence,
    pub user_id: UserId,
    pub amount: Money,
    pub date: BusinessDate,
    pub opening: Money,
    pub earned: Money,
    pub made_at: EventTime,
    pub imported: bool,
    /// The number of attempts.
    pub attempts: u32,
    /// The cause of the next attempt.
    pub cause: EventId,
    /// Whether an attempt succeeded.
    pub was_sent: bool,
}

/// The facts about the company in every mail.
pub(super) struct CompanyRow {
    pub id: CompanyId,
    pub name: String,
    pub zone: String,
    pub currency: String,
}

pub(super) fn company(row: &Row<'_>) -> rusqlite::Result<CompanyRow> {
    Ok(CompanyRow {
        id: CompanyId::from_uuid(row::uuid(row, "company_id")?),
        name: row.get("name")?,
        zone: row.get("time_zone")?,
        currency: row.get("currency")?,
    })
}

pub(super) fn owed_mail(row: &Row<'_>) -> rusqlite::Result<OwedMail> {
    Ok(OwedMail {
        waiting: waiting_mail(row)?,
        name: row.get("full_name")?,
        email: row.get("email")?,
    })
}

pub(super) fn waiting_mail(row: &Row<'_>) -> rusqlite::Result<WaitingMail> {
    Ok(WaitingMail {
        payout_id: PayoutId::from_uuid(row::uuid(row, "payout_id")?),
        sequence: Sequence(row.get("sequence")?),
        user_id: row::user_id(row, "user_id")?,
        amount: money(row, "amount")?,
        date: date(row)?,
        opening: money(row, "opening")?,
        earned: money(row, "earned")?,
        made_at: row::time(row, "made_at")?,
        imported: row.get("imported")?,
        attempts: row.get("attempts")?,
        cause: EventId::from_uuid(row::uuid(row, "cause")?),
        was_sent: row.get::<_, Option<String>>("sent_to")?.is_some(),
    })
}

pub(super) fn mail_row(row: &Row<'_>) -> rusqlite::Result<MailRow> {
    let state: String = row.get("state")?;
    let state = MailState::named(&state).ok_or(rusqlite::Error::InvalidQuery)?;
    let is_done = matches!(state, MailState::Sent | MailState::Written);
    let sent_to: Option<String> = row.get("sent_to")?;
    let next_try: Option<i64> = row.get("next_try")?;
    Ok(MailRow {
        payout_id: PayoutId::from_uuid(row::uuid(row, "payout_id")?),
        business_date: date(row)?,
        login: row.get("login")?,
        name: row.get("full_name")?,
        amount: money(row, "amount")?,
        to: sent_to
            .filter(|_| is_done)
            .map_or_else(|| row.get("email"), Ok)?,
        state,
        attempts: row.get("attempts")?,
        next_try: next_try.and_then(EventTime::from_micros),
        last_error: row.get("last_error")?,
        sequence: Sequence(row.get("sequence")?),
    })
}

fn money(row: &Row<'_>, column: &str) -> rusqlite::Result<Money> {
    row.get(column).map(Money::from_minor)
}

fn date(row: &Row<'_>) -> rusqlite::Result<BusinessDate> {
    row.get("business_date").map(BusinessDate::from_epoch_days)
}

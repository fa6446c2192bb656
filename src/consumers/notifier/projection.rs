//! Applies an event to the notifier's tables.
//!
//! Invariant: a row follows from events alone, so a rebuild knows for every mail whether, when and
//! as which attempt it is to be sent next.

use rusqlite::{Connection, params};

use crate::consumers::notifier::rows::MailState;
use crate::domain::IMPORT_KEY_PREFIX;
use crate::domain::event::{CompanyFounded, Event, MailFailed, MailSent, PayoutMade};
use crate::mail::schedule::{NextTry, after_failure};
use crate::state::Recorded;
use crate::state::row::Blob;

pub(super) fn apply(db: &Connection, recorded: &Recorded<'_>) -> rusqlite::Result<()> {
    match recorded.event.as_ref() {
        Event::CompanyFounded(e) => found_company(db, e),
        Event::UserRegistered(e) => execute(
            db,
            "INSERT INTO users VALUES (?1, ?2, ?3, ?4)",
            params![Blob::from(e.user_id), e.login, e.full_name, e.email],
        ),
        Event::UserChanged(e) => execute(
            db,
            "UPDATE users SET full_name = coalesce(?2, full_name), email = coalesce(?3, email)
             WHERE user_id = ?1",
            params![Blob::from(e.user_id), e.full_name, e.email],
        ),
        Event::PayoutMade(e) => owe_mail(db, recorded, e),
        Event::MailSent(e) => mail_went_out(db, recorded, e),
        Event::MailFailed(e) => mail_stayed(db, recorded, e),
        // Users who left or changed their role still get their mails.
        Event::UserRoleChanged(_)
        | Event::UserDeactivated(_)
        | Event::UserReactivated(_)
        | Event::UserPasswordReset(_)
        | Event::TaskCreated(_)
        | Event::TaskChanged(_)
        | Event::TaskAssigned(_)
        | Event::TasksReshuffled(_)
        | Event::TaskCompleted(_)
        | Event::TaskCancelled(_)
        | Event::TaskPriced(_)
        | Event::BalanceChanged(_)
        | Event::TaskSettled(_)
        | Event::DayClosed(_)
        | Event::EventSetAside(_)
        | Event::EventRetried(_)
        | Event::EventSkipped(_) => Ok(()),
    }
}

/// Why the event cannot be applied to what the tables hold, if that is so.
pub(super) fn contradiction(db: &Connection, event: &Event) -> rusqlite::Result<Option<String>> {
    let is_there = |sql: &str, id: Blob| db.prepare_cached(sql)?.exists(params![id]);
    Ok(match event {
        Event::CompanyFounded(_) if db.prepare_cached("SELECT 1 FROM company")?.exists([])? => {
            Some("the company was founded before".to_owned())
        }
        Event::UserRegistered(e)
            if is_there(
                "SELECT 1 FROM users WHERE user_id = ?1",
                Blob::from(e.user_id),
            )? =>
        {
            Some(format!("the user {} was registered before", e.user_id))
        }
        Event::PayoutMade(e)
            if is_there(
                "SELECT 1 FROM payouts WHERE payout_id = ?1",
                Blob::from(e.payout_id),
            )? =>
        {
            Some(format!("the payout {} was made before", e.payout_id))
        }
        _ => None,
    })
}

fn found_company(db: &Connection, e: &CompanyFounded) -> rusqlite::Result<()> {
    execute(
        db,
        "INSERT INTO company VALUES (1, ?1, ?2, ?3, ?4)",
        params![Blob::from(e.company_id), e.name, e.time_zone, e.currency],
    )
}

fn owe_mail(db: &Connection, recorded: &Recorded<'_>, e: &PayoutMade) -> rusqlite::Result<()> {
    execute(
        db,
        "INSERT INTO payouts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 'pending', NULL, ?10, NULL, NULL)",
        params![
            recorded.sequence.0,
            Blob::from(e.payout_id),
            Blob::from(e.user_id),
            e.amount.minor(),
            e.business_date.epoch_days(),
            e.opening.minor(),
            e.earned.minor(),
            recorded.time.micros(),
            recorded.command_id.starts_with(IMPORT_KEY_PREFIX),
            Blob::from(recorded.id),
        ],
    )
}

fn mail_went_out(db: &Connection, recorded: &Recorded<'_>, e: &MailSent) -> rusqlite::Result<()> {
    execute(
        db,
        "UPDATE payouts SET state = ?5, attempts = ?2, next_try = NULL, cause = ?3, last_error = NULL, sent_to = ?4
         WHERE payout_id = ?1",
        params![
            Blob::from(e.payout_id),
            e.attempt,
            Blob::from(recorded.id),
            e.to,
            MailState::after(e.transport).name()
        ],
    )
}

fn mail_stayed(db: &Connection, recorded: &Recorded<'_>, e: &MailFailed) -> rusqlite::Result<()> {
    let (state, next_try) = match after_failure(e.attempt, e.permanent, recorded.time) {
        NextTry::At(time) => ("pending", Some(time.micros())),
        NextTry::OnRequest => ("failed", None),
    };
    execute(
        db,
        "UPDATE payouts SET state = ?2, attempts = ?3, next_try = ?4, cause = ?5, last_error = ?6
         WHERE payout_id = ?1",
        params![
            Blob::from(e.payout_id),
            state,
            e.attempt,
            next_try,
            Blob::from(recorded.id),
            e.error
        ],
    )
}

fn execute(db: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute(params).map(drop)
}

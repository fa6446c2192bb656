//! The notifier: one pay mail for each payout (rule A9).
//!
//! - `projection` applies payouts and results of mails to the notifier's tables.
//! - `recorded` compares the waiting mails with the log before any is sent.
//! - `attempt` sends the due mails on the route that `routes` gives, with the charges and credits of
//!   `ledger`, and appends the results.
//!
//! Invariant: only a process that holds notifier.lock sends a mail, and only after its tables are
//! at the head of the log, so that no recorded mail is sent again. A failing mail holds up no
//! other. notifier.lock is taken before accounting.lock.

mod attempt;
mod ledger;
mod outlook;
mod projection;
mod recorded;
mod routes;
mod rows;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Instant;

pub use outlook::{Outlook, Outstanding, outlook};
pub use routes::{MailRoutes, Outgoing};
pub use rows::{MailRow, MailState};
pub use tables::MailTables;

use crate::consumers::feed::check_on_chain;
use crate::consumers::process_lock::ProcessLock;
use crate::consumers::run::{PAUSE, SLICE};
use crate::consumers::standing::{Obstacle, Standing};
use crate::consumers::withheld::Withheld;
use crate::consumers::{ConsumeError, Consumed, WriterAccess};
use crate::domain::event::Consumer;
use crate::domain::id::{PayoutId, Sequence};
use crate::domain::time::BusinessDate;
use crate::event_log::remote::{Turn as TurnThere, TurnOf};
use crate::state::{Check, Checkpoint, StateError};
use crate::turn::Surroundings;
use crate::turn::clock::check_clock;
use attempt::attempt;
use recorded::hold_to_log;
use rows::OwedMail;

/// The number of mails that are sent before their results are appended.
const GROUP_MAILS: usize = 1_000;

/// The result of `mail retry`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Retried {
    /// It was sent earlier, or written and there is no server to send it; nothing was done.
    AlreadySent(MailRow),
    /// One more attempt was made; the row has its result.
    Attempted(MailRow),
    /// In a dry run: an attempt would be made.
    Owed(MailRow),
}

/// The result of `mail resend`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resent {
    /// The mails that were sent, or would be in a dry run.
    pub rows: Vec<MailRow>,
    /// The number of mails that are for the outbox only.
    pub held: u64,
}

/// Brings the notifier to the head and sends mails until none is due. On a draft of the log no mail
/// is sent.
///
/// # Errors
/// A failed mail is no error: it is recorded and retried later.
pub fn consume<'l>(
    around: &Surroundings<'l>,
    access: &mut WriterAccess<'_, 'l>,
    routes: &MailRoutes,
) -> Result<Consumed, ConsumeError> {
    let mut lock = take_locks(around)?;
    let tables = MailTables::open(around, Check::Headers)?;
    let from = tables.checkpoint()?.sequence;
    let mut appended = 0;
    let mut slice_ends = Instant::now() + SLICE;
    let mut is_held_to_log = false;
    loop {
        let mut due_now = if around.log.is_draft() {
            (Vec::new(), Sequence::ZERO)
        } else {
            due(around, access, &tables)?
        };
        if !due_now.0.is_empty() && !std::mem::replace(&mut is_held_to_log, true) {
            hold_to_log(around, &tables, &[])?;
            due_now = due(around, access, &tables)?;
        }
        let (mails, as_of) = due_now;
        if mails.is_empty() {
            let to = tables.checkpoint()?.sequence;
            return Ok(Consumed {
                consumer: Consumer::Notifier,
                from,
                to,
                applied: to.0 - from.0,
                appended,
            });
        }
        appended += attempt(around, access, routes, &tables, (&mails, as_of))?;
        if Instant::now() >= slice_ends {
            drop(lock);
            std::thread::sleep(PAUSE);
            lock = take_locks(around)?;
            slice_ends = Instant::now() + SLICE;
        }
    }
}

/// Rebuilds the tables from the log. Sends nothing.
///
/// # Errors
/// If an event cannot be read; the tables stay as they were.
pub fn rebuild(around: &Surroundings<'_>) -> Result<(), ConsumeError> {
    let _lock = take_lock(around)?;
    // Cleared pages of a damaged file may stay damaged.
    MailTables::open(around, Check::All)?.fill_anew(around)
}

/// Every mail as of the head, by date and login.
///
/// # Errors
/// If the tables cannot be brought to the head.
pub fn list(around: &Surroundings<'_>) -> Result<Vec<MailRow>, ConsumeError> {
    Ok(MailTables::open_at_head(around)?.rows()?)
}

/// The unsent mails in the tables, which are not brought to the head.
pub fn outstanding(around: &Surroundings<'_>) -> Result<Outstanding, ConsumeError> {
    if !around.directory.notifier().exists() {
        return Ok(Outstanding::default());
    }
    Ok(MailTables::open(around, Check::Headers)?.outstanding()?)
}

/// Makes one more attempt at a mail that no server has accepted, due or not. A mail that is a file is
/// sent only if its route leads to a server. `payout` is the payout's id or a prefix of it.
///
/// # Errors
/// [`ConsumeError::UnknownMail`], [`ConsumeError::Ambiguous`]. A mail that fails again is no
/// error.
pub fn retry<'l>(
    around: &Surroundings<'l>,
    access: &mut WriterAccess<'_, 'l>,
    routes: &MailRoutes,
    payout: &str,
) -> Result<Retried, ConsumeError> {
    let _locks = take_locks(around)?;
    let tables = MailTables::open_at_head(around)?;
    let row = row_named(&tables, payout)?;
    let asked = [row.payout_id];
    let states = [MailState::Pending, MailState::Failed, MailState::Written];
    let find = || asked_for(&tables, routes, &asked, &states);
    if around.log.is_draft() {
        let is_owed = !find()?.is_empty();
        return Ok(if is_owed {
            Retried::Owed(row)
        } else {
            Retried::AlreadySent(row)
        });
    }
    hold_to_log(around, &tables, &asked)?;
    let (mails, as_of) = ready_to_record(around, access, &tables, find)?;
    if mails.is_empty() {
        return row_named(&tables, &row.payout_id.to_string()).map(Retried::AlreadySent);
    }
    attempt(around, access, routes, &tables, (&mails, as_of))?;
    tables.catch_up(around)?;
    row_named(&tables, &row.payout_id.to_string()).map(Retried::Attempted)
}

/// Sends mails by their route again, if they are in one of these states and of dates from `since` on.
/// Mails whose route leads to the outbox are held. On a draft of the log no mail is sent.
///
/// # Errors
/// As [`consume`]. A mail that fails is no error.
pub fn resend<'l>(
    around: &Surroundings<'l>,
    access: &mut WriterAccess<'_, 'l>,
    routes: &MailRoutes,
    (states, since): (&[MailState], Option<BusinessDate>),
) -> Result<Resent, ConsumeError> {
    let mut lock = take_locks(around)?;
    let tables = MailTables::open_at_head(around)?;
    let mut rows = tables.rows()?;
    rows.retain(|row| {
        states.contains(&row.state) && since.is_none_or(|since| row.business_date >= since)
    });
    let found: Vec<PayoutId> = rows.iter().map(|row| row.payout_id).collect();
    let mut sent = Vec::new();
    for mail in tables.owed(&found, states)? {
        sent.extend(Some(mail.waiting.payout_id).filter(|_| routes.sends(mail.waiting.imported)));
    }
    let held = (found.len() - sent.len()) as u64;
    if !around.log.is_draft() && !sent.is_empty() {
        hold_to_log(around, &tables, &sent)?;
        for group in sent.chunks(GROUP_MAILS) {
            let find = || asked_for(&tables, routes, group, states);
            let (mails, as_of) = ready_to_record(around, access, &tables, find)?;
            if !mails.is_empty() {
                attempt(around, access, routes, &tables, (&mails, as_of))?;
            }
            drop(lock);
            std::thread::sleep(PAUSE);
            lock = take_locks(around)?;
        }
        tables.catch_up(around)?;
        rows = tables.rows()?;
    }
    drop(lock);
    let sent: HashSet<PayoutId> = sent.into_iter().collect();
    rows.retain(|row| sent.contains(&row.payout_id));
    Ok(Resent { rows, held })
}

/// The mails of these payouts that are still in one of these states, without those that have been
/// written and would only be written again.
fn asked_for(
    tables: &MailTables,
    routes: &MailRoutes,
    payouts: &[PayoutId],
    states: &[MailState],
) -> Result<Vec<OwedMail>, StateError> {
    let mut mails = tables.owed(payouts, states)?;
    mails.retain(|mail| !mail.waiting.was_sent || routes.sends(mail.waiting.imported));
    Ok(mails)
}

/// The progress of the tables, which are not brought to the head.
///
/// # Errors
/// If the file cannot be read, or was made from another log.
pub fn standing(around: &Surroundings<'_>, withheld: &Withheld) -> Result<Standing, ConsumeError> {
    let consumer = Consumer::Notifier;
    if !around.directory.notifier().exists() {
        return Ok(Standing::at(consumer, Checkpoint::START));
    }
    let tables = MailTables::open(around, Check::Headers)?;
    let checkpoint = tables.checkpoint()?;
    check_on_chain(around, consumer, &checkpoint)?;
    let stop = tables.stop(around.log, |event| withheld.is_decided(event))?;
    Ok(Standing::at(consumer, checkpoint).stopped_by(stop.map(Obstacle::Contradiction)))
}

/// Brings the tables on as far as possible, without sending mails, and runs `work` with the result
/// while no other process may send.
///
/// # Errors
/// If the lock is held for too long, or the error of `work`.
pub fn while_caught_up<T, E: From<ConsumeError>>(
    around: &Surroundings<'_>,
    work: impl FnOnce(Result<(), ConsumeError>) -> Result<T, E>,
) -> Result<T, E> {
    let _lock = take_lock(around)?;
    work(MailTables::open_at_head(around).map(drop))
}

/// The locks of a process that sends mails: on this machine, and among those that share the log.
fn take_locks<'l>(
    around: &Surroundings<'l>,
) -> Result<(Option<TurnThere<'l>>, ProcessLock), ConsumeError> {
    let turn = around.take_turn_there(TurnOf::Mails)?;
    Ok((turn, take_lock(around)?))
}

fn take_lock(around: &Surroundings<'_>) -> Result<ProcessLock, ConsumeError> {
    ProcessLock::take_in(around, &around.directory.lock(Consumer::Notifier.name()))
}

/// The next mails to send, and the event as of which they wait.
fn due<'l>(
    around: &Surroundings<'l>,
    access: &mut WriterAccess<'_, 'l>,
    tables: &MailTables,
) -> Result<(Vec<OwedMail>, Sequence), ConsumeError> {
    tables.catch_up(around)?;
    if tables.due(around.clock.now(), 1)?.is_empty() {
        return Ok((Vec::new(), Sequence::ZERO));
    }
    ready_to_record(around, access, tables, || {
        tables.due(around.clock.now(), GROUP_MAILS)
    })
}

/// The result of `find` at the head, and the event at the head, after a check that results could be
/// appended now: no mail is sent while the log is locked, damaged or ahead of the clock.
fn ready_to_record<'l, T>(
    around: &Surroundings<'l>,
    access: &mut WriterAccess<'_, 'l>,
    tables: &MailTables,
    find: impl FnOnce() -> Result<T, StateError>,
) -> Result<(T, Sequence), ConsumeError> {
    access.in_turn(around, |turn| {
        tables.catch_up(around)?;
        check_clock(turn.last_time(), around)?;
        Ok((find()?, turn.head().sequence))
    })
}

fn row_named(tables: &MailTables, payout: &str) -> Result<MailRow, ConsumeError> {
    let mut rows = tables.rows_named(payout)?;
    let name = payout.to_owned();
    match rows.pop() {
        None => Err(ConsumeError::UnknownMail { name }),
        Some(row) if rows.is_empty() => Ok(row),
        Some(last) => {
            let candidates = rows
                .iter()
                .chain([&last])
                .map(|row| row.payout_id.to_string())
                .collect();
            let what = "mails";
            Err(ConsumeError::Ambiguous {
                name,
                what,
                candidates,
            })
        }
    }
}

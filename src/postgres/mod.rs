//! A remote of the log in PostgreSQL: one row an event, one head row a company.
//!
//! Safety rests on one statement alone: `UPDATE popug.head ... WHERE sequence = ... AND hash = ...`
//! in the transaction that stores the lines. Advisory locks of the session only keep others from
//! deciding in vain. [`address`] reads the URL, `session` connects, waits with deadlines and hears
//! notices, `tls` verifies the server.

pub mod address;
mod session;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::types::Type;

pub use address::Address;
pub use session::NO_TABLES;
use session::{Lost, Session};

use crate::domain::id::{CompanyId, Sequence};
use crate::domain::time::EventTime;
use crate::event_log::remote::{End, Remote, Standing, Turn, TurnOf};
use crate::event_log::{Hash, LogError};

/// The SQL that makes the tables, the triggers and the role.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Events of one statement.
const READ_AT_ONCE: u64 = 5_000;
const WRITTEN_AT_ONCE: usize = 5_000;
/// An answer gets at least this long, even if no lock is waited for.
const WITHIN_MIN: Duration = Duration::from_secs(1);
/// After a failure the same answer is given at once for so long, so that one command does not wait
/// twice for a server that does not answer.
const REMEMBERED: Duration = Duration::from_secs(2);

/// The log of one company in a database. It connects when it is first asked.
pub struct Postgres {
    address: Address,
    company: CompanyId,
    /// The time that an answer may take.
    within: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    /// Counts sessions. A turn ends with the session in which it was taken.
    number: u64,
    failed: Option<(Instant, Lost)>,
}

/// A company in a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub company: CompanyId,
    pub sequence: Sequence,
    /// Its first line.
    pub first_line: String,
}

impl Postgres {
    pub fn new(address: Address, company: CompanyId, within: Duration) -> Postgres {
        Postgres {
            address,
            company,
            within: within.max(WITHIN_MIN),
            state: Arc::default(),
        }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The companies in the database.
    ///
    /// # Errors
    /// [`LogError::Unreachable`], [`LogError::Refused`]
    pub fn companies(address: &Address, within: Duration) -> Result<Vec<Found>, LogError> {
        let named = |lost: Lost| lost.before_commit(&address.names());
        let session = Session::open(address, within).map_err(named)?;
        let sql = "SELECT h.company, h.sequence, e.line FROM popug.head h \
                   JOIN popug.event e ON e.company = h.company AND e.sequence = 1 ORDER BY h.company";
        let rows = session.simple(sql, within).map_err(named)?;
        let found = rows.rows.into_iter().filter_map(|row| {
            let [company, sequence, first_line] = <[String; 3]>::try_from(row).ok()?;
            Some(Found {
                company: company.parse().ok()?,
                sequence: Sequence(sequence.parse().ok()?),
                first_line,
            })
        });
        Ok(found.collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in the session, which is opened if there is none. A session in which something
    /// went wrong is closed, and with it its transaction.
    fn within_session<T>(
        &self,
        work: impl FnOnce(&Session) -> Result<T, Lost>,
    ) -> Result<(T, u64), Lost> {
        let mut state = self.state();
        if let Some((at, lost)) = &state.failed
            && at.elapsed() < REMEMBERED
        {
            return Err(lost.clone());
        }
        if state.session.is_none() {
            match Session::open(&self.address, self.within) {
                Ok(session) => {
                    state.session = Some(session);
                    state.number += 1;
                }
                Err(lost) => {
                    state.failed = Some((Instant::now(), lost.clone()));
                    return Err(lost);
                }
            }
        }
        let session = state.session.as_ref().expect("opened above");
        match work(session) {
            Ok(done) => Ok((done, state.number)),
            Err(lost) => {
                if lost.ends_session() {
                    state.session = None;
                }
                if let Lost::Unreachable(_) = lost {
                    state.failed = Some((Instant::now(), lost.clone()));
                }
                Err(lost)
            }
        }
    }

    fn asked<T>(&self, work: impl FnOnce(&Session) -> Result<T, Lost>) -> Result<T, LogError> {
        let done = self.within_session(work);
        done.map(|(done, _)| done)
            .map_err(|lost| lost.before_commit(&self.name()))
    }

    fn standing_sql(&self) -> String {
        format!(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, h.sequence, h.hash \
             FROM (SELECT 1) AS one LEFT JOIN popug.head h ON h.company = '{}'",
            self.company
        )
    }

    fn standing_of(&self, row: &[String]) -> Result<Standing, Lost> {
        let unreadable = || Lost::Refused(format!("its head cannot be read: {}", row.join(" ")));
        let [time, sequence, hash] = row else {
            return Err(unreadable());
        };
        let time = time.parse().ok().and_then(EventTime::from_micros);
        let end = if sequence.is_empty() {
            (Sequence::ZERO, Hash::ZERO)
        } else {
            let number = sequence.parse().map_err(|_| unreadable())?;
            (Sequence(number), hash.parse().map_err(|()| unreadable())?)
        };
        Ok(Standing { end, time })
    }

    /// The numbers of an advisory lock, which one process of all machines holds.
    fn key(&self, of: TurnOf) -> i64 {
        let text = format!("popug-cli {} {}", self.company, of.name());
        let digits = Hash::of_bytes(text.as_bytes()).to_string();
        u64::from_str_radix(&digits[..16], 16)
            .expect("hex digits")
            .cast_signed()
    }

    /// Who holds a turn, as far as this user may see.
    fn holder(&self, session: &Session, of: TurnOf) -> String {
        let key = self.key(of).cast_unsigned();
        let sql = format!(
            "SELECT a.application_name, coalesce(host(a.client_addr), 'the same machine') \
             FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' \
             AND l.granted AND l.objsubid = 1 AND l.classid = {} AND l.objid = {} LIMIT 1",
            key >> 32,
            key & 0xffff_ffff
        );
        match session.simple(&sql, self.within).map(|found| found.rows) {
            Ok(rows) => rows.first().map_or_else(
                || "another machine".to_owned(),
                |row| format!("{} on {}", row[0], row[1]),
            ),
            Err(_) => "another machine".to_owned(),
        }
    }

    /// Stores the lines in the transaction that moves the head, up to its COMMIT.
    fn prepare(
        &self,
        session: &Session,
        follows: End,
        last: End,
        lines: &[u8],
    ) -> Result<bool, Lost> {
        let (company, within) = (self.company, self.within);
        let ((after, before_hash), (sequence, hash)) = (follows, last);
        let head = if after == Sequence::ZERO {
            format!(
                "INSERT INTO popug.head (company, sequence, hash) \
                 VALUES ('{company}', {sequence}, '{hash}') ON CONFLICT DO NOTHING"
            )
        } else {
            format!(
                "UPDATE popug.head SET sequence = {sequence}, hash = '{hash}' \
                 WHERE company = '{company}' AND sequence = {after} AND hash = '{before_hash}'"
            )
        };
        let moved = session.simple(&format!("BEGIN; {head}"), within)?.changed;
        if moved != 1 {
            session.simple("ROLLBACK", within)?;
            return Ok(false);
        }
        let text = std::str::from_utf8(lines).map_err(|_| Lost::Refused("no UTF-8".to_owned()))?;
        let lines: Vec<&str> = text.lines().collect();
        let mut before = i64::try_from(after.0).unwrap_or(i64::MAX);
        for some in lines.chunks(WRITTEN_AT_ONCE) {
            let sql = "INSERT INTO popug.event (company, sequence, line) \
                       SELECT $1::text::uuid, $2 + number, line \
                       FROM unnest($3) WITH ORDINALITY AS given (line, number)";
            let company = company.to_string();
            let parameters: [session::Parameter<'_>; 3] = [
                (&company, Type::TEXT),
                (&before, Type::INT8),
                (&some, Type::TEXT_ARRAY),
            ];
            session.execute(sql, &parameters, within)?;
            before += i64::try_from(some.len()).unwrap_or(i64::MAX);
        }
        Ok(true)
    }
}

/// A turn in the session that took it.
struct HeldTurn {
    state: Arc<Mutex<State>>,
    number: u64,
    key: i64,
    within: Duration,
}

impl Drop for HeldTurn {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.number != self.number {
            return;
        }
        let unlock = format!("SELECT pg_advisory_unlock({})", self.key);
        let session = state.session.as_ref();
        if session.is_some_and(|session| session.simple(&unlock, self.within).is_err()) {
            // The server frees the locks of a closed session.
            state.session = None;
        }
    }
}

impl Remote for Postgres {
    fn name(&self) -> String {
        self.address.names()
    }

    fn standing(&self) -> Result<Standing, LogError> {
        self.asked(|session| {
            let found = session.simple(&self.standing_sql(), self.within)?;
            self.standing_of(found.last_row())
        })
    }

    fn turn(&self, of: TurnOf, holder: &str, wait: Duration) -> Result<Turn<'_>, LogError> {
        let key = self.key(of);
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || " :.-_".contains(*c);
        let holder: String = holder.chars().filter(is_plain).take(63).collect();
        // A lock_timeout of 0 would wait for ever.
        let millis = wait.as_millis().max(1);
        let sql = format!(
            "SELECT set_config('application_name', '{holder}', false), \
             set_config('lock_timeout', '{millis}', false); \
             SELECT pg_advisory_lock({key}); {}",
            self.standing_sql()
        );
        let taken = self.within_session(|session| match session.simple(&sql, wait + self.within) {
            Ok(found) => Ok(Ok(self.standing_of(found.last_row())?)),
            Err(Lost::Busy(_)) => Ok(Err(self.holder(session, of))),
            Err(lost) => Err(lost),
        });
        match taken.map_err(|lost| lost.before_commit(&self.name()))? {
            (Ok(standing), number) => Ok(Turn {
                standing,
                _held: Box::new(HeldTurn {
                    state: Arc::clone(&self.state),
                    number,
                    key,
                    within: self.within,
                }),
            }),
            (Err(holder), _) => Err(LogError::Locked {
                holder,
                waited_millis: wait.as_millis(),
            }),
        }
    }

    fn append(&self, follows: End, last: End, lines: &[u8]) -> Result<(), LogError> {
        let stored = self.within_session(|session| {
            if !self.prepare(session, follows, last, lines)? {
                let found = session.simple(&self.standing_sql(), self.within)?;
                return Ok(Err(self.standing_of(found.last_row())?.end.0));
            }
            session.commit(self.within).map(Ok)
        });
        match stored {
            Ok((Ok(()), _)) => Ok(()),
            Ok((Err(actual), _)) => Err(LogError::HeadMoved {
                expected: follows.0,
                actual,
            }),
            Err(lost) => Err(lost.before_commit(&self.name())),
        }
    }

    fn read(
        &self,
        after: Sequence,
        through: Sequence,
        take: &mut dyn FnMut(&[u8]) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let mut from = after.0;
        while from < through.0 {
            let to = through.0.min(from + READ_AT_ONCE);
            let sql = format!(
                "COPY (SELECT line FROM popug.event WHERE company = '{}' AND sequence > {from} \
                 AND sequence <= {to} ORDER BY sequence) TO STDOUT (FORMAT binary)",
                self.company
            );
            let lines = self.asked(|session| session.copied(&sql, self.within))?;
            lines.iter().try_for_each(|line| take(line))?;
            if (lines.len() as u64) < to - from {
                return Ok(());
            }
            from = to;
        }
        Ok(())
    }
}

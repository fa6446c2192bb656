//! A connection to PostgreSQL: every wait has a deadline, and every notice is heard.
//!
//! A server that commits while it waits for its standbys may be told to stop waiting. Then it
//! reports success with a warning, although only the server itself has the transaction. So a COMMIT
//! with any warning is in doubt. This program never cancels a query.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, pin_mut};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Connection, Error, SimpleQueryMessage};

use crate::event_log::LogError;
use crate::postgres::address::Address;

/// A value and its type in SQL.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Why the database did not do something.
#[derive(Clone, Debug)]
pub(super) enum Lost {
    /// It was not reached, or did not answer in time. Without a COMMIT it did nothing.
    Unreachable(String),
    /// It answered that it will not.
    Refused(String),
    /// A lock was not free in time.
    Busy(String),
    /// A COMMIT was sent, and it is not known whether it was carried out.
    InDoubt(String),
}

impl Lost {
    /// The error of the remote `name`.
    pub(super) fn before_commit(self, name: &str) -> LogError {
        let name = name.to_owned();
        match self {
            Lost::Unreachable(what) | Lost::Busy(what) => LogError::Unreachable { name, what },
            Lost::Refused(what) => LogError::Refused { name, what },
            Lost::InDoubt(what) => LogError::InDoubt { name, what },
        }
    }

    /// Whether nothing more can be done in the session.
    pub(super) fn ends_session(&self) -> bool {
        !matches!(self, Lost::Busy(_))
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Lost {
        let Some(told) = error.as_db_error() else {
            let what = cause(&error);
            return if is_of_the_network(&error) {
                Lost::Unreachable(what)
            } else {
                Lost::Refused(what)
            };
        };
        let message = told.message().to_owned();
        match told.code().code() {
            "55P03" => Lost::Busy(message),
            // The server starts, stops or has no connection left.
            code if code.starts_with("57P") || code.starts_with("53") || code.starts_with("08") => {
                Lost::Unreachable(message)
            }
            "25006" => Lost::Unreachable(format!("it is a standby: {message}")),
            _ => Lost::Refused(message),
        }
    }
}

/// Whether an error without an answer of the server is about the way to it, and not about the
/// password, the certificate or the settings.
fn is_of_the_network(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.kind() != std::io::ErrorKind::InvalidData;
        }
        source = error.source();
    }
    error.is_closed()
}

/// The last cause of an error, as people call it.
fn cause(error: &Error) -> String {
    let mut last = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        last = error.to_string();
        source = error.source();
    }
    let text = last.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// The answer to a query in text.
#[derive(Default)]
pub(super) struct Answer {
    /// NULL is an empty text.
    pub rows: Vec<Vec<String>>,
    /// The rows that the last statement found or changed.
    pub changed: u64,
}

impl Answer {
    pub(super) fn last_row(&self) -> &[String] {
        self.rows.last().map_or(&[], Vec::as_slice)
    }
}

pub(super) struct Session {
    runtime: Runtime,
    client: Client,
    notices: Arc<Mutex<Vec<String>>>,
}

/// An idle connection is shown to be alive so often.
const ALIVE: Duration = Duration::from_secs(10);

/// Settings of the session: it waits as long as this program does, commits durably, and the server
/// notices soon if this machine is gone.
const SETTINGS: &str = "SELECT set_config(name, wanted, false) FROM (VALUES \
    ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), \
    ('idle_session_timeout', '0'), ('transaction_timeout', '0'), ('tcp_keepalives_idle', '10'), \
    ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'), ('client_min_messages', 'warning'), \
    ('standard_conforming_strings', 'on'), ('default_transaction_isolation', 'read committed'), \
    ('synchronous_commit', CASE current_setting('synchronous_commit') \
        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END)) AS given (of, wanted) \
    JOIN pg_settings ON name = of";

/// What must hold of the database, and how old the server's end of the connection is.
const EXAMINE: &str = "SELECT current_setting('server_encoding'), pg_is_in_recovery()::text, \
    coalesce(to_regclass('popug.event')::text, ''), current_setting('fsync'), \
    (SELECT extract(epoch FROM clock_timestamp() - backend_start) * 1000 FROM pg_stat_activity \
     WHERE pid = pg_backend_pid())::bigint::text";

impl Session {
    /// Connects, and checks that the database can hold a log.
    pub(super) fn open(address: &Address, within: Duration) -> Result<Session, Lost> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Lost::Unreachable(error.to_string()))?;
        let begin = Instant::now();
        let notices = Arc::<Mutex<Vec<String>>>::default();
        let connecting = async {
            let mut config = address.config().clone();
            config.connect_timeout(within);
            config.keepalives_idle(ALIVE);
            config.tcp_user_timeout(within);
            match address.tls().map_err(Lost::Refused)? {
                None => {
                    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
                    listen(connection, Arc::clone(&notices));
                    Ok::<_, Lost>(client)
                }
                Some(tls) => {
                    let (client, connection) = config.connect(tls).await?;
                    listen(connection, Arc::clone(&notices));
                    Ok(client)
                }
            }
        };
        let client = wait_for(&runtime, within, connecting)??;
        let session = Session {
            runtime,
            client,
            notices,
        };
        session.examine(begin, within)?;
        Ok(session)
    }

    fn examine(&self, begin: Instant, within: Duration) -> Result<(), Lost> {
        let answer = self.simple(&format!("{SETTINGS}; {EXAMINE}"), within)?;
        let [encoding, in_recovery, table, fsync, age] = answer.last_row() else {
            return Err(Lost::Refused("it does not tell its settings".to_owned()));
        };
        let refused = |what: &str| Err(Lost::Refused(what.to_owned()));
        if encoding != "UTF8" {
            return refused("the encoding of the database is not UTF8");
        }
        if in_recovery == "true" {
            return Err(Lost::Unreachable(
                "it is a standby, which takes no writes".to_owned(),
            ));
        }
        if table.is_empty() {
            return refused(NO_TABLES);
        }
        if fsync != "on" {
            return refused("its setting fsync is off, so it may lose what it acknowledges");
        }
        // A pooler gives a transaction any of its old connections, and locks would stay on them.
        let age = age.parse().unwrap_or(u64::MAX);
        if Duration::from_millis(age) > begin.elapsed() + Duration::from_secs(1) {
            return refused(POOLED);
        }
        Ok(())
    }

    /// Runs statements without parameters in one exchange.
    pub(super) fn simple(&self, sql: &str, within: Duration) -> Result<Answer, Lost> {
        let messages = wait_for(&self.runtime, within, self.client.simple_query(sql))??;
        let mut answer = Answer::default();
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    let text = |column| row.get(column).unwrap_or_default().to_owned();
                    answer.rows.push((0..row.len()).map(text).collect());
                }
                SimpleQueryMessage::CommandComplete(changed) => answer.changed = changed,
                _ => {}
            }
        }
        Ok(answer)
    }

    /// Runs a statement with parameters in one exchange.
    pub(super) fn execute(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        within: Duration,
    ) -> Result<u64, Lost> {
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = parameters.to_vec();
        let execute = self.client.execute_typed(sql, &parameters);
        Ok(wait_for(&self.runtime, within, execute)??)
    }

    /// Commits. Only a confirmation without a warning is one.
    pub(super) fn commit(&self, within: Duration) -> Result<(), Lost> {
        let heard = || self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        heard().clear();
        let committed = wait_for(&self.runtime, within, self.client.simple_query("COMMIT"));
        match committed {
            Err(lost) => Err(Lost::InDoubt(lost.what())),
            Ok(Err(error)) if is_surely_refused(&error) => Err(error.into()),
            Ok(Err(error)) => Err(Lost::InDoubt(Lost::from(error).what())),
            Ok(Ok(_)) => match heard().first() {
                Some(warning) => Err(Lost::InDoubt(warning.clone())),
                None => Ok(()),
            },
        }
    }

    /// The single column of the rows of a binary COPY.
    pub(super) fn copied(&self, sql: &str, within: Duration) -> Result<Vec<Vec<u8>>, Lost> {
        let copy = wait_for(&self.runtime, within, self.client.copy_out(sql))??;
        pin_mut!(copy);
        let mut bytes = Vec::new();
        while let Some(part) = wait_for(&self.runtime, within, copy.next())? {
            bytes.extend_from_slice(&part?);
        }
        rows_of(&bytes).ok_or_else(|| Lost::Unreachable("its rows cannot be read".to_owned()))
    }
}

/// The refusal of a database without tables.
pub const NO_TABLES: &str = "it has no tables of popug-cli";
const POOLED: &str =
    "a pooler in transaction mode is between; popug-cli needs a session of its own";

impl Lost {
    fn what(self) -> String {
        match self {
            Lost::Unreachable(what)
            | Lost::Refused(what)
            | Lost::Busy(what)
            | Lost::InDoubt(what) => what,
        }
    }
}

/// A COMMIT that the server answered with an error was rolled back; if the server ended the
/// connection, it may have committed before.
fn is_surely_refused(error: &Error) -> bool {
    let severity = error.as_db_error().and_then(|told| told.parsed_severity());
    severity == Some(tokio_postgres::error::Severity::Error)
}

/// Runs `future` until it is done or the time is over.
fn wait_for<T>(
    runtime: &Runtime,
    within: Duration,
    future: impl Future<Output = T>,
) -> Result<T, Lost> {
    let late = |_| Lost::Unreachable(format!("no answer in {}", seconds(within)));
    runtime
        .block_on(async { timeout(within, future).await })
        .map_err(late)
}

fn seconds(within: Duration) -> String {
    if within.subsec_millis() == 0 {
        format!("{} s", within.as_secs())
    } else {
        format!("{} ms", within.as_millis())
    }
}

/// Drives the connection, and keeps its warnings.
fn listen<S, T>(mut connection: Connection<S, T>, notices: Arc<Mutex<Vec<String>>>)
where
    Connection<S, T>: Send + 'static,
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                let mut heard = notices.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push(notice.message().to_owned());
            }
        }
    });
}

/// The fields of `PGCOPY` rows with one column each; `None` if they are not that.
fn rows_of(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
    let mut rest = bytes.strip_prefix(SIGNATURE)?.get(4..)?;
    let number = |length: usize, rest: &mut &[u8]| -> Option<i64> {
        let (digits, after) = rest.split_at_checked(length)?;
        *rest = after;
        let value = digits
            .iter()
            .fold(0, |value, byte| value << 8 | i64::from(*byte));
        let bits = u32::try_from(length * 8).ok()?;
        Some(if value >> (bits - 1) == 1 {
            value - (1 << bits)
        } else {
            value
        })
    };
    let extension = usize::try_from(number(4, &mut rest)?).ok()?;
    rest = rest.get(extension..)?;
    let mut rows = Vec::new();
    loop {
        match number(2, &mut rest)? {
            -1 => return Some(rows),
            1 => {}
            _ => return None,
        }
        let length = usize::try_from(number(4, &mut rest)?).ok()?;
        let (field, after) = rest.split_at_checked(length)?;
        rows.push(field.to_vec());
        rest = after;
    }
}

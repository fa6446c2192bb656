//! The failures of the log, here and elsewhere.

use std::io;

use crate::app::error::in_full;
use crate::cli::failure::{Exit, Failure, RECOVERS, WAIT_LONGER};
use crate::domain::event::Consumer;
use crate::domain::event::bounds::OutOfBounds;
use crate::event_log::LogError;
use crate::postgres::NO_TABLES;

impl From<LogError> for Failure {
    fn from(error: LogError) -> Failure {
        let message = in_full(&error);
        let damaged = |code| Failure::new(Exit::Damaged, code, message.clone());
        match error {
            LogError::Damaged { .. } => damaged("log_damaged")
                .hint("nothing was changed; `popug-cli verify` checks every line")
                .hint("`popug-cli repair --from BACKUP_DIR` replaces the damaged bytes by those of a backup"),
            LogError::NotOnChain { .. } => {
                damaged("not_on_chain").hint("`popug-cli consume NAME --rebuild` rebuilds the tables from this log")
            }
            LogError::TooNew { .. } => damaged("log_too_new").hint("use the version of popug-cli that wrote it"),
            LogError::UnknownVersion { .. } => {
                damaged("unknown_version").hint("a newer popug-cli wrote this event; update this one")
            }
            LogError::Undecodable { .. } => damaged("undecodable").hint("`popug-cli verify` tells more"),
            LogError::OutOfBounds { reason: OutOfBounds::Time(_), .. } => {
                Failure::new(Exit::Failure, "out_of_bounds", message).hint("set the clock right; `date -u` shows it")
            }
            LogError::OutOfBounds { context, .. } => {
                let decider = Consumer::ALL.into_iter().find(|consumer| consumer.context() == context);
                let name = decider.unwrap_or(Consumer::Tracker).name();
                Failure::new(Exit::Failure, "out_of_bounds", message)
                    .hint(format!("it was decided from wrong tables; `popug-cli consume {name} --rebuild` rebuilds them from this log"))
            }
            LogError::Missing { .. } => Failure::new(Exit::NoStore, "no_store", message),
            LogError::Exists { .. } => Failure::new(Exit::Conflict, "store_exists", message),
            LogError::Locked { .. } => {
                Failure::new(Exit::Locked, "locked", message).hint(WAIT_LONGER)
            }
            LogError::HeadMoved { .. } => Failure::new(Exit::Conflict, "head_moved", message).hint("try again"),
            LogError::Io { path, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Failure::new(Exit::Failure, "io", message).denied(&path)
            }
            LogError::Io { path, source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Failure::new(Exit::Failure, "io", message)
                    .hint(format!("move {} out of the way and repeat the command", path.display()))
            }
            LogError::Io { path, source, .. } => Failure::new(Exit::Failure, "io", message)
                .hint(RECOVERS)
                .hint_of_cause(&path, &source),
            LogError::Unreachable { .. } => Failure::new(Exit::Elsewhere, "unreachable", message)
                .hint("reading works, from the copy that is here; repeat the command when the log is back"),
            LogError::InDoubt { .. } => Failure::new(Exit::Elsewhere, "in_doubt", message)
                .hint("the next command on this machine finds out; or repeat it with the same --key"),
            LogError::Refused { what, .. } => {
                let failure = Failure::new(Exit::Failure, "remote_refused", message);
                if what == NO_TABLES {
                    failure.hint("its owner makes them: `popug-cli remote schema | psql DATABASE`")
                } else if what.contains("password") {
                    failure.hint("put the password into ~/.pgpass, or the whole URL into POPUG_LOG_URL")
                } else {
                    failure
                }
            }
            LogError::RolledBack { .. } => damaged("rolled_back")
                .hint("a failover without a synchronous standby does that, and a wrong POPUG_LOG_URL looks the same")
                .hint("this copy keeps what it has: `popug-cli remote push URL` appends it again, if nobody wrote since"),
            LogError::Diverged { .. } => damaged("diverged")
                .hint("nothing was changed; `popug-cli remote status` shows both ends"),
            LogError::DamagedThere { .. } => damaged("remote_damaged")
                .hint("nothing of it was taken over; a copy on another machine may have the event"),
            LogError::ClockAhead { .. } => Failure::new(Exit::Conflict, "clock_ahead", message)
                .hint("nothing was written; set the clock right, `date -u` shows it"),
            LogError::RoleMissing { .. } | LogError::RoleUnreadable { .. } => damaged("role")
                .hint("make a new copy: `popug-cli -C NEW-DIR join URL`"),
            LogError::Poisoned => Failure::new(Exit::Failure, "io", message)
                .hint(RECOVERS),
        }
    }
}

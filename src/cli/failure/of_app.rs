//! The failures of use cases.

use std::path::Path;

use crate::app::AppError;
use crate::app::backup::BackupError;
use crate::app::error::in_full;
use crate::app::repair::RepairError;
use crate::cli::failure::{Exit, Failure};

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Failure {
        let message = in_full(&error);
        match error {
            BackupError::Missing { .. } | BackupError::Foreign { .. } => {
                Failure::new(Exit::NotFound, "no_backup", message).hint("`popug-cli backup DIR` makes one")
            }
            BackupError::IsExport { .. } => Failure::new(Exit::Usage, "is_export", message)
                .hint("reports hold no log; `popug-cli backup DIR` makes a backup, and `restore` takes that"),
            BackupError::Damaged { .. } => Failure::new(Exit::Damaged, "backup_damaged", message)
                .hint("nothing was changed; use another backup, and make a new one in an empty directory"),
            BackupError::TooNew { .. } => Failure::new(Exit::Damaged, "backup_too_new", message)
                .hint("use the version of popug-cli that wrote it"),
            BackupError::NotEmpty { .. } | BackupError::IsStore { .. } => {
                Failure::new(Exit::Conflict, "not_empty", message)
                    .hint("name a directory that does not exist yet, or one with a backup of this company")
            }
            BackupError::OtherCompany { .. } => Failure::new(Exit::Conflict, "other_company", message)
                .hint("each company needs its own backup directory"),
            BackupError::Diverged { .. } => Failure::new(Exit::Damaged, "backup_diverged", message)
                .hint("the log was restored, replaced or cut since; the backup was not touched")
                .hint("keep it, and back up into a new directory"),
            BackupError::BeforeFounding { sequence, .. } => Failure::new(Exit::Conflict, "before_founding", message)
                .hint(format!("the earliest end is --to-sequence {sequence}")),
        }
    }
}

const ACKNOWLEDGED_LATER: &str = "do not repeat it: the next command that can write acknowledges it, and `popug-cli verify` shows it until then";
const RESTORE: &str = "`popug-cli -C NEW-DIR restore BACKUP_DIR` makes a new store from the backup";

impl From<RepairError> for Failure {
    fn from(error: RepairError) -> Failure {
        let message = in_full(&error);
        let damaged = |code| Failure::new(Exit::Damaged, code, message.clone());
        match error {
            RepairError::NeedsBackup { .. } => damaged("log_damaged")
                .hint("nothing was changed; `popug-cli verify` lists every place")
                .hint("`popug-cli repair --from BACKUP_DIR` replaces the damaged bytes by those of a backup"),
            RepairError::BeyondBackup { .. } => damaged("beyond_backup")
                .hint("nothing was changed; try a later backup")
                .hint(format!("{RESTORE}; the events after its end are lost then")),
            RepairError::Foreign { .. } => damaged("foreign_backup")
                .hint("nothing was changed")
                .hint(RESTORE),
            RepairError::Changed => {
                Failure::new(Exit::Conflict, "changed", message).hint("try again")
            }
        }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Failure {
        let message = in_full(&error);
        match error {
            AppError::Rejected(rejection) => rejection.into(),
            AppError::Log(error) => error.into(),
            AppError::State(error) => error.into(),
            AppError::Store(error) => error.into(),
            AppError::Consume(error) => error.into(),
            AppError::Credential(error) => error.into(),
            AppError::Backup(error) => error.into(),
            AppError::Repair(error) => error.into(),
            AppError::Report(error) => error.into(),
            AppError::Io { path, source, .. } => {
                Failure::new(Exit::Failure, "io", message).hint_of_cause(&path, &source)
            }
            AppError::Stream { source, .. } => {
                Failure::new(Exit::Failure, "io", message).hint_of_cause(Path::new(""), &source)
            }
            AppError::NoStore { .. } => Failure::new(Exit::NoStore, "no_store", message)
                .hint("name the store with -C DIR or POPUG_STORE, or found a company with `popug-cli init`"),
            AppError::IsBackup { ref path } => Failure::new(Exit::NoStore, "no_store", message)
                .hint(format!("make a store of it: `popug-cli -C NEW-DIR restore {}`", path.display())),
            AppError::LogMissing { .. } => Failure::new(Exit::Damaged, "log_missing", message)
                .hint("bring log/ back, or restore a backup: `popug-cli -C NEW-DIR restore BACKUP_DIR`"),
            AppError::NoCompany { .. } => Failure::new(Exit::NotFound, "no_company", message)
                .hint("`popug-cli init --log URL` founds a company there"),
            AppError::IsCopy { .. } => Failure::new(Exit::Conflict, "is_copy", message)
                .hint("nothing was changed; `popug-cli -C NEW-DIR join URL` makes another copy"),
            AppError::StoreExists { .. } => {
                Failure::new(Exit::Conflict, "store_exists", message).hint("choose another directory with -C DIR")
            }
            AppError::Ambiguous { candidates, .. } => Failure::ambiguous(message, &candidates),
            AppError::SeveralConsumers { consumers, .. } => {
                let names: Vec<_> = consumers.iter().map(|consumer| consumer.name()).collect();
                Failure::new(Exit::Usage, "ambiguous", message)
                    .hint(format!("say which with --consumer: {}", names.join(", ")))
            }
            AppError::NotLoggedIn => Failure::new(Exit::NotAllowed, "not_logged_in", message)
                .hint("use `popug-cli login LOGIN`, --as LOGIN, or a token in POPUG_TOKEN"),
            AppError::WrongPassword => Failure::new(Exit::NotAllowed, "wrong_password", message)
                .hint("an admin can make a one-time code: `popug-cli user invite LOGIN`"),
            AppError::Pinned { variable } => Failure::new(Exit::NotAllowed, "pinned", message)
                .hint(format!("unset {variable}; only a store that was founded with {variable} set accepts writes with it")),
            AppError::NotAcknowledged { source } => {
                let failure = Failure::from(source);
                let message = format!("{}; the request is written, but not acknowledged", failure.message);
                let hints = vec![ACKNOWLEDGED_LATER.to_owned()];
                Failure { message, hints, ..failure }
            }
            AppError::NoRoom { start, .. } => Failure::new(Exit::Conflict, "no_room", message)
                .hint(format!("found a company earlier: `popug-cli init --founded-at {start}`")),
            AppError::Usage { hint, .. } => {
                let mut failure = Failure::usage(message);
                failure.hints.extend(hint);
                failure
            }
        }
    }
}

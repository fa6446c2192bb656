//! The one error of the command line: heading, hints and exit code are decided here.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::AppError;
use crate::app::backup::BackupError;
use crate::app::error::in_full;
use crate::app::import::ImportKind;
use crate::app::repair::RepairError;
use crate::cli::terminal_guard::harmless_json;
use crate::consumers::ConsumeError;
use crate::credentials::CredentialError;
use crate::credentials::secret::without_tokens;
use crate::domain::displayed::Displayed;
use crate::domain::event::Consumer;
use crate::domain::event::bounds::OutOfBounds;
use crate::domain::rejection::{Rejection, RejectionClass};
use crate::event_log::LogError;
use crate::files::held::named;
use crate::reports::error::ReportError;
use crate::state::StateError;
use crate::store::{StoreError, is_full_disk, is_out_of_memory, is_too_large};

/// Exit codes of the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    Done = 0,
    Failure = 1,
    Usage = 2,
    NotFound = 3,
    Conflict = 4,
    NotAllowed = 5,
    Rejected = 6,
    Findings = 7,
    NoStore = 10,
    Locked = 11,
    Damaged = 12,
    Bug = 70,
    Interrupted = 130,
    Terminated = 143,
}

/// What is told to whoever called.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// A stable name for programs.
    pub code: String,
    pub message: String,
    pub hints: Vec<String>,
    /// Reading stopped at the other end of a pipe: no failure at all.
    pub is_closed_pipe: bool,
    /// An answer could not be written.
    pub is_of_output: bool,
    /// What the system keeps from this account, until [`Failure::explained`] tells why.
    pub denied: Option<PathBuf>,
}

/// Its members stand in the order of the contract.
#[derive(Serialize)]
struct ErrorObject<'a> {
    code: &'a str,
    exit: i32,
    message: &'a str,
    hints: &'a [Cow<'a, str>],
}

impl Failure {
    pub fn new(exit: Exit, code: &str, message: impl Into<String>) -> Failure {
        let (code, message, hints) = (code.to_owned(), message.into(), Vec::new());
        Failure {
            exit,
            code,
            message,
            hints,
            is_closed_pipe: false,
            is_of_output: false,
            denied: None,
        }
    }

    /// The same for the answer of a command.
    #[must_use]
    pub fn of_output(self) -> Failure {
        Failure {
            is_of_output: true,
            ..self
        }
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "usage", message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// The system keeps `path` from this account.
    #[must_use]
    fn denied(self, path: &Path) -> Failure {
        Failure {
            denied: Some(path.to_owned()),
            ..self
        }
    }

    /// What to do about what the system says of `path`.
    #[must_use]
    fn hint_of_cause(self, path: &Path, source: &io::Error) -> Failure {
        use io::ErrorKind as Kind;
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => self.hint(MAKE_ROOM),
            Kind::FileTooLarge => self.hint(MAKE_ROOM).hint(FILE_LIMIT),
            Kind::PermissionDenied => self.denied(path),
            Kind::ReadOnlyFilesystem => {
                self.hint("its disk is mounted read-only: mount it for writing, or use a directory on another disk")
            }
            Kind::NotFound => self.hint("there is nothing at this path; check it"),
            Kind::AlreadyExists => self.hint(MOVE_AWAY),
            _ => self,
        }
    }

    /// For people. What users typed and what the disk holds is in these words, so they are made
    /// safe here once more, and a token that was given where it does not belong is not repeated.
    pub fn text(&self) -> String {
        let mut text = format!(
            "error: {}\n",
            Displayed(&without_tokens(&named(&self.message)))
        );
        for hint in &self.hints {
            let _ = writeln!(text, "hint: {}", Displayed(&without_tokens(&named(hint))));
        }
        text
    }

    /// For programs: one object.
    pub fn json(&self) -> String {
        let (message, hints): (_, Vec<_>) = (
            named(&self.message),
            self.hints.iter().map(|hint| named(hint)).collect(),
        );
        let message = without_tokens(&message);
        let hints = hints
            .iter()
            .map(|hint| without_tokens(hint))
            .collect::<Vec<_>>();
        let error = ErrorObject {
            code: &self.code,
            exit: self.exit as i32,
            message: &message,
            hints: &hints,
        };
        let text = serde_json::to_string(&error).expect("texts and a number are JSON");
        harmless_json(&format!("{{\"error\":{text}}}\n"))
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Failure {
        let exit = match rejection.class() {
            RejectionClass::NotFound => Exit::NotFound,
            RejectionClass::NotAllowed => Exit::NotAllowed,
            RejectionClass::Conflict => Exit::Conflict,
            RejectionClass::Invalid => Exit::Rejected,
        };
        let mut failure = Failure::new(exit, &rejection.code(), rejection.to_string());
        failure.hints.extend(rejection.hint());
        failure
    }
}

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
                .hint("no acknowledged event is lost; the next command recovers the log")
                .hint_of_cause(&path, &source),
            LogError::Poisoned => Failure::new(Exit::Failure, "io", message)
                .hint("no acknowledged event is lost; the next command recovers the log"),
        }
    }
}

/// What to do where DuckDB fails for want of memory or disk.
fn of_tables(source: &duckdb::Error, code: &str, message: String) -> Failure {
    if is_out_of_memory(source) {
        return Failure::new(Exit::Failure, "out_of_memory", message).hint(FEWER_ROWS);
    }
    let failure = Failure::new(Exit::Failure, code, message);
    match (is_full_disk(source), is_too_large(source)) {
        (_, true) => failure.hint(MAKE_ROOM).hint(FILE_LIMIT),
        (true, false) => failure.hint(MAKE_ROOM),
        (false, false) => failure,
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let message = in_full(&error);
        match error {
            StoreError::Locked { .. } => {
                Failure::new(Exit::Locked, "locked", message).hint(WAIT_LONGER)
            }
            StoreError::Damaged { ref path, .. } => {
                let consumer = path.file_stem().unwrap_or_default().to_string_lossy();
                Failure::new(Exit::Failure, "tables_damaged", message).hint(format!(
                    "`popug-cli consume {consumer} --rebuild` rebuilds the tables from the log"
                ))
            }
            StoreError::WriteAhead { .. } => Failure::new(Exit::Failure, "write_ahead", message)
                .hint("`popug-cli consume` removes it and goes on from what the tables hold"),
            StoreError::Replaced { .. } => {
                Failure::new(Exit::Failure, "replaced", message).hint("try again")
            }
            StoreError::DuckDb { source, .. } => of_tables(&source, "tables", message),
            StoreError::Io { path, source, .. } => {
                Failure::new(Exit::Failure, "io", message).hint_of_cause(&path, &source)
            }
        }
    }
}

const WAIT_LONGER: &str = "try again, or wait longer with --lock-wait 60s";
const MOVE_AWAY: &str = "move the file or directory out of the way and repeat the command";
const MAKE_ROOM: &str = "make room on its disk: nothing is lost, and work goes on by itself";
const FEWER_ROWS: &str =
    "nothing was changed; ask for fewer rows at a time, with --from, --to or --user";
const FILE_LIMIT: &str = "`ulimit -f` shows how large a file may become here";
const REBUILD_INDEX: &str =
    "`popug-cli consume tracker --rebuild` rebuilds the index from this log";
const REPEAT: &str = "nothing is lost: repeat the command, and the file is made anew from the log";

impl From<StateError> for Failure {
    fn from(error: StateError) -> Failure {
        match error {
            StateError::Log(error @ LogError::NotOnChain { .. }) => {
                Failure::new(Exit::Damaged, "not_on_chain", in_full(&error)).hint(REBUILD_INDEX)
            }
            StateError::Log(error) => error.into(),
            StateError::Busy { .. } => {
                Failure::new(Exit::Locked, "locked", error.to_string()).hint(WAIT_LONGER)
            }
            refused if refused.is_forbidden() => {
                Failure::new(Exit::Failure, "state_index", in_full(&refused)).denied(refused.path())
            }
            // SQLite does not tell a full disk from a limit on the size of files.
            full if full.is_full_disk() => {
                Failure::new(Exit::Failure, "state_index", in_full(&full))
                    .hint(MAKE_ROOM)
                    .hint(FILE_LIMIT)
            }
            // Whoever is asked who he is, stops here too.
            StateError::Contradiction { .. } => Failure::new(
                Exit::Failure,
                "state_index",
                error.to_string(),
            )
            .hint("`popug-cli verify --deep` tells what the log contradicts, and asks for no login")
            .hint("restore a backup from before it: `popug-cli -C NEW-DIR restore BACKUP_DIR`"),
            lost @ (StateError::Damaged { .. } | StateError::Replaced { .. }) => {
                Failure::new(Exit::Failure, "state_index", in_full(&lost)).hint(REPEAT)
            }
            StateError::MoveAside {
                ref path,
                ref source,
            }
            | StateError::Lock {
                ref path,
                ref source,
            } => Failure::new(Exit::Failure, "state_index", in_full(&error))
                .hint_of_cause(path, source),
            StateError::Sqlite { ref path, .. } if path.ends_with("notifier.sqlite") => {
                Failure::new(Exit::Failure, "tables", in_full(&error)).hint(
                    "`popug-cli consume notifier --rebuild` rebuilds the tables from this log",
                )
            }
            other => {
                Failure::new(Exit::Failure, "state_index", in_full(&other)).hint(REBUILD_INDEX)
            }
        }
    }
}

impl From<ConsumeError> for Failure {
    fn from(error: ConsumeError) -> Failure {
        let message = in_full(&error);
        match error {
            ConsumeError::Log(error) => error.into(),
            ConsumeError::Store(error) => error.into(),
            ConsumeError::State(error) => error.into(),
            ConsumeError::Rejected(rejection) => rejection.into(),
            ConsumeError::Locked { .. } => {
                Failure::new(Exit::Locked, "locked", message).hint(WAIT_LONGER)
            }
            ConsumeError::ForeignTables { consumer, .. } => Failure::new(Exit::Damaged, "foreign_tables", message)
                .hint("the log was restored or replaced since")
                .hint(format!("`popug-cli consume {} --rebuild` rebuilds the tables from this log", consumer.name())),
            ConsumeError::OtherVersion { consumer, .. } => {
                Failure::new(Exit::Failure, "tables_of_another_version", message)
                    .hint(format!("`popug-cli consume {}` rebuilds the tables from the log", consumer.name()))
            }
            ConsumeError::BooksDisagree { .. } => Failure::new(Exit::Damaged, "books_disagree", message)
                .hint("nothing was paid; `popug-cli consume accounting --rebuild` rebuilds the tables from the log"),
            ConsumeError::Stopped { sequence, .. } => Failure::new(Exit::Failure, "consumer_stopped", message)
                .hint(format!("`popug-cli dlq show {sequence}` shows the event"))
                .hint(format!("`popug-cli dlq set-aside {sequence}` lets everything else go on without it")),
            ConsumeError::UnknownMail { .. } => {
                Failure::new(Exit::NotFound, "unknown_mail", message).hint("`popug-cli mail list` shows every mail")
            }
            ConsumeError::AmbiguousMail { candidates, .. } => {
                let candidates: Vec<String> = candidates.iter().map(ToString::to_string).collect();
                Failure::new(Exit::Usage, "ambiguous", message)
                    .hint(format!("it may be one of {}", candidates.join(", ")))
            }
            ConsumeError::Io { path, source, .. } => {
                Failure::new(Exit::Failure, "io", message).hint_of_cause(&path, &source)
            }
        }
    }
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Failure {
        use CredentialError as E;
        let (exit, code) = match &error {
            E::TokenMalformed { .. }
            | E::TokenTampered
            | E::TokenForeign
            | E::TokenExpired { .. }
            | E::TokenRevoked { .. }
            | E::TokenNotListed { .. } => (Exit::NotAllowed, "token_refused"),
            E::TooManyAttempts { .. } => (Exit::NotAllowed, "too_many_attempts"),
            E::OpenToOthers { .. } => (Exit::NotAllowed, "open_to_others"),
            E::PasswordTooShort { .. } | E::PasswordTooLong { .. } => {
                (Exit::Rejected, "bad_password")
            }
            E::BadTtl { .. } => (Exit::Usage, "bad_ttl"),
            E::UnknownToken { .. } => (Exit::NotFound, "unknown_token"),
            E::Exists { .. } => (Exit::Conflict, "credentials_exist"),
            E::Locked { .. } => (Exit::Locked, "locked"),
            E::TooNew { .. } => (Exit::Damaged, "credentials_too_new"),
            _ => (Exit::Failure, "credentials"),
        };
        let mut failure = Failure::new(exit, code, in_full(&error));
        failure.hints.extend(error.hint());
        match error {
            E::Io { path, source, .. } => failure.hint_of_cause(&path, &source),
            _ => failure,
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Failure {
        let message = in_full(&error);
        match error {
            ReportError::Write(error) => error.into(),
            ReportError::NothingConsumed => {
                Failure::new(Exit::Failure, "nothing_consumed", message)
                    .hint("`popug-cli consume` reads the log into the tables")
            }
            ReportError::UserMissing => Failure::usage(message).hint("name the user: --user LOGIN"),
            ReportError::UnknownReport(_) | ReportError::NoPeriod(_) | ReportError::NoUser(_) => {
                Failure::usage(message)
            }
            ReportError::EndBeforeStart { .. } => {
                Failure::usage(message).hint("--from is the first date, --to the last")
            }
            ReportError::Tables(source) => of_tables(&source, "report", message),
            _ => Failure::new(Exit::Failure, "report", message),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let is_closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        let failure = Failure::new(Exit::Failure, "io", format!("cannot write: {error}"))
            .hint_of_cause(Path::new(""), &error);
        Failure {
            is_closed_pipe,
            ..failure
        }
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Failure {
        let message = in_full(&error);
        match error {
            BackupError::Missing { .. } => {
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
            AppError::StoreExists { .. } => {
                Failure::new(Exit::Conflict, "store_exists", message).hint("choose another directory with -C DIR")
            }
            AppError::Ambiguous { candidates, .. } => Failure::new(Exit::Usage, "ambiguous", message)
                .hint(format!("name one of them by number: {}", candidates.join(", "))),
            AppError::SeveralConsumers { consumers, .. } => {
                let names: Vec<_> = consumers.iter().map(|consumer| consumer.name()).collect();
                Failure::new(Exit::Usage, "ambiguous", message)
                    .hint(format!("say which with --consumer: {}", names.join(", ")))
            }
            AppError::NotLoggedIn => Failure::new(Exit::NotAllowed, "not_logged_in", message)
                .hint("use `popug-cli login LOGIN`, --as LOGIN, or a token in POPUG_TOKEN"),
            AppError::WrongPassword => Failure::new(Exit::NotAllowed, "wrong_password", message)
                .hint("an admin can set a new one: `popug-cli user set-password LOGIN`"),
            AppError::Pinned { variable } => Failure::new(Exit::NotAllowed, "pinned", message)
                .hint(format!("unset {variable}; only a store that was founded with {variable} set accepts writes with it")),
            AppError::BadCsv { hints, .. } => Failure { hints, ..Failure::new(Exit::Rejected, "bad_csv", message) },
            AppError::BadRows { .. } => Failure::new(Exit::Rejected, "bad_rows", message),
            AppError::ImportStopped { kind, in_log, rows, source } => {
                let failure = Failure::from(*source);
                let message = format!("{}; {in_log} of {rows} rows are in the log", failure.message);
                let stopped = Failure { message, ..failure }.hint("run the same command again to go on");
                match kind {
                    ImportKind::Users | ImportKind::Tasks => stopped,
                    ImportKind::Activity => stopped.hint(
                        "do so before anything of today is written: after that the rest of the history is refused",
                    ),
                }
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

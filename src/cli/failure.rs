//! The one error of the command line: heading, hints and exit code are decided here.

mod of_app;
mod of_log;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::app::error::in_full;
use crate::cli::terminal_guard::harmless_json;
use crate::cli::tips::column_meant;
use crate::consumers::ConsumeError;
use crate::credentials::CredentialError;
use crate::credentials::secret::without_tokens;
use crate::domain::displayed::Displayed;
use crate::domain::rejection::{Rejection, RejectionClass};
use crate::event_log::LogError;
use crate::files::held::named;
use crate::files::process::has_file_limit;
use crate::reports::error::ReportError;
use crate::state::{LiveFile, StateError, move_aside};
use crate::store::{StoreError, is_full_disk, is_out_of_memory};

/// Exit codes of the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exit {
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
    Elsewhere = 13,
    Bug = 70,
    Interrupted = 130,
    Terminated = 143,
}

/// The error as the user sees it.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: Exit,
    /// A stable name for programs.
    pub code: String,
    pub message: String,
    pub hints: Vec<String>,
    /// The reader of the pipe has ended, which is no failure.
    pub is_closed_pipe: bool,
    /// An answer could not be written.
    pub is_of_output: bool,
    /// The file that the system denies to this account, until [`Failure::explained`] adds the
    /// reason.
    pub denied: Option<PathBuf>,
    /// The damaged file, until [`Failure::with_damage_moved_aside`] moves it aside.
    pub damaged: Option<Arc<LiveFile>>,
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
    pub(super) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Failure {
        let (code, message, hints) = (code.to_owned(), message.into(), Vec::new());
        Failure {
            exit,
            code,
            message,
            hints,
            is_closed_pipe: false,
            is_of_output: false,
            denied: None,
            damaged: None,
        }
    }

    /// The same for the answer of a command.
    #[must_use]
    pub(super) fn of_output(self) -> Failure {
        Failure {
            is_of_output: true,
            ..self
        }
    }

    pub(super) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "usage", message)
    }

    /// A name has several meanings.
    fn ambiguous(message: String, candidates: &[String]) -> Failure {
        let candidates = candidates.join(", ");
        Failure::new(Exit::Usage, "ambiguous", message)
            .hint(format!("name one of them: {candidates}"))
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// Adds the options of the command by which it needs less memory, if that is the cause.
    #[must_use]
    pub(super) fn hint_of_memory(self, options: &str) -> Failure {
        if self.code == OUT_OF_MEMORY {
            self.hint(format!("or ask for fewer rows at a time, with {options}"))
        } else {
            self
        }
    }

    /// The failure of a command that does not append to the log of a store: it needs no recovery.
    #[must_use]
    pub(super) fn without_recovery(mut self) -> Failure {
        self.hints.retain(|hint| hint != RECOVERS);
        self
    }

    /// The system denies `path` to this account.
    #[must_use]
    fn denied(self, path: &Path) -> Failure {
        Failure {
            denied: Some(path.to_owned()),
            ..self
        }
    }

    /// Moves the damaged file aside, so that the next command rebuilds it. This happens once, at
    /// the end of a command, and nowhere else.
    #[must_use]
    pub(super) fn with_damage_moved_aside(mut self) -> Failure {
        let Some(file) = self.damaged.take() else {
            return self;
        };
        match move_aside(&file) {
            Ok(Some(aside)) => {
                self.hint(format!("the damaged file is kept as {}", aside.display()))
            }
            // Another command has moved it.
            Ok(None) => self,
            Err(error) => {
                let stays = Failure::from(error);
                self.message = format!("{}; {}", self.message, stays.message);
                self.hints.retain(|hint| hint != REPEAT);
                self.hints.extend(stays.hints);
                self.denied = stays.denied;
                self
            }
        }
    }

    /// Adds the hint for a file that cannot grow. Neither SQLite nor DuckDB distinguishes a full
    /// disk from a limit on files.
    #[must_use]
    fn hint_of_room(self) -> Failure {
        let failure = self.hint(MAKE_ROOM);
        if has_file_limit() {
            failure.hint(FILE_LIMIT)
        } else {
            failure
        }
    }

    /// Adds the hint for an error of the system about `path`.
    #[must_use]
    pub(super) fn hint_of_cause(self, path: &Path, source: &io::Error) -> Failure {
        use io::ErrorKind as Kind;
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => self.hint_of_room(),
            Kind::PermissionDenied => self.denied(path),
            Kind::ReadOnlyFilesystem => {
                self.hint("its disk is mounted read-only: mount it for writing, or use a directory on another disk")
            }
            Kind::NotFound => self.hint("there is nothing at this path; check it"),
            Kind::AlreadyExists => self.hint(MOVE_AWAY),
            _ => self,
        }
    }

    /// For people. The text contains words of users and of the disk, so it is escaped once more
    /// here, and a token in a wrong place is not repeated.
    pub(super) fn text(&self) -> String {
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
    pub(super) fn json(&self) -> String {
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

/// The failure of DuckDB for lack of memory or disk, with its hint.
fn of_tables(source: &duckdb::Error, code: &str, message: String) -> Failure {
    if is_out_of_memory(source) {
        return Failure::new(Exit::Failure, OUT_OF_MEMORY, message).hint(MORE_MEMORY);
    }
    let failure = Failure::new(Exit::Failure, code, message);
    if is_full_disk(source) {
        failure.hint_of_room()
    } else {
        failure
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
                .hint("`popug-cli consume` removes it and continues after the checkpoint of the tables"),
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
const MAKE_ROOM: &str = "make room on its disk";
const OUT_OF_MEMORY: &str = "out_of_memory";
const MORE_MEMORY: &str = "make room on the disk of the store, or use a machine with more memory: what the tables give fits into neither";
const FILE_LIMIT: &str = "`ulimit -f` limits the size of a file here; raise it";
const REBUILD_INDEX: &str =
    "`popug-cli consume tracker --rebuild` rebuilds the index from this log";
const RECOVERS: &str = "no acknowledged event is lost; the next command recovers the log";
const REPEAT: &str = "nothing is lost: repeat the command, and the file is rebuilt from the log";

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
            full if full.is_full_disk() => {
                Failure::new(Exit::Failure, "state_index", in_full(&full)).hint_of_room()
            }
            // A command that identifies its caller stops here too.
            StateError::Contradiction { .. } => Failure::new(
                Exit::Failure,
                "state_index",
                error.to_string(),
            )
            .hint("`popug-cli verify --deep` shows what the log contradicts, and asks for no login")
            .hint("restore a backup from before it: `popug-cli -C NEW-DIR restore BACKUP_DIR`"),
            StateError::Damaged { ref live, .. } => Failure {
                damaged: live.clone(),
                ..Failure::new(Exit::Failure, "state_index", in_full(&error)).hint(REPEAT)
            },
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
            ConsumeError::MovedAside { .. } => {
                Failure::new(Exit::Failure, "tables_damaged", message).hint(REPEAT)
            }
            ConsumeError::BooksDisagree { .. } => Failure::new(Exit::Damaged, "books_disagree", message)
                .hint("nothing was paid; `popug-cli consume accounting --rebuild` rebuilds the tables from the log"),
            ConsumeError::Stopped { sequence, .. } => Failure::new(Exit::Failure, "consumer_stopped", message)
                .hint(format!("`popug-cli dlq show {sequence}` shows the event"))
                .hint(format!("`popug-cli dlq set-aside {sequence}` lets everything else continue without it")),
            ConsumeError::UnknownMail { .. } => {
                Failure::new(Exit::NotFound, "unknown_mail", message).hint("`popug-cli mail list` shows every mail")
            }
            ConsumeError::Ambiguous { candidates, .. } => Failure::ambiguous(message, &candidates),
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
            | E::TokenUnknown
            | E::TokenOutdated
            | E::TokenExpired { .. }
            | E::TokenRevoked { .. } => (Exit::NotAllowed, "token_refused"),
            E::InviteRefused => (Exit::NotAllowed, "invite_refused"),
            E::TooManyAttempts { .. } => (Exit::NotAllowed, "too_many_attempts"),
            E::OpenToOthers { .. } => (Exit::NotAllowed, "open_to_others"),
            E::PasswordTooShort { .. } | E::PasswordTooLong { .. } => {
                (Exit::Rejected, "bad_password")
            }
            E::BadTtl { .. } => (Exit::Usage, "bad_ttl"),
            E::NoSuchToken { .. } => (Exit::NotFound, "unknown_token"),
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
            ReportError::UnknownReport(_)
            | ReportError::NoOption(..)
            | ReportError::NothingToCompare(_)
            | ReportError::NoDates { .. }
            | ReportError::ColumnTwice(_) => Failure::usage(message),
            ReportError::UnknownColumn { name, columns } => {
                let failure = Failure::usage(message);
                match column_meant(&name, &columns) {
                    Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                    None => failure,
                }
            }
            ReportError::EndBeforeStart { .. } => {
                Failure::usage(message).hint("--from is the first date, --to the last")
            }
            ReportError::Damaged(error) => error.into(),
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

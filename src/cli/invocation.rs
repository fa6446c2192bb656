//! What every command works with: the options, the store, who is acting, and where output goes.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::app::identity::{Caller, Proof};
use crate::app::write::Manner;
use crate::app::{App, AppError, Opening};
use crate::cli::environment::{SystemEnvironment, callers, variable};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::Global;
use crate::cli::output::{Deed, Output};
use crate::cli::program::Program;
use crate::cli::prompt;
use crate::cli::reporter::Reporter;
use crate::cli::rights;
use crate::consumers::tracker;
use crate::credentials::{CredentialError, Sessions, TokenText, sessions};
use crate::domain::company::Company;
use crate::domain::id::CompanyId;
use crate::event_log::Patience;
use crate::event_log::file_log::SEGMENT_BYTES_MAX;
use crate::reports::render::{self, Format, Options, for_machines};
use crate::reports::table::{Cell, Named, Report, Table};
use crate::state::StateIndex;
use crate::store::StoreDirectory;

pub struct Invocation<'a> {
    pub global: &'a Global,
    pub environment: &'a SystemEnvironment,
    pub reporter: &'a Reporter,
    pub output: &'a Output,
    pub program: Program,
}

/// An open store with its state at the head and a caller who may act.
pub struct Desk<'a> {
    pub app: App<'a>,
    pub index: StateIndex,
    pub company: Company,
    pub caller: Caller,
}

impl Desk<'_> {
    /// Asks the index; one made anew answers if its file turns out to be damaged.
    ///
    /// # Errors
    /// What `query` returns.
    pub fn ask<T>(&self, query: impl Fn(&StateIndex) -> Result<T, AppError>) -> Result<T, Failure> {
        Ok(tracker::on_sound_index(
            &self.app.around(),
            &self.index,
            || query(&self.index),
        )?)
    }
}

fn wanted_state_directory() -> Option<PathBuf> {
    let path = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    sessions::state_directory(path("XDG_STATE_HOME"), path("HOME"), &callers())
}

/// The nearest thing above `path` that is there, unless it is a directory: then `path` cannot be one.
fn in_the_way(path: &Path) -> Option<&Path> {
    let found = path
        .ancestors()
        .find_map(|path| Some((path, std::fs::metadata(path).ok()?)));
    found
        .filter(|(_, found)| !found.is_dir())
        .map(|(path, _)| path)
}

impl<'a> Invocation<'a> {
    pub fn directory(&self) -> StoreDirectory {
        StoreDirectory::new(&self.global.store)
    }

    /// Shown to whoever waits for our locks.
    fn holder(&self) -> String {
        format!(
            "process {}: popug-cli {}",
            std::process::id(),
            self.global.command_path
        )
    }

    /// For what cannot be shown beforehand.
    ///
    /// # Errors
    /// If a dry run was asked for.
    pub fn refuse_dry_run(&self) -> Result<(), Failure> {
        if self.global.dry_run {
            return Err(Failure::usage(format!(
                "`{}` has no dry run",
                self.global.command_path
            )));
        }
        Ok(())
    }

    pub fn patience(&self) -> Patience {
        Patience {
            wait: self.global.lock_wait,
            holder: self.holder(),
        }
    }

    /// The store, for a command that may write into it, as all do that read the state index.
    ///
    /// # Errors
    /// If there is no store; if this is root and it belongs to another account; if it is another one than that
    /// in which the shell around the command was begun.
    pub fn app(&self) -> Result<App<'a>, Failure> {
        self.app_in(self.directory())
    }

    /// # Errors
    /// As [`Invocation::app`], of the store in `directory`.
    pub fn app_in(&self, directory: StoreDirectory) -> Result<App<'a>, Failure> {
        let app = self.open(directory)?;
        rights::refuse_root(&app.directory)?;
        Ok(app)
    }

    /// The store, for a command that makes no file in it.
    ///
    /// # Errors
    /// As [`Invocation::app`], but root may look into every store.
    pub fn app_to_look(&self) -> Result<App<'a>, Failure> {
        self.open(self.directory())
    }

    fn open(&self, directory: StoreDirectory) -> Result<App<'a>, Failure> {
        let segment_bytes_max = match variable("POPUG_SEGMENT_BYTES")? {
            Some(text) => text
                .parse()
                .map_err(|_| Failure::usage("POPUG_SEGMENT_BYTES is not a whole number"))?,
            None => SEGMENT_BYTES_MAX,
        };
        let app = App::open(Opening {
            directory,
            environment: self.environment,
            notices: self.reporter,
            lock_wait: self.global.lock_wait,
            holder: self.holder(),
            segment_bytes_max,
        })?;
        if let Some(host) = &self.global.host {
            host.check_same(&app.directory)?;
        }
        // Whatever a command does, in a dry run the log cannot be changed by it.
        Ok(if self.global.dry_run {
            app.draft()
        } else {
            app
        })
    }

    /// Opens the store and finds out who is acting.
    ///
    /// # Errors
    /// If there is no store, or nobody is logged in.
    pub fn desk(&self) -> Result<Desk<'a>, Failure> {
        self.desk_in(self.app()?)
    }

    /// Finds out who is acting in a store that is open.
    ///
    /// # Errors
    /// If nobody is logged in.
    pub fn desk_in(&self, app: App<'a>) -> Result<Desk<'a>, Failure> {
        let index = app.index()?;
        let company = app.company(&index)?;
        let caller = app
            .identify(&index, &self.proof(company.id)?)
            .map_err(|error| self.not_identified(error))?;
        Ok(Desk {
            app,
            index,
            company,
            caller,
        })
    }

    /// A session that may not be read is none.
    fn not_identified(&self, error: AppError) -> Failure {
        match error {
            AppError::Credential(CredentialError::Io { path, source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied
                    && self
                        .state_directory()
                        .is_some_and(|directory| path.starts_with(directory)) =>
            {
                let message = format!(
                    "nobody is logged in: the session {} cannot be read: {source}",
                    path.display()
                );
                Failure::new(Exit::NotAllowed, "not_logged_in", message)
                    .hint("put a token into POPUG_TOKEN, or name a directory of your own in XDG_STATE_HOME and log in")
            }
            other => other.into(),
        }
    }

    fn proof(&self, company: CompanyId) -> Result<Proof, Failure> {
        if let Some(login) = &self.global.act_as {
            if let Some(user) = self
                .global
                .host
                .as_ref()
                .and_then(|host| host.proven(company, login))
            {
                return Ok(Proof::Earlier(user));
            }
            let password = prompt::password(self.global, &format!("Password of {login}: "))?;
            return Ok(Proof::Password {
                login: login.clone(),
                password,
            });
        }
        Ok(match self.token()? {
            Some(token) => Proof::Token(token),
            None => Proof::Session(self.sessions(company)),
        })
    }

    /// POPUG_TOKEN, which goes before the session.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn token(&self) -> Result<Option<TokenText>, Failure> {
        Ok(variable("POPUG_TOKEN")?.map(|token| TokenText::new(&token)))
    }

    pub fn sessions(&self, company: CompanyId) -> Sessions {
        Sessions::in_directory(self.state_directory(), company)
    }

    /// Where this user of the machine keeps what belongs to no store, under `sudo` the user who called it; `None` if that can be no directory, as for
    /// accounts whose home is `/dev/null`.
    pub fn state_directory(&self) -> Option<PathBuf> {
        wanted_state_directory().filter(|path| in_the_way(path).is_none())
    }

    /// # Errors
    /// If a session could not be kept because something stands in the place of its directory.
    pub fn check_place_of_session(&self) -> Result<(), Failure> {
        match wanted_state_directory().as_deref().and_then(in_the_way) {
            None => Ok(()),
            Some(path) => {
                let message = format!(
                    "there is no place to keep a session: {} is not a directory",
                    path.display()
                );
                Err(Failure::new(Exit::Failure, "credentials", message)
                    .hint("name a directory of your own in XDG_STATE_HOME, or put a token into POPUG_TOKEN"))
            }
        }
    }

    pub fn manner(&self) -> Manner {
        Manner {
            key: self.global.key.clone(),
        }
    }

    /// The format that was asked for, by name, by the file's extension, or by where output goes.
    pub fn format(&self) -> Format {
        self.output.format
    }

    /// Writes a report where it belongs.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn emit(&self, report: &Report) -> Result<(), Failure> {
        self.remember(&rows_in_words(&report.table), None);
        let (format, width) = (self.format(), terminal_width());
        self.with_output(|out| Ok(render::render(report, format, Options { width }, out)?))
    }

    /// Writes a list as a report of its own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn emit_list(
        &self,
        desk: &Desk<'_>,
        name: &'static str,
        table: Table,
    ) -> Result<(), Failure> {
        self.emit(&list(desk, name, table, Vec::new())?)
    }

    /// After a write: in a dry run the events it would have appended, else whatever `say` prints.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn emit_outcome(
        &self,
        desk: &Desk<'_>,
        say: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.global.dry_run {
            self.emit_draft(desk)
        } else {
            say()
        }
    }

    /// The events that a dry run would have appended. Locks are let go of first: whoever reads
    /// may be slow.
    ///
    /// # Errors
    /// If it cannot be written.
    fn emit_draft(&self, desk: &Desk<'_>) -> Result<(), Failure> {
        desk.index.forget()?;
        desk.app.log.end_draft();
        self.with_output(|out| {
            desk.app
                .log
                .for_each_drafted(|line| Ok(writeln!(out, "{}", line.text)?))
        })
    }

    /// Whether this is a dry run, in which `would` is said instead of done.
    pub fn only_says(&self, would: impl FnOnce() -> String) -> bool {
        if self.global.dry_run {
            self.reporter.remark(&would());
        }
        self.global.dry_run
    }

    /// Runs `write` on stdout, or on the file of `--out`, which appears whole or not at all when the command ends.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn with_output(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.output.write(write)
    }

    /// Remembers what was done, in case that its answer gets lost, with what to do then.
    pub fn remember(&self, what: &str, hint: Option<&str>) {
        let again = "with the same --key it can be repeated: it gives this answer then, and does nothing twice";
        let hint = hint
            .or(self.global.key.is_some().then_some(again))
            .map(str::to_owned);
        self.output.remember(Deed {
            what: what.to_owned(),
            hint,
        });
    }
}

/// Of an answer that is told in an error.
const ROWS_TOLD: usize = 3;

/// The first rows of a table on one line, without what is absent.
pub fn rows_in_words(table: &Table) -> String {
    let (columns, readers) = (table.columns(), table.readers());
    let row = |row: usize| {
        let cells = columns
            .iter()
            .zip(&readers)
            .filter(|(_, reader)| reader(row) != Cell::Null);
        let cells =
            cells.map(|((name, _), reader)| format!("{name} {}", for_machines(reader(row))));
        cells.collect::<Vec<_>>().join(", ")
    };
    let mut rows: Vec<String> = (0..table.height().min(ROWS_TOLD)).map(row).collect();
    match table.height() {
        0 => rows.push("nothing had to be done".to_owned()),
        height if height > ROWS_TOLD => rows.push(format!("and {} more", height - ROWS_TOLD)),
        _ => {}
    }
    rows.join("; ")
}

/// What a command did, as a list as of the head that it left.
///
/// # Errors
/// If the head cannot be read.
pub fn done(desk: &Desk<'_>, name: &'static str, table: Table) -> Result<Report, Failure> {
    let report = list(desk, name, table, Vec::new())?;
    Ok(Report {
        as_of_sequence: report.head_sequence,
        ..report
    })
}

/// A list in the clothes of a report.
///
/// # Errors
/// If the head cannot be read.
pub fn list(
    desk: &Desk<'_>,
    name: &'static str,
    table: Table,
    totals: Vec<Named>,
) -> Result<Report, Failure> {
    let head = desk.app.log.head()?.sequence;
    Ok(Report {
        name,
        as_of_sequence: desk.index.checkpoint()?.sequence,
        head_sequence: head,
        zone: desk.company.zone.clone(),
        currency: desk.company.currency.clone(),
        totals,
        ..Report::alone(table)
    })
}

/// As wide as the terminal that stdout is, or as COLUMNS says.
pub fn terminal_width() -> Option<u16> {
    if io::stdout().is_terminal() {
        return Some(indicatif::TermLike::width(&console::Term::stdout()));
    }
    std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
}

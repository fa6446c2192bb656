//! What every command works with: the options, the store, who is acting, and where output goes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::app::backup::is_backup;
use crate::app::identity::{Caller, Proof};
use crate::app::write::Manner;
use crate::app::{App, AppError, Opening};
use crate::cli::args::{Global, OutputFormat};
use crate::cli::environment::{SystemEnvironment, variable};
use crate::cli::failure::{Exit, Failure};
use crate::cli::file_modes;
use crate::cli::prompt;
use crate::cli::reporter::Reporter;
use crate::cli::rights;
use crate::cli::terminal_guard::TerminalGuard;
use crate::consumers::tracker;
use crate::credentials::{Sessions, TokenText, sessions};
use crate::domain::company::Company;
use crate::domain::id::CompanyId;
use crate::durable::sync_directory;
use crate::event_log::file_log::SEGMENT_BYTES_MAX;
use crate::event_log::{EventLog, Patience};
use crate::reports::render::{self, Format, Options};
use crate::reports::table::{Named, Report, Table};
use crate::state::StateIndex;
use crate::store::StoreDirectory;

pub struct Invocation<'a> {
    pub global: &'a Global,
    pub environment: &'a SystemEnvironment,
    pub reporter: &'a Reporter,
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
        Ok(tracker::on_sound_index(&self.app.around(), &self.index, || query(&self.index))?)
    }
}

impl<'a> Invocation<'a> {
    pub fn directory(&self) -> StoreDirectory {
        StoreDirectory::new(&self.global.store)
    }

    /// Shown to whoever waits for our locks.
    fn holder(&self) -> String {
        format!("process {}: popug-cli {}", std::process::id(), self.global.command_path)
    }

    /// For what cannot be shown beforehand.
    ///
    /// # Errors
    /// If a dry run was asked for.
    pub fn refuse_dry_run(&self) -> Result<(), Failure> {
        if self.global.dry_run {
            return Err(Failure::usage(format!("`{}` has no dry run", self.global.command_path)));
        }
        Ok(())
    }

    pub fn patience(&self) -> Patience {
        Patience { wait: self.global.lock_wait, holder: self.holder() }
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
            Some(text) => text.parse().map_err(|_| Failure::usage("POPUG_SEGMENT_BYTES is not a whole number"))?,
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
        Ok(if self.global.dry_run { app.draft() } else { app })
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
        let caller = app.identify(&index, &self.proof(company.id)?)?;
        Ok(Desk { app, index, company, caller })
    }

    fn proof(&self, company: CompanyId) -> Result<Proof, Failure> {
        if let Some(login) = &self.global.act_as {
            if let Some(user) = self.global.host.as_ref().and_then(|host| host.proven(company, login)) {
                return Ok(Proof::Earlier(user));
            }
            let password = prompt::password(self.global, &format!("Password of {login}: "))?;
            return Ok(Proof::Password { login: login.clone(), password });
        }
        Ok(match variable("POPUG_TOKEN")? {
            Some(token) => Proof::Token(TokenText::new(&token)),
            None => Proof::Session(self.sessions(company)),
        })
    }

    pub fn sessions(&self, company: CompanyId) -> Sessions {
        Sessions::in_directory(self.state_directory(), company)
    }

    /// Where this user of the machine keeps what belongs to no store.
    pub fn state_directory(&self) -> Option<PathBuf> {
        let path = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        sessions::state_directory(path("XDG_STATE_HOME"), path("HOME"))
    }

    pub fn manner(&self) -> Manner {
        Manner { key: self.global.key.clone() }
    }

    /// The format that was asked for, by name, by the file's extension, or by where output goes.
    ///
    /// # Errors
    /// An extension that names no format.
    pub fn format(&self) -> Result<Format, Failure> {
        match (self.global.output, &self.global.out) {
            (Some(format), _) => Ok(named_format(format)),
            (None, Some(file)) => format_of(file),
            (None, None) if io::stdout().is_terminal() => Ok(Format::Table),
            (None, None) => Ok(Format::Plain),
        }
    }

    /// Writes a report where it belongs.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn emit(&self, report: &Report) -> Result<(), Failure> {
        let format = self.format()?;
        let width = terminal_width();
        self.with_output(|out| Ok(render::render(report, format, Options { width }, out)?))
    }

    /// Writes a list as a report of its own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn emit_list(&self, desk: &Desk<'_>, name: &'static str, table: Table) -> Result<(), Failure> {
        self.emit(&list(desk, name, table, Vec::new())?)
    }

    /// After a write: in a dry run the events it would have appended, else whatever `say` prints.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn emit_outcome(&self, desk: &Desk<'_>, say: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        if self.global.dry_run { self.emit_draft(desk) } else { say() }
    }

    /// The events that a dry run would have appended. Locks are let go of first: whoever reads
    /// may be slow.
    ///
    /// # Errors
    /// If it cannot be written.
    fn emit_draft(&self, desk: &Desk<'_>) -> Result<(), Failure> {
        desk.index.forget()?;
        desk.app.log.end_draft();
        self.with_output(|out| desk.app.log.for_each_drafted(|line| Ok(writeln!(out, "{}", line.text)?)))
    }

    /// Whether this is a dry run, in which `would` is said instead of done.
    pub fn only_says(&self, would: impl FnOnce() -> String) -> bool {
        if self.global.dry_run {
            self.reporter.remark(&would());
        }
        self.global.dry_run
    }

    /// Runs `write` on stdout, or on the file of `--out`, which appears whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn with_output(&self, write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
        match &self.global.out {
            None if io::stdout().is_terminal() => {
                let is_table = matches!(self.format(), Ok(Format::Table));
                let mut out = BufWriter::new(TerminalGuard::new(io::stdout().lock(), is_table));
                write(&mut out)?;
                Ok(out.flush()?)
            }
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                write(&mut out)?;
                Ok(out.flush()?)
            }
            Some(path) => {
                self.keep_off(path)?;
                write_whole(path, write)
            }
        }
    }

    /// What is written for people has no place among the files of a store or a backup.
    ///
    /// # Errors
    /// If `path` is in one.
    pub fn keep_off(&self, path: &Path) -> Result<(), Failure> {
        let whose = if self.directory().contains(path).unwrap_or(false) {
            "the store"
        } else if is_backup(path) || path.parent().is_some_and(is_backup) {
            "a backup"
        } else {
            return Ok(());
        };
        let message = format!("{} is in {whose}: nothing is written there", path.display());
        Err(Failure::usage(message).hint("name a place outside of it"))
    }
}

/// Writes the file that the user named. A link stays and what it names is replaced; a pipe or
/// device is written to.
///
/// # Errors
/// If it cannot be written.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let failed = |error| cannot_write(path, &error);
        let mut out = BufWriter::new(File::options().write(true).open(path).map_err(failed)?);
        write(&mut out)?;
        return out.flush().map_err(failed);
    }
    replace_whole(&std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), write)
}

/// Writes a file beside its place and renames it, so that it appears whole or not at all. A link
/// that stands there is replaced and not followed. A file that is replaced keeps its mode.
///
/// # Errors
/// If it cannot be written.
pub fn replace_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
    let failed = |error: io::Error| cannot_write(path, &error);
    let replaced = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file);
    let name = path.file_name().ok_or_else(|| Failure::usage(format!("{} is not a file", path.display())))?;
    let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    // Left behind by a killed process that had our number. What is there afterwards, we made.
    let _ = std::fs::remove_file(&beside);
    let mut out = BufWriter::new(File::create_new(&beside).map_err(failed)?);
    let written = write(&mut out).and_then(|()| {
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file_modes::open_as_user_wants(&file, replaced.map(|found| found.permissions())).map_err(failed)?;
        let moved = file.sync_all().and_then(|()| std::fs::rename(&beside, path));
        moved.and_then(|()| sync_directory(path.parent().unwrap_or(Path::new("")))).map_err(failed)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Failure, "io", format!("cannot write {}: {error}", path.display()))
}

/// What a command did, as a list as of the head that it left.
///
/// # Errors
/// If the head cannot be read.
pub fn done(desk: &Desk<'_>, name: &'static str, table: Table) -> Result<Report, Failure> {
    let report = list(desk, name, table, Vec::new())?;
    Ok(Report { as_of_sequence: report.head_sequence, ..report })
}

/// A list in the clothes of a report.
///
/// # Errors
/// If the head cannot be read.
pub fn list(desk: &Desk<'_>, name: &'static str, table: Table, totals: Vec<Named>) -> Result<Report, Failure> {
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

fn named_format(format: OutputFormat) -> Format {
    match format {
        OutputFormat::Table => Format::Table,
        OutputFormat::Plain => Format::Plain,
        OutputFormat::Csv => Format::Csv,
        OutputFormat::Json => Format::Json,
        OutputFormat::Ndjson => Format::Ndjson,
        OutputFormat::Md => Format::Markdown,
    }
}

fn format_of(path: &Path) -> Result<Format, Failure> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(Format::Csv),
        Some("json") => Ok(Format::Json),
        Some("ndjson") => Ok(Format::Ndjson),
        Some("parquet") => Ok(Format::Parquet),
        Some("md") => Ok(Format::Markdown),
        _ => Err(Failure::usage(format!("the extension of {} names no format", path.display()))
            .hint("use .csv, .json, .ndjson, .parquet or .md, or say -o FMT")),
    }
}

/// As wide as the terminal that stdout is, or as COLUMNS says.
pub fn terminal_width() -> Option<u16> {
    if io::stdout().is_terminal() {
        return Some(indicatif::TermLike::width(&console::Term::stdout()));
    }
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok())
}

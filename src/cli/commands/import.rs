//! `import users`, `import tasks`, `import activity`

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use crate::app::AppError;
use crate::app::import::{BadRow, ImportKind, ImportOptions, ImportSummary, OnError};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Desk, Invocation, write_whole};
use crate::domain::role::Right;
use crate::domain::text::Displayed;
use crate::reports::table::Table;
use crate::store::StoreDirectory;
use crate::store::directory::{self, is_same};

#[derive(Subcommand, Debug)]
pub enum Import {
    /// People: login,name,email,role
    Users(Source),
    /// Tasks: key,title,jira_id,description
    Tasks(Source),
    /// The history of another tracker: at,action,key,actor,login,name,email,role,title,jira_id,description
    Activity(Source),
}

#[derive(Args, Debug)]
pub struct Source {
    /// A CSV file with a header row (`-`: stdin)
    file: PathBuf,
    /// What to do when rows cannot be imported: nothing at all, or all but them
    #[arg(long, value_enum, default_value_t = OnErrorArg::Refuse, value_name = "WHAT")]
    on_error: OnErrorArg,
    /// With `--on-error skip`: write the rows that were left out here, with line, column and reason
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum OnErrorArg {
    Refuse,
    Skip,
}

impl Import {
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let desk = invocation.desk()?;
        // Whoever may not import learns nothing about files.
        desk.caller.require(Right::Administer)?;
        match self {
            Import::Users(source) => source.run(invocation, &desk, ImportKind::Users),
            Import::Tasks(source) => source.run(invocation, &desk, ImportKind::Tasks),
            Import::Activity(source) => source.run(invocation, &desk, ImportKind::Activity),
        }
    }
}

impl Source {
    fn run(self, invocation: &Invocation<'_>, desk: &Desk<'_>, kind: ImportKind) -> Result<Exit, Failure> {
        if self.rejects.is_some() && self.on_error != OnErrorArg::Skip {
            return Err(Failure::usage("--rejects goes with --on-error skip"));
        }
        if let Some(rejects) = &self.rejects {
            self.check_rejects(rejects, &desk.app.directory)?;
        }
        let summary = match &self.rejects {
            Some(rejects) => {
                let mut summary = None;
                write_whole(rejects, |out| {
                    summary = Some(self.import(invocation, desk, kind, OnError::Skip { rejects: Some(out) })?);
                    Ok(())
                })?;
                summary.expect("written with the rejects")
            }
            None if self.on_error == OnErrorArg::Skip => {
                self.import(invocation, desk, kind, OnError::Skip { rejects: None })?
            }
            None => self.import(invocation, desk, kind, OnError::Refuse)?,
        };
        invocation.reporter.finish();
        say(invocation, desk, &summary)?;
        Ok(Exit::Done)
    }

    /// What it would be written over must not be what is read, nor the store.
    fn check_rejects(&self, rejects: &Path, store: &StoreDirectory) -> Result<(), Failure> {
        let unknown = |error| Failure::usage(format!("--rejects {}: {error}", rejects.display()));
        let input = if self.file.as_os_str() == "-" { Path::new("/dev/stdin") } else { &self.file };
        let input = directory::found(input).map_err(unknown)?.filter(std::fs::Metadata::is_file);
        if is_same(input.as_ref(), directory::found(rejects).map_err(unknown)?.as_ref()) {
            return Err(Failure::usage("--rejects names the file that is imported").hint("name another file"));
        }
        if store.contains(rejects).map_err(unknown)? {
            return Err(Failure::usage("--rejects names a file in the store").hint("name one outside of it"));
        }
        Ok(())
    }

    fn import(
        &self,
        invocation: &Invocation<'_>,
        desk: &Desk<'_>,
        kind: ImportKind,
        on_error: OnError<'_>,
    ) -> Result<ImportSummary, Failure> {
        let (input, bytes) = open(invocation, &self.file)?;
        let read = std::cell::Cell::new(0);
        let input = Counted { input, read: &read };
        let options = ImportOptions { on_error };
        let progress = |rows: u64| {
            if rows.is_multiple_of(256) {
                invocation.reporter.progress("import", read.get(), bytes.max(read.get()));
            }
        };
        let imported = desk.app.import(&desk.caller, kind, input, options, &progress);
        invocation.reporter.finish();
        imported.map_err(|error| match error {
            AppError::BadRows { bad, rows } => bad_rows(&bad, rows),
            other => other.into(),
        })
    }
}

/// The file and its length, 0 where that is unknown.
fn open(invocation: &Invocation<'_>, path: &Path) -> Result<(Box<dyn Read>, u64), Failure> {
    if path.as_os_str() == "-" {
        invocation.global.refuse_stdin_of_script("`import … -`")?;
        return Ok((Box::new(io::stdin().lock()), 0));
    }
    let failed = |why: &str| Failure::new(Exit::Failure, "io", format!("cannot read {}: {why}", path.display()));
    let unreadable = |error: io::Error| failed(&error.to_string());
    let file = File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if found.is_dir() {
        return Err(failed("it is a directory"));
    }
    Ok((Box::new(BufReader::new(file)), found.len()))
}

/// Counts the bytes that were read.
struct Counted<'a, R> {
    input: R,
    read: &'a std::cell::Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(into)?;
        self.read.set(self.read.get() + length as u64);
        Ok(length)
    }
}

fn bad_rows(bad: &[BadRow], rows: u64) -> Failure {
    let message = format!("{} of {rows} rows cannot be imported; nothing was", bad.len());
    let mut failure = Failure::new(Exit::Rejected, "bad_rows", message);
    failure.hints.extend(bad.iter().map(place_and_reason));
    failure.hint("mend them, or leave them out with --on-error skip --rejects FILE")
}

fn place_and_reason(row: &BadRow) -> String {
    let reason = Displayed(&row.reason);
    match row.column {
        "" => format!("line {}: {reason}", row.line),
        column => format!("line {}, column {column}: {reason}", row.line),
    }
}

fn say(invocation: &Invocation<'_>, desk: &Desk<'_>, summary: &ImportSummary) -> Result<(), Failure> {
    for row in &summary.rejected {
        invocation.reporter.remark(&format!("left out: {}", place_and_reason(row)));
    }
    invocation.emit_outcome(desk, || say_done(invocation, summary))
}

fn say_done(invocation: &Invocation<'_>, summary: &ImportSummary) -> Result<(), Failure> {
    let text = format!(
        "{} rows: {} imported, {} there already, {} without effect, {} left out; {} events appended, {} dates closed",
        summary.rows,
        summary.imported,
        summary.replayed,
        summary.skipped,
        summary.rejected.len(),
        summary.appended_events,
        summary.closed_dates.len()
    );
    let row = Table::builder()
        .int("rows", [Some(summary.rows)])
        .int("imported", [Some(summary.imported)])
        .int("replayed", [Some(summary.replayed)])
        .int("skipped", [Some(summary.skipped)])
        .int("rejected", [Some(summary.rejected.len() as u64)])
        .int("appended", [Some(summary.appended_events)]);
    invocation.answer(&Answer::done(row, "")?.with_member("closed_dates", &summary.closed_dates)?)?;
    invocation.reporter.note(&text);
    Ok(())
}

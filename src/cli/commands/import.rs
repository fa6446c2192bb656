//! `import users`, `import tasks`, `import activity`

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use crate::app::AppError;
use crate::app::import::{
    BadRow, ImportError, ImportKind, ImportOptions, ImportSummary, Importer, OnError, Reading,
};
use crate::cli::answer::Answer;
use crate::cli::destination::{Content, Destination};
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::own_files;
use crate::domain::displayed::Displayed;
use crate::reports::table::Table;
use crate::store::StoreDirectory;
use crate::store::directory::{self, is_same};

/// The number of bad rows of a refused file that are shown. `--rejects` writes all of them.
const BAD_ROWS_SHOWN: usize = 10;

#[derive(Subcommand, Debug)]
pub(crate) enum Import {
    /// Import people: login,name,email,role
    Users(Source),
    /// Import tasks: key,title,jira_id,description
    Tasks(Source),
    /// Import the history of another tracker: at,action,key,actor,login,name,email,role,title,jira_id,description
    Activity(Source),
}

#[derive(Args, Debug)]
pub(crate) struct Source {
    /// A CSV file with a header row (`-`: stdin)
    file: PathBuf,
    /// If rows cannot be imported: import nothing, or skip these rows
    #[arg(long, value_enum, default_value_t = OnErrorArg::Refuse, value_name = "WHAT")]
    on_error: OnErrorArg,
    /// With `--on-error skip`: write the skipped rows to this file, with line, column and reason.
    /// Correct them there and import the file. A row with wrong quotes, wrong characters or missing
    /// cells stands as one text in a cell without a heading: divide it among the columns
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Read a column under another header: --map title=Summary
    #[arg(long, value_name = "COLUMN=HEADER", value_parser = mapping)]
    map: Vec<(String, String)>,
    /// Ignore unknown columns
    #[arg(long)]
    ignore_unknown: bool,
}

/// # Errors
/// If no header is named.
fn mapping(text: &str) -> Result<(String, String), String> {
    match text
        .split_once('=')
        .map(|(column, header)| (column.trim(), header.trim()))
    {
        Some((column, header)) if !column.is_empty() && !header.is_empty() => {
            Ok((column.to_owned(), header.to_owned()))
        }
        _ => Err("write it like title=Summary".to_owned()),
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum OnErrorArg {
    Refuse,
    Skip,
}

impl Import {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        // A user who may not import learns nothing about files.
        let importer = store.app.importer(&store.caller)?;
        let (source, kind) = match self {
            Import::Users(source) => (source, ImportKind::Users),
            Import::Tasks(source) => (source, ImportKind::Tasks),
            Import::Activity(source) => (source, ImportKind::Activity),
        };
        source.run(invocation, &store, &importer, kind)
    }
}

impl Source {
    fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
        importer: &Importer<'_>,
        kind: ImportKind,
    ) -> Result<Exit, Failure> {
        if self.rejects.is_some() && self.on_error != OnErrorArg::Skip {
            return Err(Failure::usage("--rejects goes with --on-error skip"));
        }
        let rejects = self
            .rejects
            .as_deref()
            .map(|path| self.open_rejects(invocation, store, path))
            .transpose()?;
        let summary = match rejects {
            Some(file) => self.import_and_reject(invocation, importer, kind, file)?,
            None if self.on_error == OnErrorArg::Skip => {
                self.import(invocation, importer, kind, OnError::Skip { rejects: None })?
            }
            None => self.import(invocation, importer, kind, OnError::Refuse)?,
        };
        invocation.reporter.finish();
        say(invocation, store, &summary)?;
        Ok(Exit::Done)
    }

    fn open_rejects(
        &self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
        path: &Path,
    ) -> Result<Destination, Failure> {
        self.check_rejects(path, &store.app.directory)?;
        own_files::check_replaceable(path, invocation.global.force)?;
        Destination::open(path)
    }

    /// The rejected rows are written before anything is appended. If their file cannot be moved
    /// into its place afterwards, they are shown on stderr, with the result of the import.
    fn import_and_reject(
        &self,
        invocation: &Invocation<'_>,
        importer: &Importer<'_>,
        kind: ImportKind,
        mut file: Destination,
    ) -> Result<ImportSummary, Failure> {
        let mut summary = ImportSummary::default();
        file.write(|out| {
            summary = self.import(
                invocation,
                importer,
                kind,
                OnError::Skip { rejects: Some(out) },
            )?;
            Ok(())
        })?;
        if let Err(failure) = file.finish(Content::Data) {
            tell_rejected(invocation, &summary);
            invocation.remember(&in_words(&summary), None);
            return Err(failure.of_output());
        }
        Ok(summary)
    }

    /// Checks that the rejects file is neither the input nor a file of the store.
    fn check_rejects(&self, rejects: &Path, store: &StoreDirectory) -> Result<(), Failure> {
        let unknown = |error| Failure::usage(format!("--rejects {}: {error}", rejects.display()));
        let input = if self.file.as_os_str() == "-" {
            Path::new("/dev/stdin")
        } else {
            &self.file
        };
        let input = directory::found(input)
            .map_err(unknown)?
            .filter(std::fs::Metadata::is_file);
        if is_same(
            input.as_ref(),
            directory::found(rejects).map_err(unknown)?.as_ref(),
        ) {
            return Err(Failure::usage("--rejects names the file that is imported")
                .hint("name another file"));
        }
        if store.contains(rejects).map_err(unknown)? {
            return Err(Failure::usage("--rejects names a file in the store")
                .hint("name one outside of it"));
        }
        Ok(())
    }

    fn import(
        &self,
        invocation: &Invocation<'_>,
        importer: &Importer<'_>,
        kind: ImportKind,
        on_error: OnError<'_>,
    ) -> Result<ImportSummary, Failure> {
        let (input, bytes) = open(invocation, &self.file)?;
        let read = std::cell::Cell::new(0);
        let input = Counted { input, read: &read };
        let reading = Reading {
            map: self.map.clone(),
            ignore_unknown: self.ignore_unknown,
        };
        let remark = |remark: &str| invocation.reporter.remark(remark);
        let options = ImportOptions {
            on_error,
            reading,
            remark: &remark,
        };
        let progress = |rows: u64| {
            if rows.is_multiple_of(256) {
                invocation
                    .reporter
                    .progress("import", read.get(), bytes.max(read.get()));
            }
        };
        let imported = importer.import(kind, input, options, &progress);
        invocation.reporter.finish();
        imported.map_err(|error| failure(kind, error))
    }
}

/// The file and its length, 0 if that is unknown.
fn open(invocation: &Invocation<'_>, path: &Path) -> Result<(Box<dyn Read>, u64), Failure> {
    if path.as_os_str() == "-" {
        invocation.global.refuse_stdin_of_script("`import … -`")?;
        return Ok((Box::new(io::stdin().lock()), 0));
    }
    let failed = |why: &str| {
        Failure::new(
            Exit::Failure,
            "io",
            format!("cannot read {}: {why}", path.display()),
        )
    };
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

fn failure(kind: ImportKind, error: ImportError) -> Failure {
    let message = error.to_string();
    match error {
        ImportError::BadCsv { hints, .. } => Failure {
            hints,
            ..Failure::new(Exit::Rejected, "bad_csv", message)
        },
        ImportError::BadRows { bad, .. } => Failure {
            hints: bad_rows(&bad),
            ..Failure::new(Exit::Rejected, "bad_rows", message)
        }
        .hint("correct them, or skip them with --on-error skip --rejects FILE"),
        ImportError::NotBegun { source } => {
            behind(source, &message).hint("run the same command again")
        }
        ImportError::Stopped { source, .. } => {
            let stopped = behind(source, &message).hint("run the same command again to continue");
            match kind {
                ImportKind::Users | ImportKind::Tasks => stopped,
                ImportKind::Activity => stopped.hint(
                    "do so before anything of today is written: after that the rest of the history is refused",
                ),
            }
        }
        ImportError::App(error) => error.into(),
    }
}

/// The failure that stopped an import, with `told` after its message.
fn behind(source: AppError, told: &str) -> Failure {
    let failure = Failure::from(source);
    let message = format!("{}; {told}", failure.message);
    Failure { message, ..failure }
}

fn bad_rows(bad: &[BadRow]) -> Vec<String> {
    let shown = bad.iter().take(BAD_ROWS_SHOWN).flat_map(places_and_reasons);
    let mut hints: Vec<_> = shown.collect();
    if let more @ 1.. = bad.len().saturating_sub(BAD_ROWS_SHOWN) {
        hints.push(format!("{more} more rows are bad"));
    }
    hints
}

/// A line for each fault.
fn places_and_reasons(row: &BadRow) -> impl Iterator<Item = String> {
    row.faults.iter().map(|fault| {
        let reason = Displayed(&fault.reason);
        match fault.column {
            "" => format!("line {}: {reason}", row.line),
            column => format!("line {}, column {column}: {reason}", row.line),
        }
    })
}

fn tell_rejected(invocation: &Invocation<'_>, summary: &ImportSummary) {
    for fault in summary.rejected.iter().flat_map(places_and_reasons) {
        invocation.reporter.remark(&format!("left out: {fault}"));
    }
}

fn say(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    summary: &ImportSummary,
) -> Result<(), Failure> {
    tell_rejected(invocation, summary);
    invocation.emit_outcome(store, || say_done(invocation, summary))
}

fn in_words(summary: &ImportSummary) -> String {
    format!(
        "{} rows: {} imported, {} there already, {} without effect, {} left out; {} events appended, {} dates closed",
        summary.rows,
        summary.imported,
        summary.replayed,
        summary.skipped,
        summary.rejected.len(),
        summary.appended_events,
        summary.closed_dates.len()
    )
}

fn say_done(invocation: &Invocation<'_>, summary: &ImportSummary) -> Result<(), Failure> {
    let row = Table::builder()
        .int("rows", [Some(summary.rows)])
        .int("imported", [Some(summary.imported)])
        .int("replayed", [Some(summary.replayed)])
        .int("skipped", [Some(summary.skipped)])
        .int("rejected", [Some(summary.rejected.len() as u64)])
        .int("appended", [Some(summary.appended_events)]);
    let answer = Answer::done(row, "").with_member("closed_dates", &summary.closed_dates)?;
    invocation.answer(&answer.deed(in_words(summary)))?;
    invocation.reporter.note(&in_words(summary));
    Ok(())
}

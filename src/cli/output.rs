//! The place of a command's answer: stdout, or the file of `--out`.
//!
//! Invariant: the place is checked and opened before a command decides anything. If the answer
//! of a command that changed something gets lost nevertheless, the error states what was done,
//! because a repetition would do it again.

use std::cell::{Cell, RefCell};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::backup::is_backup;
use crate::cli::destination::{Content, Destination};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::{Asked, Global};
use crate::cli::nature::Nature;
use crate::cli::own_files;
use crate::cli::pager::{self, Spool};
use crate::cli::terminal_guard::TerminalGuard;
use crate::reports::render::Format;
use crate::store::StoreDirectory;

static STDOUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Called by the program if its stdout was closed at its start: by now the standard library has
/// opened `/dev/null` in its place.
pub fn stdout_was_closed() {
    STDOUT_IS_CLOSED.store(true, Ordering::SeqCst);
}

/// # Errors
/// If stdout was closed when the program was started.
pub(super) fn check_stdout() -> io::Result<()> {
    if STDOUT_IS_CLOSED.load(Ordering::SeqCst) {
        Err(io::Error::other("stdout is closed"))
    } else {
        Ok(())
    }
}

/// Stdout, unless it was closed.
struct Stdout<'a> {
    lock: io::StdoutLock<'static>,
    /// Set when a reader has got something.
    is_read: &'a Cell<bool>,
}

impl Stdout<'_> {
    fn new(is_read: &Cell<bool>) -> Stdout<'_> {
        Stdout {
            lock: io::stdout().lock(),
            is_read,
        }
    }
}

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        check_stdout()?;
        let taken = self.lock.write(bytes)?;
        self.is_read.set(self.is_read.get() || taken > 0);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock.flush()
    }
}

pub(super) struct Output {
    pub format: Format,
    /// Whether the answer is metrics for Prometheus.
    pub is_metrics: bool,
    file: RefCell<Option<Destination>>,
    has_written: Cell<bool>,
    /// Whether a reader of stdout has got something.
    is_read: Cell<bool>,
    content: Cell<Content>,
    changes: bool,
    deed: RefCell<Option<Deed>>,
    /// The command line of the pager, if the answer may need one.
    pager: Option<String>,
    /// The answer that waits for the end of the command.
    spool: RefCell<Option<Spool>>,
}

/// The outcome of a command in words, in case that its answer gets lost.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub what: String,
    pub hint: Option<String>,
}

impl Output {
    /// Finds the place for the answer of a command, and opens it.
    ///
    /// # Errors
    /// If an extension names no format, or the place must not or cannot be written.
    pub(super) fn open(global: &Global, nature: Nature) -> Result<Output, Failure> {
        let asked = asked(global, nature)?;
        let file = global
            .out
            .as_deref()
            .map(|path| open_file(global, path))
            .transpose()?;
        if file.is_none() && nature.surely_answers {
            check_stdout()?;
        }
        let (format, is_metrics) = match asked {
            Asked::Rows(format) => (format, false),
            Asked::Metrics => (Format::Plain, true),
        };
        if format == Format::Parquet && file.is_none() && io::stdout().is_terminal() {
            return Err(Failure::usage("a terminal cannot show Parquet")
                .hint("write it to a file: `--out FILE.parquet`, or `> FILE`"));
        }
        let may_be_paged = format == Format::Table
            && file.is_none()
            && !nature.changes
            && io::stdout().is_terminal();
        Ok(Output {
            pager: may_be_paged.then(|| pager::chosen(global)).flatten(),
            spool: RefCell::new(None),
            format,
            is_metrics,
            file: RefCell::new(file),
            has_written: Cell::new(false),
            is_read: Cell::new(false),
            content: Cell::new(Content::Data),
            changes: nature.changes && !global.dry_run,
            deed: RefCell::new(None),
        })
    }

    /// Whether the answer is shown on a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.file.borrow().is_none() && io::stdout().is_terminal()
    }

    /// Runs `write` on stdout, or on the file of `--out`.
    pub(super) fn write(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let written = match self.file.borrow_mut().as_mut() {
            Some(file) => file.write(write),
            None if io::stdout().is_terminal() => {
                let is_table = self.format == Format::Table;
                flushed(TerminalGuard::new(io::stdout().lock(), is_table), write)
            }
            None => flushed(Stdout::new(&self.is_read), write),
        };
        self.has_written.set(written.is_ok());
        written.map_err(Failure::of_output)
    }

    /// Whether an answer on the terminal may be shown by a pager.
    pub(super) fn has_pager(&self) -> bool {
        self.pager.is_some()
    }

    /// As [`Output::write`], but the pager shows an answer that is longer than the screen, when the command has ended.
    pub(super) fn write_to_read(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(pager) = &self.pager else {
            return self.write(write);
        };
        let waiting = self.spool.borrow_mut().take();
        let mut spool = waiting.unwrap_or_else(|| Spool::new(pager.clone()));
        let written = flushed(TerminalGuard::new(&mut spool, true), write);
        written.map_err(Failure::of_output)?;
        if spool.is_short() {
            return self.write(|out| spool.show(out));
        }
        self.spool.replace(Some(spool));
        Ok(())
    }

    /// The answer contains a secret.
    pub(super) fn hold_secret(&self) {
        self.content.set(Content::Secret);
    }

    /// Keeps the deed of a command that changes something.
    pub(super) fn remember(&self, deed: Deed) {
        if self.changes {
            self.deed.replace(Some(deed));
        }
    }

    /// Moves the file of `--out` into its place if something was written, and adds the outcome to a
    /// failure.
    ///
    /// # Errors
    /// As `outcome`, or if the file cannot be moved there.
    pub(super) fn finish(self, outcome: Result<Exit, Failure>) -> Result<Exit, Failure> {
        let Output {
            file,
            has_written,
            is_read,
            content,
            deed,
            spool,
            ..
        } = self;
        let shown = spool.into_inner().map_or(Ok(()), |spool| {
            let shown = spool.show(&mut Stdout::new(&is_read));
            shown.map_err(Failure::of_output)
        });
        let finished = match file.into_inner() {
            Some(file) if has_written.get() => {
                file.finish(content.get()).map_err(Failure::of_output)
            }
            _ => Ok(()),
        };
        let outcome = outcome.and_then(|exit| finished.and(shown).map(|()| exit));
        outcome.map_err(|failure| match deed.into_inner() {
            // A reader who ends early has seen enough of the answer; one who was gone before it saw nothing.
            Some(deed) if failure.is_of_output && !(failure.is_closed_pipe && is_read.get()) => {
                carried_out(failure, deed)
            }
            _ => failure,
        })
    }
}

fn flushed(
    out: impl Write,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(out);
    write(&mut out)?;
    Ok(out.flush()?)
}

fn carried_out(failure: Failure, deed: Deed) -> Failure {
    let message = format!(
        "the command was carried out ({}); only its answer could not be written: {}",
        deed.what, failure.message
    );
    let hint = deed
        .hint
        .unwrap_or_else(|| "it need not be repeated".to_owned());
    Failure {
        message,
        code: "answer_lost".to_owned(),
        is_closed_pipe: false,
        ..failure
    }
    .hint(hint)
}

fn open_file(global: &Global, path: &Path) -> Result<Destination, Failure> {
    keep_off(&global.store, path)?;
    own_files::check_replaceable(path, global.force)?;
    Destination::open(path)
}

/// Refuses a place among the files of a store or a backup.
///
/// # Errors
/// If `path` is in one.
pub(super) fn keep_off(store: &Path, path: &Path) -> Result<(), Failure> {
    let whose = if StoreDirectory::new(store).contains(path).unwrap_or(false) {
        "the store"
    } else if is_backup(path) || path.parent().is_some_and(is_backup) {
        "a backup"
    } else {
        return Ok(());
    };
    let message = format!("{} is in {whose}: nothing is written there", path.display());
    Err(Failure::usage(message).hint("name a place outside of it"))
}

/// The format: by name, by the file's extension, or by the kind of output.
fn asked(global: &Global, nature: Nature) -> Result<Asked, Failure> {
    let format = match (global.output, &global.out) {
        (Some(Asked::Metrics), _) if !nature.has_metrics => {
            return Err(Failure::usage("only `status` has the format prometheus")
                .hint("choose another format with -o, or use `popug-cli status -o prometheus`"));
        }
        (Some(asked), _) => return Ok(asked),
        (None, Some(file)) => match nature.own_text {
            Some(extensions) => check_extension(file, extensions).map(|()| Format::Plain)?,
            None if nature.has_metrics && extension_of(file).as_deref() == Some(METRICS) => {
                return Ok(Asked::Metrics);
            }
            None => format_of(file)?,
        },
        (None, None) if io::stdout().is_terminal() => Format::Table,
        (None, None) => Format::Plain,
    };
    Ok(Asked::Rows(format))
}

/// The extension of the files that Prometheus' textfile collector reads.
const METRICS: &str = "prom";

/// The formats of files.
const FILES: [Format; 6] = [
    Format::Csv,
    Format::Json,
    Format::Ndjson,
    Format::Parquet,
    Format::Markdown,
    Format::Html,
];

/// A file of text may have no extension.
fn check_extension(path: &Path, extensions: &[&str]) -> Result<(), Failure> {
    let is_known = |extension: String| extensions.contains(&extension.as_str());
    if path.extension().is_none() || extension_of(path).is_some_and(is_known) {
        return Ok(());
    }
    let names: Vec<_> = extensions.iter().map(|name| format!(".{name}")).collect();
    Err(no_format(path).hint(format!("use {}", names.join(", "))))
}

fn no_format(path: &Path) -> Failure {
    let message = format!(
        "the extension of {} names no format of this command",
        path.display()
    );
    Failure::usage(message)
}

fn extension_of(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?;
    Some(extension.to_ascii_lowercase())
}

fn format_of(path: &Path) -> Result<Format, Failure> {
    if path.extension().is_none() && is_stream(path) {
        return Ok(Format::Plain);
    }
    let extension = extension_of(path);
    let extension = extension.as_deref();
    let named = |format: &Format| Some(format.name()) == extension;
    match FILES.into_iter().find(named) {
        Some(format) => Ok(format),
        None if extension == Some("jsonl") => Ok(Format::Ndjson),
        None if extension == Some("txt") => Ok(Format::Table),
        None => Err(no_format(path)
            .hint("use .csv, .json, .ndjson, .parquet, .md, .html or .txt, or say -o FMT")),
    }
}

/// Pipes and devices, `/dev/stdout` among them, need no extension.
fn is_stream(path: &Path) -> bool {
    path.starts_with("/dev")
        || std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_names_its_format_in_any_case() {
        let formats = [
            ("x.csv", Format::Csv),
            ("x.CSV", Format::Csv),
            ("a.b/x.Json", Format::Json),
            ("x.ndjson", Format::Ndjson),
            ("x.jsonl", Format::Ndjson),
            ("x.JSONL", Format::Ndjson),
            ("x.PARQUET", Format::Parquet),
            ("x.md", Format::Markdown),
            ("x.html", Format::Html),
            ("x.txt", Format::Table),
        ];
        for (name, format) in formats {
            assert_eq!(format_of(Path::new(name)).unwrap(), format, "{name}");
        }
        for (name, is_right) in [
            ("x.journal", true),
            ("x.J", true),
            ("x", true),
            ("/dev/null", true),
            ("x.csv", false),
            ("x.", false),
        ] {
            let checked = check_extension(Path::new(name), &["journal", "j"]);
            assert_eq!(checked.is_ok(), is_right, "{name}");
        }
        for name in ["x", "csv", ".csv", "x.xls", "x.csv.bak", "x."] {
            assert_eq!(
                format_of(Path::new(name)).unwrap_err().exit,
                Exit::Usage,
                "{name}"
            );
        }
    }
}

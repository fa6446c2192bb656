//! Writes the answers of commands: reports, lists, drafts.

use std::io::{self, IsTerminal, Write};

use crate::cli::environment;
use crate::cli::failure::Failure;
use crate::cli::global::Choice;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::output::Deed;
use crate::cli::plan::Plan;
use crate::cli::rows::RowArgs;
use crate::consumers::standing::Standing;
use crate::domain::id::Sequence;
use crate::reports::Report;
use crate::reports::render::{self, Format, Options, for_machines};
use crate::reports::table::{Cell, Named, Table, next_row};
use crate::turn::Notices;

impl Invocation<'_> {
    /// The format of the answer.
    pub(super) fn format(&self) -> Format {
        self.output.format
    }

    /// Whether the answer is for people: a table or words at a terminal.
    pub(super) fn shows_words(&self) -> bool {
        self.output.is_terminal() && self.format() == Format::Table
    }

    /// How a table is written: as wide as the terminal if it is shown there, otherwise as COLUMNS gives.
    pub(super) fn options(&self) -> Options {
        let is_terminal = io::stdout().is_terminal() && self.global.out.is_none();
        let width = if is_terminal {
            Some(indicatif::TermLike::width(&console::Term::stdout()))
        } else {
            environment::columns()
        };
        let colours = match self.global.color {
            Choice::Always => true,
            Choice::Never => false,
            Choice::Auto => is_terminal && console::colors_enabled(),
        };
        Options {
            width,
            colours,
            excel: None,
        }
    }

    /// Writes a report to stdout or to the file of `--out`.
    pub(super) fn emit(&self, report: &Report) -> Result<(), Failure> {
        self.emit_with(report, self.options())
    }

    /// As [`Invocation::emit`], with other options than those of the terminal.
    pub(super) fn emit_with(&self, report: &Report, options: Options) -> Result<(), Failure> {
        self.reporter.detail(format_args!(
            "{}: {} rows, as of event {}",
            report.name,
            report.height(),
            report.as_of_sequence
        ));
        self.remember(&rows_in_words(&report.table), None);
        let format = self.format();
        if self.output.is_terminal() && !self.output.has_pager() {
            return self.with_output(|out| Ok(render::render(report, format, options, out)?));
        }
        self.with_pager(|out| self.render(report.name, report, format, options, out))
    }

    /// Writes a report to a place that is no terminal. The rows of a long one are counted, as progress of `what`.
    pub(super) fn render(
        &self,
        what: &str,
        report: &Report,
        format: Format,
        options: Options,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        if report.pages.rows() == 0 {
            return Ok(render::render(report, format, options, out)?);
        }
        let mut told = 0;
        let mut out = Telling {
            out,
            tell: &mut || {
                let rows = report.pages.rows_written();
                if std::mem::replace(&mut told, rows) < rows {
                    let (rows, all) = (rows as u64, report.height() as u64);
                    self.reporter.progress(what, rows, all);
                }
            },
        };
        render::render(report, format, options, &mut out)?;
        self.reporter.finish();
        Ok(())
    }

    /// Writes a list as a report of its own.
    pub(super) fn emit_list(
        &self,
        store: &OpenStore<'_>,
        rows: RowArgs,
        name: &'static str,
        table: Table,
    ) -> Result<(), Failure> {
        self.emit(&rows.arrange(list(store, name, table, Vec::new())?)?)
    }

    /// Writes the result of a command as a list, as of the head after it.
    pub(super) fn emit_done(
        &self,
        store: &OpenStore<'_>,
        name: &'static str,
        table: Table,
    ) -> Result<(), Failure> {
        let report = list(store, name, table, Vec::new())?;
        self.emit(&Report {
            as_of_sequence: report.head_sequence,
            ..report
        })
    }

    /// After a write: in a dry run the events that it would have appended, otherwise the output of `say`.
    pub(super) fn emit_outcome(
        &self,
        store: &OpenStore<'_>,
        say: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.global.dry_run {
            self.emit_draft(store)
        } else {
            say()
        }
    }

    /// Writes the events that a dry run would have appended, on a terminal as a plan. It releases the locks first, because the reader may be
    /// slow.
    fn emit_draft(&self, store: &OpenStore<'_>) -> Result<(), Failure> {
        if self.shows_words() {
            let plan = Plan::of(store)?;
            return self.with_output(|out| Ok(write!(out, "{plan}")?));
        }
        store.index.forget()?;
        store.app.log.end_draft();
        self.with_output(|out| {
            store
                .app
                .log
                .for_each_drafted(|line| Ok(writeln!(out, "{}", line.text)?))
        })
    }

    /// In a dry run prints what the command would do, and returns true.
    pub(super) fn only_says(&self, would: impl FnOnce() -> String) -> bool {
        if self.global.dry_run {
            self.reporter.remark(&would());
        }
        self.global.dry_run
    }

    /// Prints which events the tables of an answer lack, if they are not complete up to this head.
    pub(super) fn tell_gaps(&self, standing: &Standing, head: Sequence) {
        for gap in standing.gaps(head) {
            self.reporter.remark(&gap);
        }
    }

    /// Runs `write` on stdout, or on the file of `--out`, which appears whole or not at all when the command ends.
    pub(super) fn with_output(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.output.write(write)
    }

    /// Runs `write` as [`Invocation::with_output`] does. A pager shows a text for people that is longer than the screen,
    /// when the command has ended.
    pub(super) fn with_pager(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.output.write_to_read(write)
    }

    /// Keeps the outcome, and the hint in case that its answer gets lost.
    pub(super) fn remember(&self, what: &str, hint: Option<&str>) {
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

/// A place that calls `tell` whenever something is written to it.
struct Telling<'a> {
    out: &'a mut dyn Write,
    tell: &'a mut dyn FnMut(),
}

impl Write for Telling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.tell)();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The number of rows of an answer that an error repeats.
const ROWS_TOLD: usize = 3;

/// The first rows of a table on one line, without absent values.
pub(super) fn rows_in_words(table: &Table) -> String {
    let mut columns = table.cells();
    let mut row = |_| {
        let cells = table.columns().iter().zip(next_row(&mut columns));
        let cells = cells
            .filter(|(_, cell)| *cell != Cell::Null)
            .map(|((name, _), cell)| format!("{name} {}", for_machines(cell)));
        cells.collect::<Vec<_>>().join(", ")
    };
    let mut rows: Vec<String> = (0..table.height().min(ROWS_TOLD)).map(&mut row).collect();
    match table.height() {
        0 => rows.push("nothing had to be done".to_owned()),
        height if height > ROWS_TOLD => rows.push(format!("and {} more", height - ROWS_TOLD)),
        _ => {}
    }
    rows.join("; ")
}

/// A list as a report.
pub(super) fn list(
    store: &OpenStore<'_>,
    name: &'static str,
    table: Table,
    totals: Vec<Named>,
) -> Result<Report, Failure> {
    let head = store.app.log.head()?.sequence;
    Ok(Report {
        name,
        as_of_sequence: store.index.checkpoint()?.sequence,
        head_sequence: head,
        zone: store.company.zone.clone(),
        company: store.company.name.clone(),
        currency: store.company.currency.clone(),
        totals,
        ..Report::alone(table)
    })
}

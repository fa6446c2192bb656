//! Warnings, notes and progress, on stderr.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use serde::Serialize;

use crate::cli::global::{Global, ProgressStyle};
use crate::domain::displayed::Displayed;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::files::held;
use crate::turn::Notices;

const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Reporter {
    is_quiet: bool,
    is_verbose: bool,
    style: Shown,
    bar: RefCell<Option<(String, ProgressBar)>>,
    last_line: Cell<Option<Instant>>,
    warned: RefCell<BTreeSet<String>>,
    began: Instant,
}

/// A line of `--progress json`.
#[derive(Serialize)]
struct Step<'a> {
    progress: &'a str,
    done: u64,
    total: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Bar,
    Plain,
    Json,
    Nothing,
}

impl Reporter {
    pub(super) fn new(global: &Global) -> Reporter {
        let style = match global.progress {
            ProgressStyle::Plain => Shown::Plain,
            ProgressStyle::Json => Shown::Json,
            ProgressStyle::Auto if !global.quiet && std::io::stderr().is_terminal() => Shown::Bar,
            ProgressStyle::Auto | ProgressStyle::None => Shown::Nothing,
        };
        Reporter {
            is_quiet: global.quiet,
            is_verbose: global.verbose,
            style,
            bar: RefCell::new(None),
            last_line: Cell::new(None),
            warned: RefCell::default(),
            began: Instant::now(),
        }
    }

    /// A line for people at a terminal; scripts get none on success.
    pub(super) fn note(&self, message: &str) {
        if !self.is_quiet && std::io::stderr().is_terminal() {
            self.line(message);
        }
    }

    /// A line that belongs to the result, for scripts too: the last event that it includes, or how
    /// input was read.
    pub(super) fn remark(&self, message: &str) {
        if !self.is_quiet {
            self.line(message);
        }
    }

    /// Shows the progress of `what`.
    pub(super) fn progress(&self, what: &str, done: u64, total: u64) {
        match self.style {
            Shown::Nothing => {}
            Shown::Bar => self.move_bar(what, done, total),
            Shown::Plain | Shown::Json if !self.is_due(done >= total) => {}
            Shown::Plain => self.line(&format!("{what}: {done} of {total}")),
            Shown::Json => {
                let step = Step {
                    progress: what,
                    done,
                    total,
                };
                self.line(&serde_json::to_string(&step).expect("a name and two numbers are JSON"));
            }
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn is_due(&self, is_last: bool) -> bool {
        let is_due = is_last
            || self
                .last_line
                .get()
                .is_none_or(|last| last.elapsed() >= EVERY);
        if is_due {
            self.last_line.set(Some(Instant::now()));
        }
        is_due
    }

    fn move_bar(&self, what: &str, done: u64, total: u64) {
        let mut shown = self.bar.borrow_mut();
        if shown.as_ref().is_none_or(|(name, _)| name != what) {
            if let Some((_, bar)) = shown.take() {
                bar.finish_and_clear();
            }
            let bar =
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
            let template =
                "{prefix:>12} [{bar:30}] {human_pos} of {human_len}  {per_sec}  {eta} left";
            if let Ok(style) = BarStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(what.to_owned());
            *shown = Some((what.to_owned(), bar));
        }
        if let Some((_, bar)) = shown.as_ref() {
            bar.set_length(total.max(done));
            bar.set_position(done);
        }
    }

    fn line(&self, message: &str) {
        let write = || {
            // If nobody reads it, that is no failure.
            let _ = writeln!(std::io::stderr(), "{}", Displayed(&held::named(message)));
        };
        match self.bar.borrow().as_ref() {
            Some((_, bar)) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Notices for Reporter {
    /// Each warning is printed once, although consumers meet the same obstacle one after the other.
    fn warn(&self, message: &str) {
        if self.warned.borrow_mut().insert(message.to_owned()) {
            self.line(&format!("warning: {message}"));
        }
    }

    fn advanced(&self, consumer: Consumer, done: Sequence, total: Sequence) {
        // A few events are consumed before anybody could see a bar.
        if total.0 >= 20_000 {
            self.progress(consumer.name(), done.0, total.0);
        }
    }
    /// A line that is printed only with `-v`, with the milliseconds since the command began.
    fn detail(&self, said: fmt::Arguments<'_>) {
        if self.is_verbose {
            let millis = self.began.elapsed().as_secs_f64() * 1_000.0;
            self.line(&format!("{millis:8.1} ms  {said}"));
        }
    }
}

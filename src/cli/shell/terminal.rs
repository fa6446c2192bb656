//! Lines typed at a terminal: prompt, editing, history and completion.
//!
//! Invariant: Ctrl-C at the prompt empties the line, a closed terminal ends the shell without
//! a message, and of several pasted lines none is run after one that failed.

use std::io::IsTerminal;

use clap::Command;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Behavior, CompletionType, Config, Context, Editor, Helper};

use crate::cli::completion::{Choice, Names, choices};
use crate::cli::failure::{Exit, Failure};
use crate::cli::line;
use crate::cli::program::Ended;
use crate::cli::shell::history::{History, LINES_MAX};
use crate::cli::shell::{LineResult, Shell};
use crate::domain::displayed::Displayed;
use crate::turn::Notices;

/// Commands of the shell itself.
const OWN_WORDS: [&str; 4] = ["clear", "exit", "history", "quit"];

/// # Errors
/// If the terminal cannot be used.
pub(super) fn run(shell: &Shell<'_>) -> Result<Exit, Failure> {
    let mut typist = Typist::sit_down(shell)?;
    shell
        .invocation
        .reporter
        .note("`help` lists the commands; `exit` or Ctrl-D leaves");
    loop {
        let prompt = typist
            .editor
            .helper()
            .map(|helper| helper.names.prompt())
            .unwrap_or_default();
        match typist.editor.readline(&prompt) {
            Ok(text) => {
                if let Some(exit) = typist.carry_out(&text) {
                    return Ok(exit);
                }
            }
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => {}
            Err(_) => return Ok(Exit::Done),
        }
    }
}

/// A user at a terminal.
struct Typist<'s> {
    shell: &'s Shell<'s>,
    editor: Editor<Completing<'s>, MemHistory>,
    history: Option<History>,
}

impl<'s> Typist<'s> {
    fn sit_down(shell: &'s Shell<'s>) -> Result<Typist<'s>, Failure> {
        // The typed text is shown on the terminal even if the answers go elsewhere.
        let behavior = if std::io::stdout().is_terminal() {
            Behavior::Stdio
        } else {
            Behavior::PreferTerm
        };
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .behavior(behavior);
        let config = config
            .max_history_size(LINES_MAX)
            .map_err(of_terminal)?
            .build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history).map_err(of_terminal)?;
        let mut definition = (shell.invocation.program.definition)();
        definition.build();
        editor.set_helper(Some(Completing {
            definition,
            names: Names::of(shell.invocation, Some(&shell.host)),
        }));
        let mut typist = Typist {
            shell,
            editor,
            history: None,
        };
        // A restricted shell writes no file; its lines are remembered until it ends.
        if shell.host.restriction.is_some() {
            return Ok(typist);
        }
        match History::open(shell.invocation.state_directory()) {
            Ok((history, lines)) => {
                lines.iter().for_each(|line| typist.offer_again(line));
                typist.history = Some(history);
            }
            Err(error) => typist.go_on_without_history(&error.into()),
        }
        Ok(typist)
    }

    fn offer_again(&mut self, line: &str) {
        // In memory this cannot fail.
        let _ = self.editor.add_history_entry(line);
    }

    fn go_on_without_history(&mut self, failure: &Failure) {
        self.history = None;
        let hint = failure
            .hints
            .first()
            .map(|hint| format!(" ({hint})"))
            .unwrap_or_default();
        self.shell
            .invocation
            .reporter
            .warn(&format!("no history is kept: {}{hint}", failure.message));
    }

    /// Carries out the typed text, which is several lines if they were pasted. Returns the exit
    /// code if the shell ends.
    fn carry_out(&mut self, text: &str) -> Option<Exit> {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            self.remember(line);
            match self.own(line).unwrap_or_else(|| self.shell.carry_out(line)) {
                LineResult::Nothing
                | LineResult::Ended(Ended {
                    exit: Exit::Done,
                    is_closed_pipe: false,
                }) => {}
                LineResult::Leave => return Some(Exit::Done),
                LineResult::Ended(Ended {
                    is_closed_pipe: true,
                    ..
                }) => return Some(Exit::Done),
                LineResult::Ended(Ended {
                    exit: Exit::Terminated,
                    ..
                }) => return Some(Exit::Terminated),
                LineResult::Ended(_) => {
                    let left = lines.filter(|line| !line.trim().is_empty()).count();
                    if left > 0 {
                        self.shell
                            .invocation
                            .reporter
                            .note(&format!("{left} lines after it were not run"));
                    }
                    return None;
                }
            }
        }
        None
    }

    /// Carries out `clear` or `history`; `None` for any other line.
    fn own(&mut self, line: &str) -> Option<LineResult> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let done = match &words[..] {
            ["clear"] => self.editor.clear_screen().map_err(of_terminal),
            ["history"] => self.show_history(usize::MAX),
            ["history", count] => match count.parse() {
                Ok(count) => self.show_history(count),
                Err(_) => Err(Failure::usage(format!(
                    "`{count}` is not the number of lines to show"
                ))),
            },
            _ => return None,
        };
        Some(LineResult::Ended(match done {
            Ok(()) => Exit::Done.into(),
            Err(failure) => self.shell.refuse(&failure),
        }))
    }

    /// Shows the last lines, numbered from the first one that is remembered.
    fn show_history(&self, count: usize) -> Result<(), Failure> {
        let lines: Vec<(usize, &String)> = (1..).zip(self.editor.history()).collect();
        let first = lines.len().saturating_sub(count);
        self.shell.invocation.with_output(|out| {
            for (number, line) in &lines[first..] {
                writeln!(out, "{number:5}  {}", Displayed(line))?;
            }
            Ok(())
        })
    }

    fn remember(&mut self, line: &str) {
        match self.history.as_mut().map(|history| history.keep(line)) {
            Some(Ok(false)) => {}
            Some(Err(error)) => self.go_on_without_history(&error.into()),
            Some(Ok(true)) | None => self.offer_again(line),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form of map_err")]
fn of_terminal(error: ReadlineError) -> Failure {
    let message = format!("the terminal cannot be used: {error}");
    Failure::new(Exit::Failure, "io", message)
}

/// Answers the editor at a TAB.
struct Completing<'s> {
    definition: Command,
    names: Names<'s>,
}

impl Completing<'_> {
    fn choices(&self, typed: &line::Typed) -> Vec<Choice> {
        let mut found = choices(&self.definition, &self.names, typed);
        if typed.words.is_empty() && !typed.word.starts_with('-') {
            found.retain(|choice| choice.word != "shell");
            let own = OWN_WORDS.iter().filter(|own| own.starts_with(&typed.word));
            found.extend(own.map(|own| Choice::plain((*own).to_owned())));
            found.sort_by(|one, other| one.word.cmp(&other.word));
        }
        found
    }
}

impl Completer for Completing<'_> {
    type Candidate = Pair;

    fn complete(
        &self,
        text: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Some(typed) = text.get(..cursor).and_then(line::typed) else {
            return Ok((cursor, Vec::new()));
        };
        let choices = self.choices(&typed);
        let is_only = choices.len() == 1;
        let pair = |name: Choice| {
            let blank = if is_only && !name.goes_on { " " } else { "" };
            Pair {
                replacement: line::quote_as(typed.quoting, &name.word) + blank,
                display: name.shown,
            }
        };
        Ok((typed.start, choices.into_iter().map(pair).collect()))
    }
}

impl Helper for Completing<'_> {}
impl Highlighter for Completing<'_> {}
impl Validator for Completing<'_> {}
impl Hinter for Completing<'_> {
    type Hint = String;
}

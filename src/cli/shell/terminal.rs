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

use crate::cli::failure::{Exit, Failure};
use crate::cli::program::Ended;
use crate::cli::shell::history::{History, LINES_MAX};
use crate::cli::shell::names::{Name, Names};
use crate::cli::shell::{LineResult, Shell, complete, line};
use crate::turn::Notices;

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
        let failed = |error| {
            Failure::new(
                Exit::Failure,
                "io",
                format!("the terminal cannot be used: {error}"),
            )
        };
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .behavior(behavior);
        let config = config.max_history_size(LINES_MAX).map_err(failed)?.build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history).map_err(failed)?;
        let mut definition = (shell.invocation.program.definition)();
        definition.build();
        editor.set_helper(Some(Completing {
            definition,
            names: Names::of(shell),
        }));
        let mut typist = Typist {
            shell,
            editor,
            history: None,
        };
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
            match self.shell.carry_out(line) {
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

    fn remember(&mut self, line: &str) {
        match self.history.as_mut().map(|history| history.keep(line)) {
            Some(Ok(false)) => {}
            Some(Err(error)) => self.go_on_without_history(&error.into()),
            Some(Ok(true)) | None => self.offer_again(line),
        }
    }
}

/// Answers the editor at a TAB.
struct Completing<'s> {
    definition: Command,
    names: Names<'s>,
}

impl Completing<'_> {
    fn choices(&self, typed: &line::Typed) -> Vec<Name> {
        let wanted = complete::wanted(&self.definition, &typed.words, &typed.word);
        let begun = typed.word.strip_prefix(&*wanted.stem).unwrap_or_default();
        let words = wanted.words.into_iter().map(Name::plain);
        let names = wanted
            .names
            .map(|kind| self.names.beginning(kind, begun))
            .unwrap_or_default();
        let all = words.chain(names);
        all.map(|name| Name {
            word: format!("{}{}", wanted.stem, name.word),
            ..name
        })
        .collect()
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
        let pair = |name: Name| {
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

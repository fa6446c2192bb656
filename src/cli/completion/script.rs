//! Completion in other shells: a script for each, which asks this program for the words.
//!
//! A script passes the line up to the cursor. The answer has one choice on each line: the word, a
//! tab, its meaning. A line `:path` lets the shell complete paths, which it quotes and expands in
//! its own way.

use std::fmt::Write;

use clap::Command;

use crate::cli::completion::place::{self, NameKind};
use crate::cli::completion::{Names, all};
use crate::cli::line;

const PATH: &str = ":path";

/// A shell for which there is a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Script {
    Bash,
    Zsh,
    Fish,
}

impl Script {
    pub(in crate::cli) const ALL: [Script; 3] = [Script::Bash, Script::Zsh, Script::Fish];

    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Script::Bash => "bash",
            Script::Zsh => "zsh",
            Script::Fish => "fish",
        }
    }

    pub(in crate::cli) const fn text(self) -> &'static str {
        match self {
            Script::Bash => include_str!("scripts/popug-cli.bash"),
            Script::Zsh => include_str!("scripts/_popug-cli"),
            Script::Fish => include_str!("scripts/popug-cli.fish"),
        }
    }
}

/// The answer to a script: the choices at the end of `line`, which begins with the program's name.
pub(in crate::cli) fn answer(definition: &Command, names: &Names<'_>, line: &str) -> String {
    let mut answer = String::new();
    let Some(mut typed) = line::typed(line) else {
        return answer;
    };
    // Assignments and `sudo` may stand before the name; an alias may stand in its place.
    let mut words = typed.words.iter();
    let at = words.position(|word| is_program(definition, word));
    let before = at.map_or(1, |at| at + 1).min(typed.words.len());
    typed.words.drain(..before);
    let mut wanted = place::wanted(definition, &typed.words, &typed.word);
    let is_path = wanted.names.take_if(|kind| *kind == NameKind::Path);
    for choice in all(wanted, names, &typed) {
        let _ = writeln!(answer, "{}\t{}", choice.word, choice.told);
    }
    if is_path.is_some() {
        let _ = writeln!(answer, "{PATH}");
    }
    answer
}

fn is_program(definition: &Command, word: &str) -> bool {
    word.rsplit('/').next() == Some(definition.get_name())
}

//! Completion: the words that may stand at the cursor, from the definition of the command line and from the store.
//!
//! The shell of this program and the completion scripts of other shells get the same words.

mod names;
mod place;
mod script;

use clap::Command;
use clap::builder::StyledStr;

use crate::cli::line::Typed;

pub(super) use names::Names;
pub(super) use script::{Script, answer};

use place::Wanted;

/// A possible word at the cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    pub word: String,
    /// The text in the list of choices.
    pub shown: String,
    /// What the word means; may be empty.
    pub told: String,
    /// Whether the word may continue.
    pub goes_on: bool,
}

impl Choice {
    pub(super) fn plain(word: String) -> Choice {
        Choice {
            shown: word.clone(),
            told: String::new(),
            word,
            goes_on: false,
        }
    }

    fn told(word: String, told: Option<&StyledStr>) -> Choice {
        Choice {
            told: told.map(ToString::to_string).unwrap_or_default(),
            ..Choice::plain(word)
        }
    }
}

/// The possible words at the end of `typed`. `definition` is the built command tree.
pub(super) fn choices(definition: &Command, names: &Names<'_>, typed: &Typed) -> Vec<Choice> {
    all(
        place::wanted(definition, &typed.words, &typed.word),
        names,
        typed,
    )
}

fn all(wanted: Wanted, names: &Names<'_>, typed: &Typed) -> Vec<Choice> {
    let begun = typed.word.strip_prefix(&*wanted.stem).unwrap_or_default();
    let found = wanted.names.map(|kind| match &wanted.store {
        Some(store) => names.in_store(store).beginning(kind, begun),
        None => names.beginning(kind, begun),
    });
    let all = wanted.words.into_iter().chain(found.unwrap_or_default());
    all.map(|choice| Choice {
        word: format!("{}{}", wanted.stem, choice.word),
        ..choice
    })
    .collect()
}

//! The names from a store that prompt and completion show: the caller, logins, open tasks, and
//! paths.
//!
//! They come from the state index, as for every command; DuckDB is not opened. Invariant:
//! users see only names that they could list, nothing waits for long or asks a question, and a
//! failure gives no names.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::cli::completion::Choice;
use crate::cli::completion::place::NameKind;
use crate::cli::environment;
use crate::cli::global::Global;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::shell::host::Host;
use crate::domain::displayed::{Displayed, can_forge};

/// Longer lists do not help.
const NAMES_MAX: usize = 200;

const COMPANY_CHARS_MAX: usize = 24;

const TITLE_CHARS_MAX: usize = 50;

/// The longest wait of a prompt or a completion for a lock.
const PATIENCE: Duration = Duration::from_millis(100);

pub(in crate::cli) struct Names<'i> {
    invocation: &'i Invocation<'i>,
    global: Global,
}

impl<'i> Names<'i> {
    /// The names that the caller of `invocation` may see, in the shell `host` if there is one.
    pub(in crate::cli) fn of(invocation: &'i Invocation<'i>, host: Option<&Rc<Host>>) -> Names<'i> {
        let global = Global {
            lock_wait: PATIENCE,
            dry_run: false,
            no_input: true,
            host: host.cloned(),
            ..invocation.global.clone()
        };
        Names { invocation, global }
    }

    /// The same in the store that a line names; a restricted shell has only one.
    pub(super) fn in_store(&self, store: &str) -> Names<'i> {
        if self.global.restriction().is_some() {
            let global = self.global.clone();
            return Names { global, ..*self };
        }
        let home = environment::path("HOME");
        let store = match (store.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => Path::new(&home).join(rest),
            _ => store.into(),
        };
        let global = Global {
            store,
            ..self.global.clone()
        };
        Names { global, ..*self }
    }

    fn store(&self) -> Option<OpenStore<'_>> {
        Invocation {
            global: &self.global,
            ..*self.invocation
        }
        .store_as_it_is()
        .ok()
    }

    /// `UberPopug Inc.:ada> `; without a store or an acting user, the program's name.
    pub(in crate::cli) fn prompt(&self) -> String {
        let Some(store) = self.store() else {
            return "popug-cli> ".to_owned();
        };
        format!(
            "{}:{}> ",
            cut(&store.company.name, COMPANY_CHARS_MAX),
            store.caller.user.login
        )
    }

    /// Names of a kind that begin with `begun`.
    pub(super) fn beginning(&self, kind: NameKind, begun: &str) -> Vec<Choice> {
        match kind {
            NameKind::Login => self.logins(begun),
            NameKind::OpenTask => self.tasks(begun, false),
            NameKind::OwnTask => self.tasks(begun, true),
            NameKind::Path if self.global.restriction().is_some() => None,
            NameKind::Path => paths(begun),
        }
        .unwrap_or_default()
    }

    fn logins(&self, begun: &str) -> Option<Vec<Choice>> {
        let logins = self
            .store()?
            .index
            .logins_beginning(begun, NAMES_MAX)
            .ok()?;
        let choice = |(word, name): (String, String)| Choice {
            told: cut(&name, TITLE_CHARS_MAX),
            ..Choice::plain(word)
        };
        Some(logins.into_iter().map(choice).collect())
    }

    /// By number, as it was begun: `1` or `T-1`.
    fn tasks(&self, begun: &str, only_own: bool) -> Option<Vec<Choice>> {
        let store = self.store()?;
        let digits = begun.trim_start_matches(['T', 't']).trim_start_matches('-');
        let before = &begun[..begun.len() - digits.len()];
        let before = if before.is_empty() { "" } else { "T-" };
        let tasks = store
            .caller
            .open_tasks_beginning(&store.index, digits, only_own, NAMES_MAX)
            .ok()?;
        let choice = |(number, title): (u64, String)| {
            let told = cut(&title, TITLE_CHARS_MAX);
            let word = format!("{before}{number}");
            Choice {
                shown: format!("{word}  {told}"),
                told,
                ..Choice::plain(word)
            }
        };
        Some(tasks.into_iter().map(choice).collect())
    }
}

/// Safe for a terminal, and short.
fn cut(text: &str, chars_max: usize) -> String {
    let cut: String = text.chars().take(chars_max).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", Displayed(&cut))
}

fn paths(begun: &str) -> Option<Vec<Choice>> {
    let (directory, name) = begun
        .rfind('/')
        .map_or(("", begun), |slash| begun.split_at(slash + 1));
    let entries = fs::read_dir(if directory.is_empty() { "." } else { directory }).ok()?;
    let mut found: Vec<Choice> = entries
        .flatten()
        .filter_map(|entry| {
            let found = entry.file_name().into_string().ok()?;
            // Hidden files only if the word begins with a dot, and no names that cannot be typed or
            // shown.
            let is_wanted =
                found.starts_with(name) && (name.starts_with('.') || !found.starts_with('.'));
            let slash = if entry.path().is_dir() { "/" } else { "" };
            (is_wanted && !found.contains(can_forge)).then(|| Choice {
                shown: format!("{found}{slash}"),
                goes_on: !slash.is_empty(),
                ..Choice::plain(format!("{directory}{found}{slash}"))
            })
        })
        .take(NAMES_MAX)
        .collect();
    found.sort_by(|a, b| a.word.cmp(&b.word));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_directory_with_hidden_ones_on_request() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("data")).unwrap();
        for file in ["day one.csv", "dawn.md", ".hidden", "forged\u{1b}[2J"] {
            fs::write(home.path().join(file), "").unwrap();
        }
        let begun = |name: &str| format!("{}/{name}", home.path().display());
        let shown = |name: &str| -> Vec<String> {
            paths(&begun(name))
                .unwrap()
                .into_iter()
                .map(|found| found.shown)
                .collect()
        };
        assert_eq!(shown(""), ["data/", "dawn.md", "day one.csv"]);
        assert_eq!(shown("day"), ["day one.csv"]);
        assert_eq!(shown(".h"), [".hidden"]);
        assert_eq!(
            paths(&begun("dat")).unwrap(),
            [Choice {
                shown: "data/".into(),
                goes_on: true,
                ..Choice::plain(begun("data/"))
            }]
        );
        assert_eq!(paths("/there/is/nothing/"), None);
    }

    #[test]
    fn names_are_shown_short_and_cannot_forge() {
        assert_eq!(cut("Uber\u{202e}Popug", 24), "Uber\\u{202e}Popug");
        assert_eq!(cut("Жили-были попуги", 4), "Жили…");
    }
}

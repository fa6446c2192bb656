//! The possible words at a place of a line, from the definition of the command line.
//!
//! Pure: names that only a store or a directory knows are requested by their kind, and `names`
//! looks them up.

use clap::{Arg, ArgAction, Command, ValueHint};

use crate::cli::completion::Choice;
use crate::cli::global::HELP;
use crate::domain::role::Role;

/// The possible words at the cursor.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    /// The part of the unfinished word that precedes every choice: `--user=`.
    pub stem: String,
    pub words: Vec<Choice>,
    pub names: Option<NameKind>,
    /// The store that the line names.
    pub store: Option<String>,
}

/// Names that are looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NameKind {
    Login,
    OpenTask,
    /// An open task of the acting user.
    OwnTask,
    Path,
}

/// The possible words after `words`, given the unfinished `word`. `root` is the built command tree.
pub(super) fn wanted(root: &Command, words: &[String], word: &str) -> Wanted {
    let words = words
        .strip_prefix(&[root.get_name().to_owned()])
        .unwrap_or(words);
    let mut place = Position {
        command: root,
        waiting: None,
        values: 0,
        only_values: false,
        store: None,
    };
    for word in words {
        place.pass(word);
    }
    let mut wanted = place.wanted(word);
    let begun = word.strip_prefix(&*wanted.stem).unwrap_or(word);
    wanted.words.retain(|choice| choice.word.starts_with(begun));
    wanted.words.sort_by(|one, other| one.word.cmp(&other.word));
    wanted.store = place.store;
    wanted
}

/// The place in a line up to which it was parsed.
struct Position<'c> {
    command: &'c Command,
    /// The option that takes the next word.
    waiting: Option<&'c Arg>,
    /// The number of words so far that belong to no option.
    values: usize,
    /// After `--`.
    only_values: bool,
    /// The value of `--store`.
    store: Option<String>,
}

impl<'c> Position<'c> {
    fn pass(&mut self, word: &str) {
        if let Some(option) = self.waiting.take() {
            self.read(option, word);
            return;
        }
        if !self.only_values {
            if word == "--" {
                self.only_values = true;
                return;
            }
            if word.starts_with('-') && word.len() > 1 {
                self.pass_option(word);
                return;
            }
            if self.values == 0
                && let Some(command) = self.command.find_subcommand(word)
            {
                // After `help` come the words of a command.
                if command.get_name() != HELP {
                    self.command = command;
                }
                return;
            }
        }
        self.values += 1;
    }

    /// Passes `--name`, `--name=value`, `-xyz` or `-xyzvalue`.
    fn pass_option(&mut self, word: &str) {
        if let Some((name, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
            if let Some(option) = self.long(name).filter(takes_value) {
                self.read(option, value);
            }
            return;
        }
        if word.starts_with("--") {
            self.waiting = self.long(word).filter(takes_value);
            return;
        }
        let mut letters = word[1..].chars();
        let option = letters.by_ref().find_map(|letter| {
            let mut arguments = self.command.get_arguments();
            let arg = arguments.find(|arg| arg.get_short() == Some(letter))?;
            Some(arg).filter(takes_value)
        });
        match (option, letters.as_str()) {
            (Some(option), "") => self.waiting = Some(option),
            (Some(option), value) => self.read(option, value.trim_start_matches('=')),
            (None, _) => {}
        }
    }

    fn read(&mut self, option: &Arg, value: &str) {
        if option.get_id() == "store" {
            self.store = Some(value.to_owned());
        }
    }

    fn long(&self, word: &str) -> Option<&'c Arg> {
        let name = word.strip_prefix("--")?;
        self.command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name))
    }

    fn wanted(&self, word: &str) -> Wanted {
        if let Some(option) = self.waiting {
            return self.values_of(option);
        }
        if word.starts_with('-') && !self.only_values {
            return match word.split_once('=') {
                Some((name, _)) => {
                    let values = self
                        .long(name)
                        .filter(takes_value)
                        .map(|option| self.values_of(option));
                    Wanted {
                        stem: format!("{name}="),
                        ..values.unwrap_or_default()
                    }
                }
                None => self.options(),
            };
        }
        let mut wanted = self
            .value()
            .map(|arg| self.values_of(arg))
            .unwrap_or_default();
        if self.values == 0 && !self.only_values {
            wanted.words.extend(self.commands());
        }
        wanted
    }

    fn options(&self) -> Wanted {
        let shown = self
            .command
            .get_arguments()
            .filter(|arg| arg.is_global_set() || !arg.is_hide_set());
        let words = shown.filter_map(|arg| {
            let name = format!("--{}", arg.get_long()?);
            Some(Choice::told(name, arg.get_help()))
        });
        Wanted {
            words: words.collect(),
            ..Wanted::default()
        }
    }

    fn commands(&self) -> impl Iterator<Item = Choice> {
        let shown = self
            .command
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        shown.map(|command| Choice::told(command.get_name().to_owned(), command.get_about()))
    }

    /// The argument that takes the next word that belongs to no option.
    fn value(&self) -> Option<&'c Arg> {
        let last = self
            .command
            .get_positionals()
            .last()
            .filter(|arg| matches!(arg.get_action(), ArgAction::Append));
        self.command.get_positionals().nth(self.values).or(last)
    }

    fn values_of(&self, arg: &Arg) -> Wanted {
        let possible = arg.get_possible_values();
        let words = possible
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| Choice::told(value.get_name().to_owned(), value.get_help()));
        let mut wanted = Wanted {
            words: words.collect(),
            ..Wanted::default()
        };
        match arg
            .get_value_names()
            .and_then(|names| names.first())
            .map(|name| name.as_str())
        {
            // The login of a user to be registered is new.
            Some("LOGIN") if arg.get_long().is_some_and(|long| long.ends_with("login")) => {}
            Some("LOGIN" | "USER") => wanted.names = Some(NameKind::Login),
            Some("TASKS") => wanted.names = Some(NameKind::OwnTask),
            Some("TASK") => wanted.names = Some(NameKind::OpenTask),
            Some("ROLE") => wanted
                .words
                .extend(Role::ALL.map(|role| Choice::plain(role.name().to_owned()))),
            _ if is_path(arg) => wanted.names = Some(NameKind::Path),
            _ => {}
        }
        wanted
    }
}

fn takes_value(arg: &&Arg) -> bool {
    arg.get_action().takes_values()
}

fn is_path(arg: &Arg) -> bool {
    matches!(
        arg.get_value_hint(),
        ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line::CommandLine;
    use crate::cli::line;

    fn at(text: &str) -> Wanted {
        let mut root = CommandLine::definition();
        root.build();
        let typed = line::typed(text).unwrap();
        wanted(&root, &typed.words, &typed.word)
    }

    fn words(text: &str) -> String {
        joined(&at(text))
    }

    fn joined(wanted: &Wanted) -> String {
        let words: Vec<&str> = wanted.words.iter().map(|choice| &*choice.word).collect();
        words.join(" ")
    }

    #[test]
    fn commands_are_completed_wherever_one_may_stand() {
        assert_eq!(words("ta"), "task");
        assert_eq!(words("popug-cli ta"), "task");
        assert_eq!(
            words("task "),
            "add board cancel complete edit hand-over list reshuffle show"
        );
        assert_eq!(words("-C x -q --as=ada task co"), "complete");
        assert_eq!(words("hel"), "help");
        assert_eq!(words("help ta"), "task");
        assert_eq!(words("-q help task sh"), "show");
        assert_eq!(words("e"), "explain export");
        assert_eq!(words("she"), "shell");
        for text in ["__complete", "task list li", "-- ta", "task add ta"] {
            assert_eq!(words(text), "", "{text}");
        }
    }

    #[test]
    fn the_store_of_the_line_is_known_however_it_is_given() {
        for text in [
            "-C /srv/x task show ",
            "-qC/srv/x task show ",
            "-C=/srv/x task show ",
            "task --store /srv/x show ",
            "task show --store=/srv/x ",
            "-C /srv/y task show -C /srv/x ",
        ] {
            assert_eq!(at(text).store.as_deref(), Some("/srv/x"), "{text}");
        }
        assert_eq!(at("task add -- --store=/srv/x ").store, None);
    }

    #[test]
    fn commands_and_options_are_told() {
        let told = |text: &str| at(text).words[0].told.clone();
        assert_eq!(told("task sho"), "Show one task with its history");
        assert_eq!(
            told("task list --min"),
            "Only tasks that are assigned to you"
        );
    }

    #[test]
    fn options_are_those_of_the_command_and_the_global_ones() {
        assert_eq!(words("task list --m"), "--mine");
        assert_eq!(words("task list --lock"), "--lock-wait");
        assert_eq!(words("task list --dry"), "--dry-run");
        assert_eq!(words("report balances --p"), "--period --progress");
        assert_eq!(words("task list -- --m"), "");
    }

    #[test]
    fn values_are_those_that_an_option_or_argument_takes() {
        assert_eq!(
            words("-o "),
            "csv html json md ndjson parquet plain prometheus table"
        );
        assert_eq!(words("task list -qo j"), "json");
        assert_eq!(words("task list -ojson"), "");
        assert_eq!(
            words("report earnings --period "),
            "day month quarter week year"
        );
        assert_eq!(words("report ba"), "balances");
        assert_eq!(words("consume accounting an"), "analytics");
        assert_eq!(words("user set-role ada m"), "manager");
        let begun = at("task list --output=c");
        assert_eq!(
            (begun.stem.as_str(), joined(&begun).as_str()),
            ("--output=", "csv")
        );
    }

    /// The names of values in the definition, by their place.
    fn places(command: &Command, path: &str, found: &mut Vec<String>) {
        for arg in command
            .get_arguments()
            .filter(|arg| !arg.is_global_set() || path.is_empty())
        {
            let place = Position {
                command,
                waiting: None,
                values: 0,
                only_values: false,
                store: None,
            };
            if let Some(kind) = place.values_of(arg).names {
                found.push(
                    format!("{path} {}: {kind:?}", arg.get_id())
                        .trim_start()
                        .to_owned(),
                );
            }
        }
        for sub in command.get_subcommands() {
            places(
                sub,
                format!("{path} {}", sub.get_name()).trim_start(),
                found,
            );
        }
    }

    #[test]
    fn the_places_of_names_are_as_agreed() {
        let mut root = CommandLine::definition();
        root.build();
        let mut found = Vec::new();
        places(&root, "", &mut found);
        insta::assert_snapshot!(found.join("\n"));
    }

    #[test]
    fn names_stand_after_options_and_as_arguments() {
        for (text, kind) in [
            ("login ", Some(NameKind::Login)),
            ("--as ", Some(NameKind::Login)),
            ("report statement --user=a", Some(NameKind::Login)),
            ("task complete 1 2 ", Some(NameKind::OwnTask)),
            ("task show ", Some(NameKind::OpenTask)),
            ("task show 1 ", None),
            ("import users ", Some(NameKind::Path)),
            ("user register --login ", None),
            ("task add ", None),
        ] {
            assert_eq!(at(text).names, kind, "{text}");
        }
    }
}

//! Man pages: one for the program and one for each command, from the definition of the command line.

use clap::{Arg, Command};
use roff::{Inline, Roff, bold, italic, roman};

const SECTION: &str = "1";
const PROGRAM: &str = env!("CARGO_PKG_NAME");

pub(super) struct ManPage {
    name: String,
    pub text: String,
}

impl ManPage {
    /// The first bytes of every page.
    pub(super) const BEGINNING: &str = ".\\\" Made by `popug-cli man`\n";

    pub(super) fn file(&self) -> String {
        format!("{}.{SECTION}", self.name)
    }
}

/// The pages of all commands that the help shows.
pub(super) fn pages(mut definition: Command) -> Vec<ManPage> {
    definition.build();
    let mut pages = Vec::new();
    add(&definition, None, &mut pages);
    pages
}

fn add(command: &Command, above: Option<&str>, pages: &mut Vec<ManPage>) {
    let name = match above {
        Some(above) => format!("{above}-{}", command.get_name()),
        None => command.get_name().to_owned(),
    };
    let text = format!(
        "{}{}{}",
        ManPage::BEGINNING,
        title(&name),
        body(command, &name, above)
    );
    for below in shown_below(command) {
        add(below, Some(&name), pages);
    }
    pages.push(ManPage { name, text });
}

fn shown_below(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
}

/// Without a date, so that the same program writes the same page.
fn title(name: &str) -> String {
    let (name, version) = (name.to_uppercase(), env!("CARGO_PKG_VERSION"));
    format!(".TH \"{name}\" \"{SECTION}\" \"\" \"{PROGRAM} {version}\" \"{PROGRAM}\"\n")
}

fn body(command: &Command, name: &str, above: Option<&str>) -> String {
    let mut page = Roff::default();
    let about = command.get_about().map(ToString::to_string);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {}", about.unwrap_or_default()))]);
    page.control("SH", ["SYNOPSIS"]);
    let usage = command.clone().render_usage().to_string();
    page.text([bold(usage.trim_start_matches("Usage: "))]);
    if let Some(examples) = command.get_before_help() {
        as_it_is(&mut page, "EXAMPLES", &examples.to_string());
    }
    let own = |arg: &&Arg| !arg.is_hide_set() && !is_for_all(arg);
    arguments(
        &mut page,
        "ARGUMENTS",
        command.get_positionals().filter(own),
    );
    let options = command.get_arguments().filter(|arg| !arg.is_positional());
    let options = options.filter(own);
    arguments(&mut page, "OPTIONS", options);
    if above.is_none() {
        let for_all = command.get_arguments().filter(|arg| is_for_all(arg));
        arguments(&mut page, "GLOBAL OPTIONS", for_all);
    }
    commands(&mut page, name, command);
    if let Some(more) = command.get_after_help() {
        as_it_is(&mut page, "NOTES", &more.to_string());
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(match above {
        Some(PROGRAM) => "popug-cli(1) describes the global options".to_owned(),
        Some(above) => format!("{above}(1); popug-cli(1) describes the global options"),
        None => "`popug-cli help` lists the commands and the topics of the help".to_owned(),
    })]);
    page.to_roff()
}

/// Whether the option may stand on every line; the page of the program describes it.
fn is_for_all(arg: &Arg) -> bool {
    arg.get_help_heading().is_some()
}

fn arguments<'c>(page: &mut Roff, heading: &str, args: impl Iterator<Item = &'c Arg>) {
    for (place, arg) in args.enumerate() {
        if place == 0 {
            page.control("SH", [heading]);
        }
        page.control("TP", []);
        page.text(head(arg));
        let help = arg.get_help().map(ToString::to_string);
        let mut told = help.unwrap_or_default();
        if arg.get_action().takes_values() {
            told.push_str(&values(arg));
        }
        page.text([roman(told)]);
    }
}

/// `-C, --store DIR`
fn head(arg: &Arg) -> Vec<Inline> {
    let short = arg.get_short().map(|letter| format!("-{letter}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let mut head = vec![bold(names.join(", "))];
    if arg.get_action().takes_values() {
        let value = arg.get_value_names().unwrap_or_default().join(" ");
        head.push(roman(if names.is_empty() { "" } else { " " }));
        head.push(italic(value));
    }
    head
}

/// The default, the variable and the possible values of an argument.
fn values(arg: &Arg) -> String {
    let mut told = String::new();
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|text| text.to_string_lossy())
        .collect();
    if !defaults.is_empty() {
        told.push_str(&format!(" [default: {}]", defaults.join(" ")));
    }
    if let Some(variable) = arg.get_env() {
        told.push_str(&format!(" [environment: {}]", variable.to_string_lossy()));
    }
    let possible = arg.get_possible_values();
    let possible: Vec<&str> = possible.iter().map(|value| value.get_name()).collect();
    if !possible.is_empty() && (is_for_all(arg) || !arg.is_hide_possible_values_set()) {
        told.push_str(&format!(" [values: {}]", possible.join(", ")));
    }
    told
}

fn commands(page: &mut Roff, name: &str, command: &Command) {
    for (place, below) in shown_below(command).enumerate() {
        if place == 0 {
            page.control("SH", ["COMMANDS"]);
        }
        page.control("TP", []);
        page.text([
            bold(format!("{name}-{}", below.get_name())),
            roman(format!("({SECTION})")),
        ]);
        let about = below.get_about().map(ToString::to_string);
        page.text([roman(about.unwrap_or_default())]);
    }
}

/// A section whose lines are not filled.
fn as_it_is(page: &mut Roff, heading: &str, text: &str) {
    page.control("SH", [heading]).control("nf", []);
    for line in text.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}

//! The limits of a restricted shell, which serves people who may not use the account of the store for
//! anything else.
//!
//! Invariant: every line acts in the store and as the user of the shell, and uses no file but
//! those of the store, stdin and stdout. A command is refused unless it reaches the company alone
//! ([`Reach`]), and so is an argument of any command whose value is a path. Files that the program
//! uses by itself are closed too: the pager, the history, the completion of paths, and the variables
//! of the environment.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueHint};

use crate::cli::commands;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::Global;
use crate::cli::nature::Reach;

/// Options of commands that name no path and are refused too: mails that the operator holds back,
/// and a line that would go on when its reader is gone.
const REFUSED: [(&str, &str); 2] = [("consume", "send_imported"), ("consume", "follow")];

/// # Errors
/// If the line was given to a restricted shell and leaves its limits.
pub(super) fn check(command: &commands::Command, global: &Global) -> Result<(), Failure> {
    let Some(restriction) = global.restriction() else {
        return Ok(());
    };
    let is_refused = match command.reach() {
        Reach::Company => false,
        Reach::Session => restriction.token.is_some(),
        Reach::Machine => true,
    };
    if is_refused {
        let refused = refused(&format!("`{}`", global.command_path));
        return Err(refused.hint("this shell serves one user of one company"));
    }
    if global.store != restriction.store {
        return Err(refused("-C"));
    }
    if global.act_as.is_some() {
        return Err(refused("--as"));
    }
    match global.refused_if_restricted.first() {
        Some(name) => Err(refused(name).hint(
            "a line reads stdin and writes stdout, as in `ssh HOST report balances -o csv > FILE`",
        )),
        None => Ok(()),
    }
}

/// Mails are left to the operator: a restricted shell does not read the variables that name the
/// mail server, so it would write the mails to files.
///
/// # Errors
/// In a restricted shell.
pub(super) fn check_mails(global: &Global) -> Result<(), Failure> {
    match global.restriction() {
        Some(_) => Err(refused("sending mails")
            .hint("the operator of the store sends them with `popug-cli consume notifier`")),
        None => Ok(()),
    }
}

fn refused(what: &str) -> Failure {
    let message = format!("this shell is restricted: {what} is not allowed here");
    Failure::new(Exit::NotAllowed, "restricted", message)
}

/// The options and arguments of a line, except the store, that a restricted shell refuses, by their
/// names.
pub(super) fn refused_arguments(definition: &Command, matches: &ArgMatches) -> Vec<String> {
    let is_given =
        |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let is_import = matches.subcommand_name() == Some("import");
    let command = definition.get_name();
    let here = definition
        .get_arguments()
        .filter(|arg| is_refused(command, arg));
    let mut found: Vec<String> = here.filter(is_given).map(name).collect();
    if let Some((name, below)) = matches.subcommand()
        && let Some(command) = definition.find_subcommand(name)
    {
        found.extend(if is_import {
            refused_of_import(command, below)
        } else {
            refused_arguments(command, below)
        });
    }
    found
}

/// An import takes `-` for stdin.
fn refused_of_import(definition: &Command, matches: &ArgMatches) -> Vec<String> {
    let source = matches.subcommand().map(|(_, source)| source);
    let file = source.and_then(|source| source.get_raw(FILE)?.next());
    let mut found = refused_arguments(definition, matches);
    if file == Some(OsStr::new("-")) {
        found.retain(|name| name != "FILE");
    }
    found
}

const FILE: &str = "file";

/// Whether a restricted shell refuses an argument of a command.
pub(super) fn is_refused(command: &str, arg: &Arg) -> bool {
    let id = arg.get_id().as_str();
    id != "store" && (is_path(arg) || REFUSED.contains(&(command, id)))
}

/// Whether the value of an argument is a path, by its type or by the hint for completion.
fn is_path(arg: &Arg) -> bool {
    let kind = arg.get_value_parser().type_id();
    let is_of_a_path = kind == TypeId::of::<PathBuf>() || kind == TypeId::of::<OsString>();
    let hint = arg.get_value_hint();
    arg.get_action().takes_values()
        && (is_of_a_path
            || matches!(
                hint,
                ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath
            ))
}

/// `--out`, or `FILE` for an argument without an option.
fn name(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_id().as_str().to_uppercase(),
    }
}

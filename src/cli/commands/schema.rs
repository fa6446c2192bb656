//! `schema list`, `schema show`, `schema check`

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::nature::Nature;
use crate::cli::rows::RowArgs;
use crate::event_log::schema::{self, SCHEMAS};
use crate::reports::Report;
use crate::reports::table::Table;

#[derive(Subcommand, Debug)]
pub(crate) enum Schema {
    /// List the event types that have a schema
    List(List),
    /// Print the schema of one event type
    Show(Show),
    /// Check the schemas themselves, or check every line of a file against them
    Check(Check),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    rows: RowArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The type with its version, like task.created.v2, or `envelope`
    type_name: String,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Lines of a log (`-`: stdin)
    file: Option<PathBuf>,
}

impl Schema {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Schema::List(_) => Nature::ASKS,
            Schema::Show(_) => Nature::tells(&["json", "txt"]),
            Schema::Check(_) => Nature::tells(&["txt"]),
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        match self {
            Schema::List(List { rows }) => {
                let types = SCHEMAS.iter().map(|schema| Some(schema.type_name()));
                let table = Table::builder().text("type", types).build();
                invocation.emit(&rows.arrange(Report {
                    name: "schemas",
                    ..Report::alone(table)
                })?)?;
                Ok(Exit::Done)
            }
            Schema::Show(Show { type_name }) => show(invocation, &type_name),
            Schema::Check(Check { file: None }) => report(invocation, &schema::lint()),
            Schema::Check(Check { file: Some(file) }) => {
                report(invocation, &check_lines(invocation, &file)?)
            }
        }
    }
}

fn show(invocation: &Invocation<'_>, type_name: &str) -> Result<Exit, Failure> {
    let text = match type_name {
        "envelope" => Some(schema::ENVELOPE),
        _ => schema::find(type_name).map(|schema| schema.text),
    };
    let text = text.ok_or_else(|| {
        Failure::new(
            Exit::NotFound,
            "unknown_type",
            format!("there is no schema of `{type_name}`"),
        )
        .hint("`popug-cli schema list` shows all")
    })?;
    invocation.with_output(|out| Ok(writeln!(out, "{}", text.trim_end())?))?;
    Ok(Exit::Done)
}

fn check_lines(invocation: &Invocation<'_>, file: &PathBuf) -> Result<Vec<String>, Failure> {
    let unreadable = |error| {
        Failure::new(
            Exit::Failure,
            "io",
            format!("cannot read {}: {error}", file.display()),
        )
    };
    let input: Box<dyn BufRead> = if file.as_os_str() == "-" {
        invocation
            .global
            .refuse_stdin_of_script("`schema check -`")?;
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(
            std::fs::File::open(file).map_err(unreadable)?,
        ))
    };
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(input.lines()) {
        if let Err(reason) = schema::validate_line(&line.map_err(unreadable)?) {
            findings.push(format!("line {number}: {reason}"));
        }
    }
    Ok(findings)
}

fn report(invocation: &Invocation<'_>, findings: &[String]) -> Result<Exit, Failure> {
    invocation.with_output(|out| {
        for finding in findings {
            writeln!(out, "{finding}")?;
        }
        Ok(())
    })?;
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Findings
    })
}

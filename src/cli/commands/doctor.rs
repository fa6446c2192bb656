//! `doctor`

use std::fmt::Write as _;

use clap::Args;

use crate::app::doctor::{Check, Examination, Health};
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::domain::displayed::Displayed;
use crate::domain::time::Zone;
use crate::reports::Report;
use crate::reports::render::{Format, Options};
use crate::reports::table::{Table, Value};

#[derive(Args, Debug)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let examination = invocation
            .app_to_look()?
            .examine(&|company| invocation.sessions(company));
        if invocation.format() == Format::Table {
            // A table would cut texts that must be read to the end.
            let text = lines(&examination.checks, invocation.options());
            invocation.with_pager(|out| Ok(out.write_all(text.as_bytes())?))?;
        } else {
            invocation.emit(&report(&examination)?)?;
        }
        let is_ill = examination
            .checks
            .iter()
            .any(|check| check.health == Health::Problem);
        Ok(if is_ill { Exit::Findings } else { Exit::Done })
    }
}

/// The column in which details begin.
const INDENT: &str = "                          ";

fn lines(checks: &[Check], options: Options) -> String {
    let mut text = String::new();
    for check in checks {
        let health = check.health.name();
        let colour = match check.health {
            Health::Ok => "32",
            Health::Warning => "33",
            Health::Problem => "31",
        };
        let health = if options.colours {
            format!("\u{1b}[{colour}m{health:<8}\u{1b}[0m")
        } else {
            format!("{health:<8}")
        };
        let detail = wrapped(&Displayed(&check.detail).to_string(), options);
        let _ = writeln!(text, "{health} {:<15}  {detail}", check.name);
        if let Some(hint) = &check.hint {
            // A command that is broken could not be pasted.
            let _ = writeln!(text, "{INDENT}hint: {}", Displayed(hint));
        }
    }
    text
}

/// A detail on as many lines as the terminal needs, words whole.
fn wrapped(text: &str, options: Options) -> String {
    let Some(width) = options.width.map(usize::from) else {
        return text.to_owned();
    };
    let room = width.saturating_sub(INDENT.len()).max(30);
    let room = textwrap::Options::new(room).break_words(false);
    textwrap::wrap(text, room).join(&format!("\n{INDENT}"))
}

fn report(examination: &Examination) -> Result<Report, Failure> {
    let checks = &examination.checks;
    let table = Table::builder()
        .text("check", checks.iter().map(|check| Some(check.name)))
        .text(
            "result",
            checks.iter().map(|check| Some(check.health.name())),
        )
        .text("detail", checks.iter().map(|check| Some(&check.detail)))
        .text("hint", checks.iter().map(|check| check.hint.as_deref()))
        .build();
    let count =
        |health| Value::Int(checks.iter().filter(|check| check.health == health).count() as i64);
    let company = examination.company.as_ref();
    let zone = company.map_or_else(|| Zone::named("UTC"), |company| Ok(company.zone.clone()));
    Ok(Report {
        name: "doctor",
        as_of_sequence: examination.head,
        head_sequence: examination.head,
        zone: zone.expect("UTC is a zone"),
        currency: company.map_or_else(String::new, |company| company.currency.clone()),
        totals: vec![
            ("problems", count(Health::Problem)),
            ("warnings", count(Health::Warning)),
        ],
        ..Report::alone(table)
    })
}

//! `doctor`

use std::fmt::Write as _;

use clap::Args;

use crate::app::doctor::{Check, Examination, Health};
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::domain::displayed::Displayed;
use crate::domain::time::Zone;
use crate::reports::Report;
use crate::reports::render::Format;
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
            invocation
                .with_output(|out| Ok(out.write_all(lines(&examination.checks).as_bytes())?))?;
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

fn lines(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let _ = writeln!(
            text,
            "{:<8} {:<15}  {}",
            check.health.name(),
            check.name,
            Displayed(&check.detail)
        );
        if let Some(hint) = &check.hint {
            let _ = writeln!(text, "{:<26}hint: {}", "", Displayed(hint));
        }
    }
    text
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

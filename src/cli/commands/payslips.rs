//! `report payslip --all --dir DIR`: a file for each user of the pay sheet.

use std::path::Path;

use crate::app::reports::{Reports, Request};
use crate::cli::destination::{Content, Destination};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::Asked;
use crate::cli::invocation::Invocation;
use crate::cli::output::keep_off;
use crate::cli::{file_modes, own_files};
use crate::files::held::Held;
use crate::reports::name::ReportName;
use crate::reports::render::{Format, Options};
use crate::reports::table::{Cell, Table};

/// Writes the payslips of all users that the pay sheet of the same period names.
pub(super) fn write(
    invocation: &Invocation<'_>,
    reports: &Reports<'_>,
    request: &Request,
    dir: &Path,
) -> Result<Exit, Failure> {
    if request.name != ReportName::Payslip {
        let message = format!("`report {}` has no --all", request.name.name());
        return Err(Failure::usage(message).hint("use `report payslip --all --dir DIR`"));
    }
    let format = match invocation.global.output {
        None => Format::Html,
        Some(Asked::Rows(format)) => format,
        Some(Asked::Metrics) => return Err(Failure::usage("a payslip has no metrics")),
    };
    let cannot = |action, error: &std::io::Error| {
        let message = format!("cannot {action} {}: {error}", dir.display());
        Failure::new(Exit::Failure, "io", message)
    };
    let (sheet, standing) = reports.load(&Request {
        name: ReportName::Pay,
        ..request.clone()
    })?;
    let extension = match format {
        Format::Table => "txt",
        other => other.name(),
    };
    keep_off(&invocation.global.store, dir)?;
    file_modes::make_directory_for_user(dir).map_err(|error| cannot("create", &error))?;
    let held = Held::open(dir).map_err(|error| cannot("open", &error))?;
    keep_off(&invocation.global.store, held.path())?;
    let logins = logins(&sheet.table);
    let path = |login: &str| held.path().join(format!("{login}.{extension}"));
    for login in &logins {
        own_files::check_replaceable(&path(login), invocation.global.force)?;
    }
    let mut exit = Exit::Done;
    for login in &logins {
        let user = reports.index.user_named(login)?;
        let (report, _) = reports.load(&Request {
            user: user.map(|user| user.id),
            ..request.clone()
        })?;
        if !report.adds_up {
            exit = Exit::Findings;
        }
        let mut file = Destination::at(&path(login))?;
        file.write(|out| invocation.render(login, &report, format, Options::default(), out))?;
        file.finish(Content::Data)?;
    }
    invocation.tell_gaps(&standing, sheet.head_sequence);
    let count = logins.len();
    let said = format!("{count} payslips are in {}", dir.display());
    invocation.reporter.note(&said);
    Ok(exit)
}

fn logins(sheet: &Table) -> Vec<String> {
    let columns = sheet.columns().iter().zip(sheet.cells());
    let logins = columns.filter(|((name, _), _)| *name == "login");
    let cells = logins.flat_map(|(_, cells)| cells);
    cells
        .filter_map(|cell| match cell {
            Cell::Text(login) => Some(login.to_owned()),
            _ => None,
        })
        .collect()
}

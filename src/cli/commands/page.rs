//! `report page`: the reports of a period on one page.

use crate::app::reports::Reports;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::domain::period::Period;
use crate::reports::render::{Format, page};

/// Writes the page of a period.
///
/// # Errors
/// If it would go to a terminal, or another format is asked for.
pub(super) fn write(
    invocation: &Invocation<'_>,
    reports: &Reports<'_>,
    period: Option<&Period>,
) -> Result<Exit, Failure> {
    let place = "name a file for it: `--out FILE.html`";
    let is_unsaid = invocation.global.output.is_none();
    match invocation.format() {
        Format::Html => {}
        // A pipe or a device.
        Format::Plain if is_unsaid => {}
        Format::Table if is_unsaid && invocation.global.out.is_none() => {
            return Err(Failure::usage("a terminal cannot show a page").hint(place));
        }
        _ => return Err(Failure::usage("a page is HTML").hint(place)),
    }
    let (page, standings) = reports.page(period)?;
    invocation.with_output(|out| Ok(page::write(&page, out)?))?;
    for standing in &standings {
        invocation.tell_gaps(standing, page.head);
    }
    let adds_up = page.trial.iter().all(|trial| trial.report.adds_up) && page.pay.report.adds_up;
    Ok(if adds_up { Exit::Done } else { Exit::Findings })
}

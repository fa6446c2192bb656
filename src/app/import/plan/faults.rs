//! Finds all faults of a row that has one.

use crate::app::AppError;
use crate::app::import::ImportKind;
use crate::app::import::columns::Column;
use crate::app::import::csv_file::CsvRow;
use crate::app::import::fault::Fault;
use crate::app::import::plan::{Planner, Trouble};
use crate::app::import::row::{self, Action};
use crate::domain::rejection::{Rejection, RejectionClass};
use crate::domain::time::EventTime;

impl Planner<'_, '_> {
    pub(super) fn time_fault(&mut self, at: EventTime) -> Result<Option<Fault>, AppError> {
        let reason = match (self.last, self.reached) {
            _ if at > self.now => format!("{at} is later than now ({})", self.now),
            (Some(last), _) if at < last => self.obstacles.reason(at)?,
            (_, Some(reached)) if at < reached => {
                format!("{at} is earlier than a row before it ({reached})")
            }
            _ => return Ok(None),
        };
        Ok(Some(Fault::of(Column::At, reason)))
    }

    /// All faults of a row, one for each column, in the order of the columns. Faults that were
    /// `found` come before others of their column.
    pub(super) fn all_faults(
        &mut self,
        kind: ImportKind,
        row: &CsvRow,
        found: Vec<Fault>,
    ) -> Result<Vec<Fault>, AppError> {
        let mut faults = found;
        let more = self.more_faults(kind, row)?;
        faults.extend(more);
        let mut seen: Vec<&str> = Vec::new();
        faults.retain(|fault| {
            let is_new = !seen.contains(&fault.column);
            seen.push(fault.column);
            is_new
        });
        let place = |fault: &Fault| {
            let mut columns = kind.columns().iter();
            columns.position(|column| column.name() == fault.column)
        };
        faults.sort_by_key(place);
        Ok(faults)
    }

    fn more_faults(&mut self, kind: ImportKind, row: &CsvRow) -> Result<Vec<Fault>, AppError> {
        let mut faults = Vec::new();
        let Some(action) = row::action_of(kind, self.csv_file, row) else {
            return Ok(faults);
        };
        if let Some(at) = row::time_of(self.csv_file, row).filter(|_| kind == ImportKind::Activity)
        {
            faults.extend(self.time_fault(at)?);
        }
        let is_late = !faults.is_empty();
        let user = |name: &str| Rejection::UnknownUser {
            name: name.to_owned(),
        };
        let (actor, login) = (self.cell(row, Column::Actor), self.cell(row, Column::Login));
        if !actor.is_empty() && self.index.user_named(actor)?.is_none() {
            faults.push(Fault::of(Column::Actor, user(actor).to_string()));
        }
        let is_known = self.index.user_named(login)?.is_some();
        let refused = match action {
            // A later registration is no fault of an earlier one.
            Action::Register if is_known && !is_late => Some(Rejection::LoginTaken {
                login: login.to_owned(),
            }),
            Action::SetRole | Action::Deactivate if !is_known => Some(user(login)),
            _ => None,
        };
        faults.extend(refused.iter().map(Fault::from_rejection));
        faults.extend(row::text_faults(action, self.csv_file, row));
        Ok(faults)
    }
}

/// The fault of a row that comes too late: its own fault first, which an earlier run may have
/// found.
pub(super) fn also(checked: Result<(), AppError>, late: Vec<Fault>) -> Result<Trouble, Trouble> {
    match checked {
        // A conflict with the present state says nothing about the row's own time.
        Err(AppError::Rejected(rejection)) if rejection.class() != RejectionClass::Conflict => Ok(
            Trouble::Bad([vec![Fault::from_rejection(&rejection)], late].concat()),
        ),
        Ok(()) | Err(AppError::Rejected(_)) => Ok(Trouble::Bad(late)),
        Err(other) => Err(other.into()),
    }
}

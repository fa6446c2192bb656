//! Checks the money in the tables: against itself and against the entries in the log.

use crate::app::verify::Findings;
use crate::app::verify::scratch::Scratch;
use crate::app::{App, AppError};
use crate::consumers::contents::check_money;
use crate::consumers::withheld::Withheld;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::ledger::tally::Tally;
use crate::state::{Checkpoint, Resolution};
use crate::store::{StoreError, Tables};

/// The sums in the tables of one consumer.
pub(super) struct Statement {
    consumer: Consumer,
    file: &'static str,
    pub checkpoint: Checkpoint,
    tally: Tally,
    /// The contradiction within the tables, if any.
    contradiction: Option<String>,
    /// Why the contradiction could not be looked for.
    unread: Option<String>,
}

impl App<'_> {
    /// Reads the tables and closes them again. Tables that cannot be read, are missing or are of
    /// another version are left out; `checkpoints` reports them.
    pub(super) fn statements(&self, scratch: &Scratch) -> Vec<Statement> {
        [
            (Tables::Accounting, Consumer::Accounting),
            (Tables::Analytics, Consumer::Analytics),
        ]
        .into_iter()
        .filter_map(|(tables, consumer)| self.statement(tables, consumer, scratch).ok().flatten())
        .collect()
    }

    fn statement(
        &self,
        tables: Tables,
        consumer: Consumer,
        scratch: &Scratch,
    ) -> Result<Option<Statement>, StoreError> {
        if !self.directory.database(tables).exists() {
            return Ok(None);
        }
        let (database, _) = self.tables_as_they_are(tables, scratch)?;
        if !database.is_current()? {
            return Ok(None);
        }
        let (contradiction, unread) = match check_money(&database, tables) {
            Ok(()) => (None, None),
            Err(StoreError::Damaged { reason, .. }) => (Some(reason), None),
            Err(other) => (None, Some(other.to_string())),
        };
        let (checkpoint, tally) = (database.checkpoint()?, database.tally()?);
        Ok(Some(Statement {
            consumer,
            file: tables.file_name(),
            checkpoint,
            tally,
            contradiction,
            unread,
        }))
    }

    /// Compares the sums of the tables with those of the lines, if the log is sound and was read as
    /// a whole.
    pub(super) fn check_statements(
        &self,
        statements: &[Statement],
        tallies: Option<&[(Sequence, Tally)]>,
        decisions: &[Resolution],
        findings: &mut Findings,
    ) -> Result<(), AppError> {
        for said in statements {
            if let Some(why) = &said.unread {
                findings.notes.push(format!(
                    "the sums in {} were not compared: {why}",
                    said.file
                ));
            }
            if let Some(contradiction) = &said.contradiction {
                let (consumer, file) = (said.consumer.name(), said.file.to_owned());
                findings.rebuildable("I1", consumer, file, contradiction.clone());
            }
        }
        let Some(tallies) = tallies else {
            let why = "the sums in the tables were not compared with the log, which has events that are not read";
            let is_told = !findings.is_sound() || statements.is_empty();
            findings.notes.extend((!is_told).then(|| why.to_owned()));
            return Ok(());
        };
        for (said, (_, logged)) in statements.iter().zip(tallies) {
            if said.contradiction.is_some() {
                continue;
            }
            let mut found = |rule, what| {
                findings.rebuildable(rule, said.consumer.name(), said.file.to_owned(), what)
            };
            // The check of the checkpoints reports tables of another log.
            let is_of_this_log = matches!(said.checkpoint.is_of(&self.log), Ok(true));
            if said.tally == *logged || !is_of_this_log {
                continue;
            }
            if !Withheld::of(&self.log, said.consumer, decisions)?.is_empty() {
                let name = said.file;
                findings.notes.push(format!(
                    "{name} leaves out events that are set aside or skipped; its sums are compared by --deep"
                ));
                continue;
            }
            found(
                "I1",
                format!(
                    "its checkpoint at event {} says {} entries with the sum {}, the log has {} with the sum {}",
                    said.checkpoint.sequence,
                    said.tally.entries,
                    said.tally.amount_minor,
                    logged.entries,
                    logged.amount_minor
                ),
            );
        }
        Ok(())
    }
}

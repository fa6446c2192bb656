//! The command of a row, parsed from its cells alone, and the idempotency key that follows from
//! them.

use std::collections::HashMap;

use crate::app::import::columns::Column;
use crate::app::import::csv_file::{CsvFile, CsvRow};
use crate::app::import::fault::Fault;
use crate::app::import::{BadRow, ImportKind};
use crate::app::write::KEY_BYTES_MAX;
use crate::domain::IMPORT_KEY_PREFIX;
use crate::domain::rejection::Rejection;
use crate::domain::text::{self, Title};
use crate::domain::time::{EventTime, ParseTimeError};
use crate::domain::user::parse_role;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Action {
    Register,
    SetRole,
    Deactivate,
    Create,
    Reshuffle,
    Complete,
    Close,
}

impl Action {
    const ALL: [Action; 7] = [
        Action::Register,
        Action::SetRole,
        Action::Deactivate,
        Action::Create,
        Action::Reshuffle,
        Action::Complete,
        Action::Close,
    ];

    const fn name(self) -> &'static str {
        match self {
            Action::Register => "register",
            Action::SetRole => "set_role",
            Action::Deactivate => "deactivate",
            Action::Create => "create",
            Action::Reshuffle => "reshuffle",
            Action::Complete => "complete",
            Action::Close => "close",
        }
    }

    fn parse(text: &str) -> Result<Action, Fault> {
        let found = Action::ALL.into_iter().find(|action| action.name() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = Action::ALL.into_iter().map(Action::name).collect();
            Fault::of(
                Column::Action,
                format!(
                    "`{text}` is not an action; the actions are {}",
                    names.join(", ")
                ),
            )
        })
    }
}

impl CsvRow {
    pub(super) fn rejected(&self, faults: Vec<Fault>) -> BadRow {
        BadRow {
            line: self.line,
            faults,
            record: self.record.clone(),
        }
    }
}

/// The request of a row.
pub(super) struct Request {
    pub line: u64,
    pub action: Action,
    /// The time of the row; absent if the file has no times.
    pub at: Option<EventTime>,
    /// `import/<action>/...`
    pub row_key: String,
}

/// Parses rows in the order of the file, and distinguishes equal rows by their count.
#[derive(Default)]
pub(super) struct Rows {
    alike: HashMap<String, u64>,
}

impl Rows {
    /// # Errors
    /// All faults of the row's action, time and key.
    pub(super) fn request(
        &mut self,
        kind: ImportKind,
        csv_file: &CsvFile,
        row: &CsvRow,
    ) -> Result<Request, Vec<Fault>> {
        let cell = |column| csv_file.cell(&row.record, column);
        let (action, at, row_key) = match kind {
            ImportKind::Users => (
                Action::Register,
                None,
                format!("{IMPORT_KEY_PREFIX}register/{}", cell(Column::Login)),
            ),
            ImportKind::Tasks if cell(Column::Key).is_empty() => {
                return Err(vec![Fault::of(
                    Column::Key,
                    "the key is empty; give each task one, the same in every file",
                )]);
            }
            ImportKind::Tasks => (Action::Create, None, create_key(cell(Column::Key))),
            ImportKind::Activity => match (
                Action::parse(cell(Column::Action)),
                parse_time(cell(Column::At)),
            ) {
                (Ok(action), Ok(at)) => (action, Some(at), self.activity_key(action, at, cell)),
                (action, at) => return Err(action.err().into_iter().chain(at.err()).collect()),
            },
        };
        if row_key.len() > KEY_BYTES_MAX {
            let length = row_key.len();
            let rejection = Rejection::TooLong {
                what: "key",
                unit: "bytes",
                length,
                max: KEY_BYTES_MAX,
            };
            return Err(vec![Fault::from_rejection(&rejection)]);
        }
        Ok(Request {
            line: row.line,
            action,
            at,
            row_key,
        })
    }

    fn activity_key<'r>(
        &mut self,
        action: Action,
        at: EventTime,
        cell: impl Fn(Column) -> &'r str,
    ) -> String {
        let (action, key) = (action.name(), cell(Column::Key));
        if !key.is_empty() {
            return format!("{IMPORT_KEY_PREFIX}{action}/{key}");
        }
        let alike = format!(
            "{IMPORT_KEY_PREFIX}{action}/{at}/{}/{}/",
            cell(Column::Actor),
            cell(Column::Login)
        );
        let nth = self.alike.entry(alike.clone()).or_default();
        *nth += 1;
        format!("{alike}{nth}")
    }
}

/// The key under which the task with a foreign id was created.
pub(super) fn create_key(foreign_id: &str) -> String {
    format!("{IMPORT_KEY_PREFIX}create/{foreign_id}")
}

/// The action of a row, if it can be parsed.
pub(super) fn action_of(kind: ImportKind, csv_file: &CsvFile, row: &CsvRow) -> Option<Action> {
    match kind {
        ImportKind::Users => Some(Action::Register),
        ImportKind::Tasks => Some(Action::Create),
        ImportKind::Activity => Action::parse(csv_file.cell(&row.record, Column::Action)).ok(),
    }
}

/// All faults of the texts of an action, independent of the state of the company.
pub(super) fn text_faults(action: Action, csv_file: &CsvFile, row: &CsvRow) -> Vec<Fault> {
    let cell = |column| csv_file.cell(&row.record, column);
    let refusals = match action {
        Action::Register => vec![
            text::check_login(cell(Column::Login)).err(),
            text::check_name(cell(Column::Name)).err(),
            text::check_email(cell(Column::Email)).err(),
            parse_role(cell(Column::Role)).err(),
        ],
        Action::SetRole => vec![parse_role(cell(Column::Role)).err()],
        Action::Create => vec![
            Title::from_input(cell(Column::Title), Some(cell(Column::JiraId))).err(),
            // A bad id is reported first.
            Title::from_input(cell(Column::Title), None).err(),
            text::check_description(Some(cell(Column::Description))).err(),
        ],
        Action::Deactivate | Action::Reshuffle | Action::Complete | Action::Close => Vec::new(),
    };
    refusals
        .iter()
        .flatten()
        .map(Fault::from_rejection)
        .collect()
}

fn parse_time(text: &str) -> Result<EventTime, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::of(
            Column::At,
            "the time is missing; write it like 2026-11-22T10:00:00Z",
        ));
    }
    text.parse().map_err(|error: ParseTimeError| {
        Fault::of(
            Column::At,
            format!("{error}; write it like 2026-11-22T10:00:00Z"),
        )
    })
}

/// The time of a row, if it is valid.
pub(super) fn time_of(csv_file: &CsvFile, row: &CsvRow) -> Option<EventTime> {
    parse_time(csv_file.cell(&row.record, Column::At)).ok()
}

/// Whether a row of an activity file closes dates.
pub(super) fn asks_to_close(csv_file: &CsvFile, row: &CsvRow) -> bool {
    csv_file.cell(&row.record, Column::Action) == Action::Close.name()
}

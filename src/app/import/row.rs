//! What a row asks for, read from its cells alone, and the idempotency key that follows from them.

use std::collections::HashMap;

use crate::app::import::sheet::{Column, Sheet, SheetRow};
use crate::app::import::{BadRow, ImportKind};
use crate::domain::rejection::{Rejection, RejectionClass};
use crate::domain::time::EventTime;

/// As long as any other key may be.
const KEY_BYTES_MAX: usize = 512;

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
            Fault::of(Column::Action, format!("`{text}` is not an action; the actions are {}", names.join(", ")))
        })
    }
}

/// Why a row is bad.
#[derive(Debug)]
pub(super) struct Fault {
    pub column: &'static str,
    pub reason: String,
}

impl Fault {
    pub fn of(column: Column, reason: impl Into<String>) -> Fault {
        Fault { column: column.name(), reason: reason.into() }
    }

    pub fn from_rejection(rejection: &Rejection) -> Fault {
        let reason = match rejection.hint().filter(|_| rejection.class() == RejectionClass::Invalid) {
            Some(hint) => format!("{rejection}; {hint}"),
            None => rejection.to_string(),
        };
        Fault { column: column_of(rejection), reason }
    }

    pub fn into_bad_row(self, row: &SheetRow) -> BadRow {
        BadRow { line: row.line, column: self.column, reason: self.reason, record: row.record.clone() }
    }
}

/// The column that a rule speaks of.
const fn column_of(rejection: &Rejection) -> &'static str {
    use Rejection::*;
    match rejection {
        UnknownUser { .. } | LoginTaken { .. } | LastAdmin { .. } | BadLogin { .. } => "login",
        ActorDeactivated { .. } | RoleMayNot { .. } | NotTheAssignee { .. } => "actor",
        UnknownTask { .. } | AlreadyCompleted { .. } | KeyReused { .. } | ReservedKey { .. } | TokenInKey => "key",
        ServiceRoleFixed { .. } | UnknownRole { .. } => "role",
        DateNotOver { .. } | DateBeforeFounding { .. } | ClockBehind { .. } => "at",
        BadEmail { .. } => "email",
        TwoJiraIds { .. } | BadJiraId { .. } => "jira_id",
        BracketInTitle { .. } => "title",
        Empty { what } | TooLong { what, .. } | LineBreak { what } => what,
        // About the company or the ledger: no cell is to blame.
        NobodyEligible
        | UnknownEntry { .. }
        | UnknownEvent { .. }
        | DateBlocked { .. }
        | NotStopped { .. }
        | NotSetAside { .. }
        | StillUnreadable { .. }
        | BooksAreNotSkipped { .. }
        | BooksIncomplete { .. }
        | OwnAccount
        | NotCorrectable { .. }
        | CorrectionTooLarge { .. }
        | CorrectedInFull
        | BadAmount { .. }
        | FoundedInFuture { .. }
        | FoundedTooEarly { .. }
        | NotPositive { .. }
        | BadTimeZone { .. }
        | BadCurrency { .. } => "",
    }
}

/// What a row asks for.
pub(super) struct Request {
    pub line: u64,
    pub action: Action,
    /// When it happened; absent where the file has no times.
    pub at: Option<EventTime>,
    /// `import/<action>/...`
    pub row_key: String,
}

/// Reads rows in the order of the file: rows that look the same are told apart by their count.
#[derive(Default)]
pub(super) struct Rows {
    alike: HashMap<String, u64>,
}

impl Rows {
    /// # Errors
    /// What is wrong with the row's action, time or key.
    pub fn request(&mut self, kind: ImportKind, sheet: &Sheet, row: &SheetRow) -> Result<Request, Fault> {
        let cell = |column| sheet.cell(&row.record, column);
        let (action, at, row_key) = match kind {
            ImportKind::Users => (Action::Register, None, format!("import/register/{}", cell(Column::Login))),
            ImportKind::Tasks if cell(Column::Key).is_empty() => {
                return Err(Fault::of(Column::Key, "the key is empty; give each task one, the same in every file"));
            }
            ImportKind::Tasks => (Action::Create, None, create_key(cell(Column::Key))),
            ImportKind::Activity => {
                let action = Action::parse(cell(Column::Action))?;
                let at = parse_time(cell(Column::At))?;
                (action, Some(at), self.activity_key(action, at, cell))
            }
        };
        if row_key.len() > KEY_BYTES_MAX {
            let length = row_key.len();
            let rejection = Rejection::TooLong { what: "key", unit: "bytes", length, max: KEY_BYTES_MAX };
            return Err(Fault::from_rejection(&rejection));
        }
        Ok(Request { line: row.line, action, at, row_key })
    }

    fn activity_key<'r>(&mut self, action: Action, at: EventTime, cell: impl Fn(Column) -> &'r str) -> String {
        let (action, key) = (action.name(), cell(Column::Key));
        if !key.is_empty() {
            return format!("import/{action}/{key}");
        }
        let alike = format!("import/{action}/{at}/{}/{}/", cell(Column::Actor), cell(Column::Login));
        let nth = self.alike.entry(alike.clone()).or_default();
        *nth += 1;
        format!("{alike}{nth}")
    }
}

/// The key under which the task with a foreign id was created.
pub(super) fn create_key(foreign_id: &str) -> String {
    format!("import/create/{foreign_id}")
}

fn parse_time(text: &str) -> Result<EventTime, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::of(Column::At, "the time is missing; write it like 2026-11-22T10:00:00Z"));
    }
    text.parse()
        .map_err(|_| Fault::of(Column::At, format!("`{text}` is not a time; write it like 2026-11-22T10:00:00Z")))
}

/// The time of a row, if it has a good one.
pub(super) fn time_of(sheet: &Sheet, row: &SheetRow) -> Option<EventTime> {
    parse_time(sheet.cell(&row.record, Column::At)).ok()
}

/// Whether any row of an activity file closes dates.
pub(super) fn asks_to_close(sheet: &Sheet) -> bool {
    sheet.rows.iter().any(|row| sheet.cell(&row.record, Column::Action) == Action::Close.name())
}

//! Maps the columns of a file to the columns of an import.

use csv::StringRecord;

use crate::app::AppError;
use crate::app::import::ImportKind;

/// The columns that imports know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Column {
    At,
    Action,
    Key,
    Actor,
    Login,
    Name,
    Email,
    Role,
    Title,
    JiraId,
    Description,
}

impl Column {
    pub(super) const COUNT: usize = 11;

    pub(super) const fn name(self) -> &'static str {
        match self {
            Column::At => "at",
            Column::Action => "action",
            Column::Key => "key",
            Column::Actor => "actor",
            Column::Login => "login",
            Column::Name => "name",
            Column::Email => "email",
            Column::Role => "role",
            Column::Title => "title",
            Column::JiraId => "jira_id",
            Column::Description => "description",
        }
    }

    /// Whether blanks around a value are never part of it. A key is compared as it stands.
    pub(super) const fn is_word(self) -> bool {
        matches!(
            self,
            Column::At | Column::Action | Column::Actor | Column::Login | Column::Role
        )
    }
}

impl ImportKind {
    pub(super) const fn columns(self) -> &'static [Column] {
        use Column::{
            Action, Actor, At, Description, Email, JiraId, Key, Login, Name, Role, Title,
        };
        match self {
            ImportKind::Users => &[Login, Name, Email, Role],
            ImportKind::Tasks => &[Key, Title, JiraId, Description],
            ImportKind::Activity => &[
                At,
                Action,
                Key,
                Actor,
                Login,
                Name,
                Email,
                Role,
                Title,
                JiraId,
                Description,
            ],
        }
    }

    /// The columns that a file must have.
    const fn required(self) -> &'static [Column] {
        match self {
            ImportKind::Users => self.columns(),
            ImportKind::Tasks => &[Column::Key, Column::Title],
            ImportKind::Activity => &[Column::At, Column::Action],
        }
    }

    fn column(self, name: &str) -> Option<Column> {
        self.columns()
            .iter()
            .copied()
            .find(|column| column.name() == name)
    }

    pub(super) fn hint(self) -> String {
        let names: Vec<_> = self.columns().iter().map(|column| column.name()).collect();
        format!("the columns are {}", names.join(","))
    }
}

/// How to find our columns in a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// Our column and its header in the file.
    pub map: Vec<(String, String)>,
    /// Unknown columns are ignored.
    pub ignore_unknown: bool,
}

/// A [`Reading`] whose names are valid columns.
pub(super) struct Columns<'r> {
    kind: ImportKind,
    map: Vec<(Column, &'r str)>,
    ignore_unknown: bool,
}

/// The places of the columns in a file.
pub(super) struct Places {
    /// By `Column as usize`.
    pub known: [Option<usize>; Column::COUNT],
    /// Columns whose header is empty.
    pub nameless: Vec<usize>,
    /// The headers of ignored columns, each once.
    pub ignored: Vec<String>,
}

impl<'r> Columns<'r> {
    /// # Errors
    /// [`AppError::Usage`] for a name that is none of a column, or is there twice.
    pub(super) fn new(kind: ImportKind, reading: &'r Reading) -> Result<Columns<'r>, AppError> {
        let mut map: Vec<(Column, &str)> = Vec::new();
        for (name, header) in &reading.map {
            let usage = |what| AppError::Usage {
                message: format!("--map {name}={header}: {what}"),
                hint: Some(kind.hint()),
            };
            let column = kind
                .column(name)
                .ok_or_else(|| usage(format!("there is no column `{name}`")))?;
            if map.iter().any(|(other, _)| *other == column) {
                return Err(usage(format!("`{name}` was given a header before")));
            }
            map.push((column, header.trim()));
        }
        Ok(Columns {
            kind,
            map,
            ignore_unknown: reading.ignore_unknown,
        })
    }

    /// Our columns for a header: the one with its name, or those that are mapped to it.
    fn of<'c>(&'c self, header: &'c str) -> impl Iterator<Item = Column> + 'c {
        let header = header.trim();
        self.kind.columns().iter().copied().filter(move |column| {
            let mapped = self.map.iter().find(|(mapped, _)| mapped == column);
            is_same(mapped.map_or(column.name(), |(_, theirs)| theirs), header)
        })
    }

    /// The header that is mapped to our column with this name.
    fn replaced(&self, name: &str) -> Option<&'r str> {
        let mut mapped = self.map.iter();
        mapped
            .find(|(column, _)| is_same(column.name(), name))
            .map(|(_, theirs)| *theirs)
    }

    /// How many of the headers are known.
    pub(super) fn known_in(&self, header: &StringRecord) -> usize {
        header
            .iter()
            .filter(|name| self.of(name).next().is_some())
            .count()
    }

    /// # Errors
    /// All that is wrong with the header row, in one sentence.
    pub(super) fn places(&self, header: &StringRecord) -> Result<Places, String> {
        let mut places = Places {
            known: [None; Column::COUNT],
            nameless: Vec::new(),
            ignored: Vec::new(),
        };
        let mut faults: Vec<String> = Vec::new();
        for (place, name) in header.iter().map(str::trim).enumerate() {
            let mut columns = self.of(name).peekable();
            if columns.peek().is_some() {
                let taken = columns
                    .filter(|column| places.known[*column as usize].replace(place).is_some())
                    .count();
                faults.extend((taken > 0).then(|| format!("the column `{name}` appears twice")));
            } else if name.is_empty() {
                places.nameless.push(place);
            } else if let Some(mapped) = self.replaced(name).filter(|_| !self.ignore_unknown) {
                faults.push(format!("the columns `{name}` and `{mapped}` are both there, and --map takes `{mapped}` for {name}"));
            } else if !places.ignored.iter().any(|other| other == name) {
                places.ignored.push(name.to_owned());
            }
        }
        if !self.ignore_unknown {
            faults.extend(listed(&places.ignored).map(|unknown| format!("{unknown} not known")));
        }
        faults.extend(self.missing(&places.known));
        if faults.is_empty() {
            Ok(places)
        } else {
            Err(faults.join("; "))
        }
    }

    fn missing(&self, known: &[Option<usize>; Column::COUNT]) -> Vec<String> {
        let is_missing = |column: &Column| known[*column as usize].is_none();
        let is_mapped = |column: &Column| self.map.iter().any(|(mapped, _)| mapped == column);
        let unmet = self.map.iter().filter(|(column, _)| is_missing(column));
        let mut faults: Vec<_> = unmet
            .map(|(column, header)| {
                format!(
                    "no column is named `{header}`, which --map takes for {}",
                    column.name()
                )
            })
            .collect();
        let missing = self
            .kind
            .required()
            .iter()
            .filter(|column| is_missing(column) && !is_mapped(column));
        let missing: Vec<_> = missing.map(|column| column.name().to_owned()).collect();
        faults.extend(listed(&missing).map(|missing| format!("{missing} missing")));
        faults
    }
}

/// Compares headers in any case, because spreadsheets and people write capitals.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// "the column `a` is", "the columns `a`, `b` are"; `None` for no names.
fn listed(names: &[String]) -> Option<String> {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match &quoted[..] {
        [] => None,
        [name] => Some(format!("the column {name} is")),
        names => Some(format!("the columns {} are", names.join(", "))),
    }
}

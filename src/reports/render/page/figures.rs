//! The tables of a page, made from rows of reports.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::Source;
use super::shown::{Shown, class_of_text, duration, part, shown, unit};
use crate::domain::time::Zone;
use crate::reports::Report;
use crate::reports::render::terminal::heading;
use crate::reports::table::{Cell, ColumnKind, Table, Value, next_row};

/// Rows beyond these are left out and counted; the report has them all.
const ROWS_MAX: usize = 250;

#[derive(Serialize)]
pub(super) struct Column {
    name: String,
    heading: String,
    class: &'static str,
}

#[derive(Serialize)]
pub(super) struct Figures {
    title: String,
    /// The command line whose JSON has the same figures.
    command: String,
    note: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Shown>>,
    totals: Vec<Shown>,
    left_out: usize,
    /// Whether the table is a heat map.
    is_heat: bool,
}

/// The cells of a row, by the names of their columns.
pub(super) struct Row<'a>(Vec<(&'static str, Cell<&'a str>)>);

impl<'a> Row<'a> {
    pub(super) fn get(&self, name: &str) -> Cell<&'a str> {
        let found = self.0.iter().find(|(column, _)| *column == name);
        found.map_or(Cell::Null, |(_, cell)| *cell)
    }

    pub(super) fn minor(&self, name: &str) -> i64 {
        match self.get(name) {
            Cell::Money(money) => money.minor(),
            Cell::Int(int) => int,
            _ => 0,
        }
    }

    pub(super) fn text(&self, name: &str) -> &'a str {
        match self.get(name) {
            Cell::Text(text) => text,
            _ => "",
        }
    }
}

pub(super) fn rows(table: &Table) -> Vec<Row<'_>> {
    let mut columns = table.cells();
    let names = || table.columns().iter().map(|(name, _)| *name);
    let row = |_| Row(names().zip(next_row(&mut columns)).collect());
    (0..table.height()).map(row).collect()
}

impl Figures {
    /// These columns of a table.
    pub(super) fn of(
        title: &str,
        command: &str,
        table: &Table,
        names: &[&str],
        zone: &Zone,
    ) -> Figures {
        Figures::chosen(title, command, table, &rows(table), names, zone)
    }

    /// These columns and rows of a table.
    pub(super) fn chosen(
        title: &str,
        command: &str,
        table: &Table,
        rows: &[Row<'_>],
        names: &[&str],
        zone: &Zone,
    ) -> Figures {
        let kind = |name: &str| {
            let found = table.columns().iter().find(|(column, _)| *column == name);
            found.map_or(ColumnKind::Text, |(_, kind)| *kind)
        };
        let columns = names.iter().map(|name| Column {
            name: (*name).to_owned(),
            heading: heading(name),
            class: match kind(name) {
                kind if kind.is_number() && *name != "number" => "n",
                _ => class_of_text(name),
            },
        });
        let cells = rows.iter().take(ROWS_MAX).map(|row| {
            let cells = names.iter().map(|name| shown(name, row.get(name), zone));
            cells.collect()
        });
        Figures {
            title: title.to_owned(),
            command: command.to_owned(),
            note: String::new(),
            columns: columns.collect(),
            rows: cells.collect(),
            totals: Vec::new(),
            left_out: rows.len().saturating_sub(ROWS_MAX),
            is_heat: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    #[must_use]
    pub(super) fn noted(mut self, note: impl Into<String>) -> Figures {
        self.note = note.into();
        self
    }

    #[must_use]
    pub(super) fn headed(mut self, name: &str, heading: &str) -> Figures {
        let column = self.columns.iter_mut().find(|column| column.name == name);
        if let Some(column) = column {
            heading.clone_into(&mut column.heading);
        }
        self
    }

    /// The totals of the report under its columns.
    #[must_use]
    pub(super) fn summed(mut self, report: &Report) -> Figures {
        let total = |name: &str| {
            let found = report.totals.iter().find(|(total, _)| *total == name);
            found.map_or(Cell::Null, |(_, value)| value.cell())
        };
        let cells = self.columns.iter().map(|column| match total(&column.name) {
            Cell::Null => Shown::default(),
            cell => shown(&column.name, cell, &report.zone),
        });
        self.totals = cells.collect();
        if let Some(first) = self.totals.first_mut() {
            "Total".clone_into(&mut first.text);
        }
        self
    }

    /// A column at the end with the time between two others.
    #[must_use]
    pub(super) fn lasting(
        mut self,
        heading: &str,
        rows: &[Row<'_>],
        (from, to): (&str, &str),
    ) -> Figures {
        for (cells, row) in self.rows.iter_mut().zip(rows) {
            cells.push(match (row.get(from), row.get(to)) {
                (Cell::Time(from), Cell::Time(to)) => duration(from, to),
                _ => Shown::default(),
            });
        }
        self.columns.push(Column {
            name: format!("{to} - {from}"),
            heading: heading.to_owned(),
            class: "n",
        });
        self
    }

    /// All rows of a table whose number is bounded by that of the bars.
    #[must_use]
    pub(super) fn unlimited(mut self, table: &Table, names: &[&str], zone: &Zone) -> Figures {
        let all = rows(table);
        let cells = |row: &Row<'_>| {
            names
                .iter()
                .map(|name| shown(name, row.get(name), zone))
                .collect()
        };
        self.rows = all.iter().map(cells).collect();
        self.left_out = 0;
        self
    }

    /// A bar behind the figures of a column, as long as each is beside the largest.
    #[must_use]
    pub(super) fn with_bars(mut self, name: &str, rows: &[Row<'_>]) -> Figures {
        let size = |row: &Row<'_>| row.minor(name).abs();
        let most = rows.iter().map(size).max().unwrap_or(0);
        if let Some(place) = self.columns.iter().position(|column| column.name == name) {
            for (cells, row) in self.rows.iter_mut().zip(rows) {
                cells[place].part = Some(part(size(row), most));
            }
        }
        self
    }
}

/// Login, name, and the payouts in each unit.
type Paid = (String, (String, Vec<i64>));

fn sum(paid: &[i64]) -> i64 {
    paid.iter().sum()
}

/// The users who were paid anything, the largest sum first.
fn paid_users(sheets: &[Source]) -> Vec<Paid> {
    let mut users: BTreeMap<String, (String, Vec<i64>)> = BTreeMap::new();
    for (place, sheet) in sheets.iter().enumerate() {
        for row in rows(&sheet.report.table) {
            let empty = || (String::new(), vec![0; sheets.len()]);
            let (name, paid) = users
                .entry(row.text("login").to_owned())
                .or_insert_with(empty);
            row.text("name").clone_into(name);
            paid[place] = row.minor("paid");
        }
    }
    let mut users: Vec<Paid> = users.into_iter().collect();
    users.retain(|(_, (_, paid))| sum(paid) != 0);
    users.sort_by_key(|(_, (_, paid))| std::cmp::Reverse(sum(paid)));
    users
}

/// The payouts of each user in each unit, the largest sum first.
pub(super) fn matrix(sheets: &[Source]) -> Option<Figures> {
    let zone = &sheets.first()?.report.zone;
    let users = paid_users(sheets);
    let most = users
        .iter()
        .flat_map(|(_, (_, paid))| paid)
        .copied()
        .max()
        .unwrap_or(0);
    let money = |minor: i64| shown("paid", Value::minor(minor).cell(), zone);
    let cells = users.iter().take(ROWS_MAX).map(|(login, (name, paid))| {
        let text = |name: &str, text: &str| shown(name, Cell::Text(text), zone);
        let paid_in = paid.iter().map(|minor| Shown {
            part: Some(part(*minor, most)),
            ..money(*minor)
        });
        let ends = [money(sum(paid))];
        [text("name", name), text("login", login)]
            .into_iter()
            .chain(paid_in)
            .chain(ends)
            .collect()
    });
    let column = |name: &str, heading: &str, class| Column {
        name: name.to_owned(),
        heading: heading.to_owned(),
        class,
    };
    let mut columns = vec![column("name", "Name", ""), column("login", "Login", "l")];
    for sheet in sheets {
        let period = sheet.report.period;
        let words = period.from.zip(period.to).map(unit).unwrap_or_default();
        columns.push(column(&sheet.command, &words, "n"));
    }
    columns.push(column("sum", "Sum", "n"));
    let totals = sheets.iter().map(|sheet| {
        let found = sheet.report.totals.iter().find(|(name, _)| *name == "paid");
        found.map_or(0, |(_, paid)| {
            Row(vec![("paid", paid.cell())]).minor("paid")
        })
    });
    let totals: Vec<i64> = totals.collect();
    let label = Shown {
        text: "Total".to_owned(),
        ..Shown::default()
    };
    let sums = totals
        .iter()
        .chain([&sum(&totals)])
        .map(|minor| money(*minor))
        .collect::<Vec<_>>();
    Some(Figures {
        title: "Paid out, person by month".to_owned(),
        command: String::new(),
        note: "Each column is a pay sheet.".to_owned(),
        columns,
        left_out: users.len().saturating_sub(ROWS_MAX),
        rows: cells.collect(),
        totals: [label, Shown::default()].into_iter().chain(sums).collect(),
        is_heat: true,
    })
}

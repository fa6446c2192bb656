//! The tiles at the head of a page: totals, and their change against the period before.

use serde::Serialize;

use super::facts::{Page, Source};
use super::shown::{Shown, period, shown, signed};
use crate::domain::period::DateRange;
use crate::domain::time::Zone;
use crate::reports::render::text::for_machines;
use crate::reports::table::{Cell, Named, Value};

#[derive(Serialize)]
pub(super) struct Tile {
    label: &'static str,
    /// The command line whose JSON has the total, and the name of that.
    command: String,
    name: &'static str,
    figure: Shown,
    note: String,
    change: Option<Change>,
}

/// The change of a total.
#[derive(Serialize)]
struct Change {
    text: String,
    value: String,
    percent: String,
    against: String,
}

fn find<'a>(totals: &'a [Named], name: &str) -> Option<&'a Value> {
    let found = totals.iter().find(|(total, _)| *total == name);
    found.map(|(_, value)| value)
}

fn words(range: DateRange) -> String {
    range.from.zip(range.to).map(period).unwrap_or_default()
}

fn tile(label: &'static str, name: &'static str, source: &Source, note: &str) -> Tile {
    let report = &source.report;
    let cell = find(&report.totals, name).map_or(Cell::Null, Value::cell);
    let change = report.versus.as_ref().and_then(|versus| {
        let value = for_machines(find(&versus.difference, name)?.cell());
        let percent = find(&versus.percent, name).map(|percent| for_machines(percent.cell()));
        Some(Change {
            text: signed(&value),
            value,
            percent: percent
                .filter(|text| !text.is_empty())
                .map_or(String::new(), |text| {
                    format!(" ({}\u{202f}%)", signed(&text))
                }),
            against: words(versus.period),
        })
    });
    Tile {
        label,
        command: source.command.clone(),
        name,
        figure: shown(name, cell, &report.zone),
        note: note.to_owned(),
        change,
    }
}

/// The number of completed tasks, from the two reports of the periods.
fn completed(now: &Source, before: Option<&Source>) -> Tile {
    let mut tile = tile("Tasks done", "completed", now, "");
    let count = |source: &Source| match find(&source.report.totals, "completed") {
        Some(Cell::Int(count)) => *count,
        _ => 0,
    };
    let open = find(&now.report.totals, "open_at_end").map_or(Cell::Null, Value::cell);
    tile.note = format!("{} open at the end", shown("", open, &now.report.zone).text);
    tile.change = before.map(|before| {
        let value = (count(now) - count(before)).to_string();
        Change {
            text: signed(&value),
            value,
            percent: String::new(),
            against: words(before.report.period),
        }
    });
    tile
}

/// The tiles of the company, or of a reader who sees their own money only.
pub(super) fn tiles(page: &Page) -> Vec<Tile> {
    let Some(earnings) = &page.earnings else {
        return vec![
            tile("Paid to you", "paid", &page.pay, ""),
            tile(
                "Your rewards",
                "rewards",
                &page.pay,
                "for tasks that you completed",
            ),
            tile(
                "Your fees",
                "fees",
                &page.pay,
                "for tasks that you were given",
            ),
            tile(
                "Your balance",
                "carried",
                &page.pay,
                "at the end of the period",
            ),
        ];
    };
    let zone: &Zone = &page.zone;
    let total = |name: &str| {
        let found = find(&earnings.report.totals, name).map_or(Cell::Null, Value::cell);
        shown(name, found, zone).text
    };
    let mut tiles = vec![
        tile(
            "Earned by management",
            "earned",
            earnings,
            "fees \u{2212} rewards \u{2212} corrections",
        ),
        tile(
            "Paid out",
            "payouts",
            earnings,
            &format!("{} payouts", total("payouts_count")),
        ),
    ];
    tiles.extend(
        page.flow
            .as_ref()
            .map(|now| completed(now, page.flow_before.as_ref())),
    );
    let owed = format!("they owe {}", total("debt_carried"));
    tiles.push(tile("In the red", "popugs_negative", earnings, &owed));
    tiles
}

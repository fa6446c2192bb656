//! The tables of single reports on a page: open tasks, dearest tasks, people at work.

use super::facts::{Page, Source};
use super::figures::{Figures, rows};
use super::shown::{number, shown};
use crate::reports::table::Cell;

pub(super) fn board(page: &Page) -> Figures {
    let rows = rows(&page.board);
    let names = ["name", "login", "open", "at_stake", "oldest_days"];
    let note = if rows.is_empty() {
        "No task is open."
    } else {
        "Now, with the rewards that are at stake."
    };
    Figures::chosen(
        "Open tasks",
        "task board",
        &page.board,
        &rows,
        &names,
        &page.zone,
    )
    .headed("oldest_days", "Oldest, days")
    .with_bars("open", &rows)
    .noted(note)
}

/// The most expensive task of the whole period, and how many others brought as much.
pub(super) fn dearest(page: &Page) -> String {
    let Some(top) = &page.top else {
        return String::new();
    };
    let found = rows(&top.report.table);
    let Some(row) = found.first().filter(|row| row.get("number") != Cell::Null) else {
        return "No task was completed in this period.".to_owned();
    };
    let text = |name: &str| shown(name, row.get(name), &page.zone).text;
    let ties = match row.minor("ties") {
        0 => "no other brought as much".to_owned(),
        1 => "1 other brought as much".to_owned(),
        ties => format!("{} others brought as much", number(&ties.to_string())),
    };
    format!(
        "The dearest of the period is {} by {} with {}; {ties}.",
        text("number"),
        text("completed_by"),
        text("reward")
    )
}

pub(super) fn work(people: &Source) -> Figures {
    let report = &people.report;
    let names = [
        "name",
        "login",
        "assigned",
        "reshuffled_away",
        "completed",
        "open",
        "median_hours_to_complete",
        "earned_by_management",
    ];
    let found = rows(&report.table);
    Figures::chosen(
        "People at work",
        &people.command,
        &report.table,
        &found,
        &names,
        &report.zone,
    )
    .headed("reshuffled_away", "Given away")
    .headed("earned_by_management", "Management earned")
    .with_bars("completed", &found)
    .summed(report)
}

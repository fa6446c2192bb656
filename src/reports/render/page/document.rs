//! Composes the file of a page from templates.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::charts::{Chart, Drawing, Kind, draw};
use super::facts::{Page, Source};
use super::figures::{Figures, Row, matrix, rows};
use super::lists::{board, dearest, work};
use super::shown::{Shown, date, period, shown};
use super::tiles::{Tile, tiles};
use super::words::sentence;
use crate::domain::displayed::Displayed;
use crate::domain::time::BusinessDate;
use crate::reports::error::ReportError;
use crate::reports::pay;
use crate::reports::table::{Cell, Value};

const HEAD: &str = include_str!("head.html");
const CHART: &str = include_str!("chart.html");
const TABLE: &str = include_str!("table.html");
const FOOT: &str = include_str!("foot.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

#[derive(Serialize)]
struct Head {
    title: String,
    company: String,
    period: String,
    facts: Vec<String>,
    style: &'static str,
    script_hash: String,
    tiles: Vec<Tile>,
    sections: Vec<(&'static str, &'static str)>,
}

#[derive(Serialize)]
struct Charted {
    id: &'static str,
    title: String,
    label: String,
    words: String,
    drawings: Vec<Drawn>,
    points: usize,
    has_marks: bool,
}

#[derive(Serialize)]
struct Drawn {
    svg: String,
    left: String,
    right: String,
}

#[derive(Serialize)]
struct Foot {
    trial: Option<Trial>,
    sequence: String,
    behind: u64,
    hash: String,
    version: &'static str,
    script: &'static str,
}

#[derive(Serialize)]
struct Trial {
    command: String,
    balances: bool,
    debit: Shown,
    credit: Shown,
}

/// Writes the page. Its size is bounded by the number of bars and of rows in a table.
///
/// # Errors
/// If `out` cannot be written.
pub fn write(page: &Page, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut to = Document(out);
    to.fill(HEAD, &head(page))?;
    if let Some(earnings) = &page.earnings {
        charts(page, page.bars.as_ref().unwrap_or(earnings), &mut to)?;
    }
    to.html("<div class=\"grid\">\n")?;
    negative(page, &mut to)?;
    to.table("open", &board(page))?;
    to.html("</div>\n")?;
    tasks(page, &mut to)?;
    money(page, &mut to)?;
    if let Some(people) = &page.people {
        to.table("people", &work(people))?;
    }
    to.fill(FOOT, &foot(page))
}

/// The output, to which templates are added one after the other.
struct Document<'a>(&'a mut dyn Write);

impl Document<'_> {
    /// Adds a template in which every value is escaped for HTML.
    fn fill(&mut self, template: &str, values: &impl Serialize) -> Result<(), ReportError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        let filled = environment
            .render_str(template, Serde(values))
            .map_err(io::Error::other)?;
        self.html(&filled)
    }

    fn html(&mut self, text: &str) -> Result<(), ReportError> {
        Ok(self.0.write_all(text.as_bytes())?)
    }

    fn table(&mut self, id: &'static str, figures: &Figures) -> Result<(), ReportError> {
        #[derive(Serialize)]
        struct Named<'a> {
            id: &'static str,
            table: &'a Figures,
        }
        self.fill(TABLE, &Named { id, table: figures })
    }
}

fn head(page: &Page) -> Head {
    let closed = match page.pay.report.closed_through {
        Some(closed) if closed >= page.period.1 => "closed".to_owned(),
        Some(closed) => format!("closed to {}", date(closed)),
        None => "no date is closed yet".to_owned(),
    };
    let made_at = page.zone.local(page.made_at);
    let (company, period) = (Displayed(&page.company).to_string(), period(page.period));
    let mut sections = vec![
        ("earned", "Earned"),
        ("red", "In the red"),
        ("open", "Open tasks"),
    ];
    if page.earnings.is_none() {
        sections.remove(0);
    }
    if page.negative.is_none() {
        sections.retain(|(id, _)| *id != "red");
    }
    sections.extend([("tasks", "Tasks"), ("pay", "Pay"), ("months", "Months")]);
    sections.extend(page.people.as_ref().map(|_| ("people", "People")));
    Head {
        title: format!("{company}, {period}"),
        company,
        period,
        facts: vec![
            closed,
            page.currency.clone(),
            page.zone.name().to_owned(),
            format!("as {} ({}) sees it", page.reader, page.role),
            format!("made {}", made_at.get(..16).unwrap_or(&made_at)),
        ],
        style: STYLE,
        script_hash: STANDARD.encode(Sha256::digest(SCRIPT)),
        tiles: tiles(page),
        sections,
    }
}

/// The beginning of each bar and the name of its column.
fn starts(source: &Source) -> (&'static str, &'static str) {
    let is_daily = source.report.table.columns()[0].0 == "date";
    if is_daily {
        ("date", "day")
    } else {
        ("period_start", "period")
    }
}

fn charts(page: &Page, source: &Source, to: &mut Document<'_>) -> Result<(), ReportError> {
    let rows = rows(&source.report.table);
    let (start, unit) = starts(source);
    let points = |name: &str| -> Vec<(BusinessDate, i64)> {
        let points = rows.iter().filter_map(|row| match row.get(start) {
            Cell::Date(on) => Some((on, row.minor(name))),
            _ => None,
        });
        points.collect()
    };
    let earned = points("earned");
    let is_marked =
        |(on, minor): &(BusinessDate, i64)| (*on, *minor, page.handed_out.contains_key(on));
    let days: Vec<_> = earned.iter().map(is_marked).collect();
    let marks: Vec<bool> = days.iter().map(|(_, _, is_marked)| *is_marked).collect();
    let title = |what: &str| format!("{what} per {unit}");
    let mut chart = charted(
        page,
        "earned",
        title("Earned"),
        (Kind::Bars, &earned, &marks),
    );
    if unit == "day" {
        chart.words = sentence(&days);
    }
    to.fill(CHART, &chart)?;
    to.html("<div class=\"grid\">\n")?;
    let (debt, paid) = (points("debt_carried"), points("payouts"));
    let line = (Kind::Line, &debt[..], &[][..]);
    to.fill(
        CHART,
        &charted(page, "debt", "Debt carried".to_owned(), line),
    )?;
    let bars = (Kind::Bars, &paid[..], &[][..]);
    to.fill(CHART, &charted(page, "payouts", title("Paid out"), bars))?;
    to.html("</div>\n")?;
    to.html("<details class=\"figures\"><summary>The figures of the charts</summary>\n")?;
    to.table("figures", &under_charts(page, source, start))?;
    to.html("</details>\n")
}

/// The figures of a chart: a date and an amount in minor units each, and whether it has a mark.
type Drawable<'a> = (Kind, &'a [(BusinessDate, i64)], &'a [bool]);

fn charted(page: &Page, id: &'static str, title: String, drawable: Drawable<'_>) -> Charted {
    let (kind, points, marks) = drawable;
    let period = period(page.period);
    let label = format!("{title}, {period}. The figures are in the table below.");
    let chart = Chart {
        kind,
        points,
        marks,
    };
    Charted {
        id,
        title,
        words: String::new(),
        drawings: draw(&chart, &label).into_iter().map(drawn).collect(),
        label,
        points: points.len(),
        has_marks: marks.contains(&true),
    }
}

/// The table of all figures of the charts.
fn under_charts(page: &Page, source: &Source, start: &str) -> Figures {
    let names = [
        start,
        "fees",
        "rewards",
        "corrections",
        "earned",
        "payouts",
        "payouts_count",
        "popugs_negative",
        "debt_carried",
    ];
    let table = &source.report.table;
    Figures::of(
        "The figures of the charts",
        &source.command,
        table,
        &names,
        &page.zone,
    )
    .summed(&source.report)
    .unlimited(table, &names, &page.zone)
    .headed("date", "Day")
}

fn drawn(drawing: Drawing) -> Drawn {
    Drawn {
        left: format!("{:.2}", drawing.left),
        right: format!("{:.2}", drawing.right),
        svg: drawing.svg,
    }
}

fn negative(page: &Page, to: &mut Document<'_>) -> Result<(), ReportError> {
    let Some(source) = &page.negative else {
        return Ok(());
    };
    let table = &source.report.table;
    let is_active = |row: &Row<'_>| row.get("active") == Cell::Bool(true);
    let (here, left): (Vec<_>, Vec<_>) = rows(table).into_iter().partition(is_active);
    let names = ["name", "login", "balance", "in_red_since"];
    let of = |title: &str, rows: &[Row<'_>]| {
        Figures::chosen(title, &source.command, table, rows, &names, &page.zone)
            .headed("in_red_since", "Since")
            .with_bars("balance", rows)
    };
    to.html("<div>\n")?;
    let note = if here.is_empty() {
        "Nobody is in the red."
    } else {
        ""
    };
    to.table("red", &of("In the red", &here).noted(note))?;
    let left = of("Left, and in the red", &left);
    if !left.is_empty() {
        to.table("left", &left.noted("Their debt stays in the books."))?;
    }
    to.html("</div>\n")
}

fn tasks(page: &Page, to: &mut Document<'_>) -> Result<(), ReportError> {
    to.html("<div id=\"tasks\">\n")?;
    if let Some(by) = &page.top_by {
        let mut found = rows(&by.report.table);
        found.retain(|row| row.get("number") != Cell::Null);
        let names = [
            "number",
            "title",
            "reward",
            "ties",
            "completed_by",
            "period_start",
            "period_end",
        ];
        let figures = Figures::chosen(
            "Dearest tasks done",
            &by.command,
            &by.report.table,
            &found,
            &names,
            &page.zone,
        );
        let figures = figures
            .headed("ties", "Equals")
            .headed("completed_by", "By");
        to.table("dearest", &figures.noted(dearest(page)))?;
    }
    to.html("<div class=\"grid\">\n")?;
    let found = rows(&page.fastest);
    let fastest = Figures::chosen(
        "Done fastest",
        "report tasks",
        &page.fastest,
        &found,
        &["number", "title", "completed_by"],
        &page.zone,
    )
    .headed("completed_by", "By")
    .lasting("Took", &found, ("assigned_at", "completed_at"));
    to.table(
        "fastest",
        &fastest.noted("From the last assignment to the completion."),
    )?;
    let names = ["number", "title", "assignee", "created_at"];
    let oldest = Figures::of(
        "Open for longest",
        "report tasks",
        &page.oldest,
        &names,
        &page.zone,
    );
    to.table(
        "oldest",
        &oldest
            .headed("assignee", "With")
            .noted("Now, by the date of their creation."),
    )?;
    to.html("</div>\n</div>\n")
}

fn money(page: &Page, to: &mut Document<'_>) -> Result<(), ReportError> {
    let report = &page.pay.report;
    let found = rows(&report.table);
    let names = [&["name", "login"][..], &pay::FIGURES].concat();
    let title = if page.earnings.is_some() {
        "Pay"
    } else {
        "Your pay"
    };
    let figures = Figures::chosen(
        title,
        &page.pay.command,
        &report.table,
        &found,
        &names,
        &page.zone,
    )
    .headed("opening", "Brought in")
    .with_bars("paid", &found)
    .summed(report);
    to.table("pay", &figures)?;
    match matrix(&page.matrix) {
        Some(figures) => to.table("months", &figures),
        None => Ok(()),
    }
}

fn foot(page: &Page) -> Foot {
    let trial = page.trial.as_ref().map(|source| {
        let total = |name: &str| {
            let found = source
                .report
                .totals
                .iter()
                .find(|(total, _)| *total == name);
            let cell = found.map_or(Cell::Null, |(_, value): &(_, Value)| value.cell());
            shown(name, cell, &page.zone)
        };
        Trial {
            command: source.command.clone(),
            balances: source.report.adds_up,
            debit: total("debit"),
            credit: total("credit"),
        }
    });
    Foot {
        trial,
        sequence: page.sequence.to_string(),
        behind: page.head.0.saturating_sub(page.sequence.0),
        hash: page.hash.clone(),
        version: env!("CARGO_PKG_VERSION"),
        script: SCRIPT,
    }
}

//! Cells of a page: the text for people, and beside it the value as in JSON, by which the script sorts.

use serde::Serialize;

use crate::domain::displayed::Displayed;
use crate::domain::period::{DateRange, Unit};
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::reports::render::terminal::grouped;
use crate::reports::render::text::for_machines;
use crate::reports::table::Cell;

/// A figure or a text. Numbers carry their value as in JSON.
#[derive(Clone, Default, Serialize)]
pub(super) struct Shown {
    pub text: String,
    pub value: String,
    pub class: &'static str,
    /// A percentage: the length of a bar, or the depth of a colour.
    pub part: Option<u8>,
}

/// Numbers with a minus sign and thin spaces between thousands.
pub(super) fn number(value: &str) -> String {
    grouped(value)
        .replace('-', "\u{2212}")
        .replace(' ', "\u{202f}")
}

/// A number whose sign is always shown.
pub(super) fn signed(value: &str) -> String {
    let is_plain = value.starts_with('-') || value.trim_matches(['0', '.']).is_empty();
    if is_plain {
        return number(value);
    }
    format!("+{}", number(value))
}

pub(super) fn date(date: BusinessDate) -> String {
    date.civil().strftime("%-d %b %Y").to_string()
}

/// Both ends of a period; a month, quarter or year by its name.
pub(super) fn period((from, to): (BusinessDate, BusinessDate)) -> String {
    crate::reports::render::terminal::in_words(DateRange::of((from, to)))
}

/// The column of a unit: `Nov 2026`, `Q4 2026`, `2026`; the dates if only a part of a longer one is there.
pub(super) fn unit((from, to): (BusinessDate, BusinessDate)) -> String {
    let lies_in = |unit: Unit| unit.around(from) == unit.around(to);
    let civil = from.civil();
    if lies_in(Unit::Month) {
        civil.strftime("%b %Y").to_string()
    } else if lies_in(Unit::Quarter) {
        format!("Q{} {}", (civil.month() + 2) / 3, civil.year())
    } else {
        civil.year().to_string()
    }
}

pub(super) fn shown(name: &str, cell: Cell<&str>, zone: &Zone) -> Shown {
    let value = for_machines(cell);
    let (text, class) = match cell {
        Cell::Null => ("\u{2013}".to_owned(), ""),
        Cell::Text(text) => (Displayed(text).to_string(), class_of_text(name)),
        Cell::Int(_) if name == "number" => (format!("T-{value}"), "w"),
        Cell::Money(money) if money.is_negative() => (number(&value), "n r"),
        Cell::Int(_) | Cell::Money(_) | Cell::Tenths(_) => (number(&value), "n"),
        Cell::Date(on) => (date(on), "w"),
        Cell::Time(time) => (date(zone.date_of(time)), "w"),
        Cell::Bool(true) => ("yes".to_owned(), ""),
        Cell::Bool(false) => ("no".to_owned(), ""),
    };
    let value = match cell {
        Cell::Text(_) => String::new(),
        _ => value,
    };
    Shown {
        text,
        value,
        class,
        part: None,
    }
}

/// Logins give way on a narrow screen, and titles need room.
pub(super) fn class_of_text(column: &str) -> &'static str {
    match column {
        "login" => "l",
        "title" => "t",
        _ => "",
    }
}

/// The time between two moments, in its two largest units.
pub(super) fn duration(from: EventTime, to: EventTime) -> Shown {
    let seconds = (to.micros() - from.micros()).max(0) / 1_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let text = match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, _) => format!("{hours} h {} min", minutes % 60),
        (days, _, _) => format!("{days} d {} h", hours % 24),
    };
    Shown {
        text,
        value: seconds.to_string(),
        class: "n",
        part: None,
    }
}

/// `value` as a percentage of `most`.
pub(super) fn part(value: i64, most: i64) -> u8 {
    let (value, most) = (i128::from(value.max(0)), i128::from(most.max(1)));
    u8::try_from((value * 100 / most).min(100)).expect("at most 100")
}

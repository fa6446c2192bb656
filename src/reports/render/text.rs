//! Cells as text, and the buffer that the row-by-row formats share.

use std::io::{self, Write};

use crate::domain::money::Money;
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::terminal::in_words;
use crate::reports::table::{Cell, Named, Value, next_row};

const BUFFER_BYTES: usize = 64 * 1024;

/// Writes the rows of all pages through one buffer. `row` appends one line to it.
pub(super) fn write_rows(
    report: &Report,
    out: &mut dyn Write,
    mut row: impl FnMut(&mut dyn Iterator<Item = Cell<&str>>, &mut Vec<u8>) -> io::Result<()>,
) -> Result<(), ReportError> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 8);
    report.each_page(|table| {
        let mut columns = table.cells();
        for _ in 0..table.height() {
            row(&mut next_row(&mut columns), &mut buffer)?;
            if buffer.len() >= BUFFER_BYTES {
                out.write_all(&buffer)?;
                buffer.clear();
            }
        }
        Ok(())
    })?;
    Ok(out.write_all(&buffer)?)
}

/// A cell that is not text, as programs read it: times in RFC 3339 UTC, null as nothing.
pub(super) fn write_machine(cell: Cell<&str>, to: &mut Vec<u8>) -> io::Result<()> {
    match cell {
        Cell::Null => Ok(()),
        Cell::Text(text) => to.write_all(text.as_bytes()),
        Cell::Int(int) => {
            push_sign(to, int);
            push_number(to, int.unsigned_abs());
            Ok(())
        }
        Cell::Money(money) => {
            write_money(money, to);
            Ok(())
        }
        Cell::Tenths(tenths) => {
            push_sign(to, tenths);
            push_number(to, tenths.unsigned_abs() / 10);
            to.push(b'.');
            push_digits(to, tenths.unsigned_abs() % 10, 1);
            Ok(())
        }
        Cell::Date(date) => write_date(date, to),
        Cell::Time(time) => write_time(time, to),
        Cell::Bool(flag) => to.write_all(if flag { b"true" } else { b"false" }),
    }
}

/// A cell in the form for programs.
pub fn for_machines(cell: Cell<&str>) -> String {
    let mut text = Vec::new();
    write_machine(cell, &mut text).expect("memory takes every byte");
    String::from_utf8_lossy(&text).into_owned()
}

// The same text as the types' own `Display`, in a third of the time, because lists of a million
// rows spend most of their time here.

fn write_money(money: Money, to: &mut Vec<u8>) {
    let magnitude = money.minor().unsigned_abs();
    push_sign(to, money.minor());
    push_number(to, magnitude / 100);
    to.push(b'.');
    push_digits(to, magnitude % 100, 2);
}

fn write_date(date: BusinessDate, to: &mut Vec<u8>) -> io::Result<()> {
    let civil = date.civil();
    let Ok(year) = u64::try_from(civil.year()) else {
        return write!(to, "{date}");
    };
    push_digits(to, year, 4);
    to.push(b'-');
    push_digits(to, u64::from(civil.month().unsigned_abs()), 2);
    to.push(b'-');
    push_digits(to, u64::from(civil.day().unsigned_abs()), 2);
    Ok(())
}

fn write_time(time: EventTime, to: &mut Vec<u8>) -> io::Result<()> {
    const DAY_MICROS: i64 = 86_400_000_000;
    let (days, micros) = (
        time.micros().div_euclid(DAY_MICROS),
        time.micros().rem_euclid(DAY_MICROS).unsigned_abs(),
    );
    let Ok(days) = i32::try_from(days) else {
        return write!(to, "{time}");
    };
    write_date(BusinessDate::from_epoch_days(days), to)?;
    let seconds = micros / 1_000_000;
    for (before, part, digits) in [
        (b'T', seconds / 3600, 2),
        (b':', seconds / 60 % 60, 2),
        (b':', seconds % 60, 2),
        (b'.', micros % 1_000_000, 6),
    ] {
        to.push(before);
        push_digits(to, part, digits);
    }
    to.push(b'Z');
    Ok(())
}

fn push_sign(to: &mut Vec<u8>, number: i64) {
    if number < 0 {
        to.push(b'-');
    }
}

/// The last `digits` digits, at most 20.
fn push_digits(to: &mut Vec<u8>, mut number: u64, digits: usize) {
    let mut text = [b'0'; 20];
    for digit in text[..digits].iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    to.extend_from_slice(&text[..digits]);
}

fn push_number(to: &mut Vec<u8>, number: u64) {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    push_digits(to, number, digits);
}

/// A cell as people read it: times in the company's zone, flags as words, text unescaped.
pub(super) fn for_people(cell: Cell<&str>, zone: &Zone) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(text) => text.to_owned(),
        Cell::Int(int) => int.to_string(),
        Cell::Money(money) => money.to_string(),
        Cell::Tenths(_) => for_machines(cell),
        Cell::Date(date) => date.to_string(),
        Cell::Time(time) => zone.local(time),
        Cell::Bool(true) => "yes".to_owned(),
        Cell::Bool(false) => "no".to_owned(),
    }
}

/// The rows of totals under the columns, each with its name: the totals, and those of a comparison. Empty if no column
/// has a total.
pub(super) fn totals_rows(report: &Report) -> Vec<(String, Vec<Option<&Value>>)> {
    let columns = report.table.columns();
    let under = |totals: &'_ [Named]| -> Vec<Option<usize>> {
        let place = |name: &str| totals.iter().position(|(total, _)| *total == name);
        columns.iter().map(|(name, _)| place(name)).collect()
    };
    let mut rows = vec![("total".to_owned(), &report.totals)];
    if let Some(versus) = &report.versus {
        rows.push((in_words(versus.period), &versus.totals));
        rows.push(("difference".to_owned(), &versus.difference));
        rows.push(("%".to_owned(), &versus.percent));
    }
    let rows = rows.into_iter().map(|(name, totals)| {
        let values = under(totals).into_iter();
        let values = values.map(|place| place.map(|place| &totals[place].1));
        (name, values.collect::<Vec<_>>())
    });
    rows.filter(|(_, values)| values.iter().any(Option::is_some))
        .collect()
}

/// A comparison of a value that stands under the table.
pub(super) fn against(report: &Report, name: &str) -> Option<String> {
    let versus = report.versus.as_ref()?;
    let of = |values: &[Named]| {
        let found = values.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| for_people(value.cell(), &report.zone))
    };
    let (other, difference) = (of(&versus.totals)?, of(&versus.difference)?);
    let percent = of(&versus.percent).filter(|percent| !percent.is_empty());
    let percent = percent.map_or_else(String::new, |percent| format!(", {percent} %"));
    let period = in_words(versus.period);
    Some(format!(
        " ({period}: {other}; difference {difference}{percent})"
    ))
}

/// The values under the table: facts beside the rows, and totals that belong to no column.
pub(super) fn footer(report: &Report) -> impl Iterator<Item = &(&'static str, Value)> {
    let is_column = |name: &str| {
        let mut columns = report.table.columns().iter().map(|(column, _)| *column);
        columns.any(|column| column == name) || report.arranged.left_out.contains(&name)
    };
    report.beside.iter().chain(
        report
            .totals
            .iter()
            .filter(move |(name, _)| !is_column(name)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_text_is_that_of_the_types_themselves() {
        for micros in [
            0,
            -1,
            1_795_341_600_500_000,
            951_782_399_999_999,
            -2_208_988_800_000_001,
            253_402_200_000_000_000,
        ] {
            let time = EventTime::from_micros(micros).unwrap();
            let date = BusinessDate::from_epoch_days((micros / 86_400_000_000) as i32);
            let money = Money::from_minor(micros);
            let mut text = Vec::new();
            for cell in [Cell::Time(time), Cell::Date(date), Cell::Money(money)] {
                write_machine(cell, &mut text).unwrap();
                text.push(b' ');
            }
            assert_eq!(
                String::from_utf8(text).unwrap(),
                format!("{time} {date} {money} ")
            );
        }
    }
}

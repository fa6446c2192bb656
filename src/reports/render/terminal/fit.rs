//! Makes columns fit the width of a terminal.

use textwrap::core::display_width;

use super::Shown;
use crate::reports::table::ColumnKind;

/// A text that has this many columns of the terminal is readable.
const READABLE: usize = 32;
/// Columns that a narrow terminal leaves out, in this order.
const EXPENDABLE: [&str; 20] = [
    "posted_at",
    "through_sequence",
    "skipped_events",
    "description",
    "sequence",
    "late_entries",
    "mail_to",
    "paid_at",
    "closed_at",
    "created_at",
    "created_by",
    "assigned_at",
    "time",
    "role",
    "active",
    "late",
    "jira_id",
    "closed_by",
    "payout_id",
    "corrects",
];

/// Columns that are left out next, if even wrapped text does not fit beside the figures.
const DISPENSABLE: [&str; 10] = [
    "completed_at",
    "completed_on",
    "closed",
    "payouts_count",
    "corrections",
    "opening",
    "mail_status",
    "popugs_negative",
    "entries",
    "entry_id",
];

/// Whether few readers miss the column.
pub(super) fn is_minor(name: &str) -> bool {
    EXPENDABLE.contains(&name) || DISPENSABLE.contains(&name)
}

/// Narrows the columns step by step until they fit; returns the names of those left out.
pub(super) fn fit(shown: &mut Vec<Shown>, width: usize) -> Vec<&'static str> {
    let readable = |column: &Shown| match column.kind {
        ColumnKind::Text => column.width().min(READABLE),
        _ => column.width(),
    };
    let fits = |shown: &[Shown]| shown.iter().map(|c| readable(c) + 2).sum::<usize>() <= width + 2;
    let mut left_out = Vec::new();
    leave_out(shown, &EXPENDABLE, fits, &mut left_out);
    let fits_wrapped = |shown: &[Shown]| fits_wrapped(shown, width);
    leave_out(shown, &DISPENSABLE, fits_wrapped, &mut left_out);
    // The first column names the row, the last ones are the results.
    while shown.len() > 2 && !fits_wrapped(shown) {
        left_out.push(shown.remove(1).name);
    }
    left_out
}

/// Leaves out the last columns that the reader named until the others fit with wrapped text.
pub(super) fn fit_chosen(shown: &mut Vec<Shown>, width: usize) -> Vec<&'static str> {
    let mut left_out = Vec::new();
    while shown.len() > 1 && !fits_wrapped(shown, width) {
        left_out.extend(shown.pop().map(|column| column.name));
    }
    left_out.reverse();
    left_out
}

fn fits_wrapped(shown: &[Shown], width: usize) -> bool {
    let least = shown.iter().map(|column| column.least_width() + 2);
    least.sum::<usize>() <= width + 2
}

/// Leaves out columns, the first of `names` first, until the others fit.
fn leave_out(
    shown: &mut Vec<Shown>,
    names: &[&str],
    fits: impl Fn(&[Shown]) -> bool,
    left_out: &mut Vec<&'static str>,
) {
    for name in names {
        if fits(shown) {
            break;
        }
        left_out.extend(
            shown
                .extract_if(.., |column| column.name == *name)
                .map(|column| column.name),
        );
    }
}

/// The width of each column: its full width, or for text a share of the width that the others
/// leave.
pub(super) fn widths(shown: &[Shown], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = shown.iter().map(Shown::width).collect();
    let frame = 2 * shown.len().saturating_sub(1);
    if widths.iter().sum::<usize>() + frame <= width {
        return widths;
    }
    let mut places: Vec<usize> = (0..shown.len()).collect();
    places.sort_by_key(|place| (shown[*place].kind == ColumnKind::Text, widths[*place]));
    let least: Vec<usize> = shown.iter().map(Shown::least_width).collect();
    let mut left = width.saturating_sub(frame);
    for (done, place) in places.iter().enumerate() {
        let is_text = shown[*place].kind == ColumnKind::Text;
        let share = left / (places.len() - done);
        widths[*place] = if is_text {
            widths[*place].min(share.max(least[*place]))
        } else {
            least[*place]
        };
        left = left.saturating_sub(widths[*place]);
    }
    // Headings that wrapped take the room that is left.
    for (width, column) in widths.iter_mut().zip(shown) {
        let more = (column.width() - *width).min(left);
        *width += more;
        left -= more;
    }
    widths
}

/// Shortens a text that is longer than its column, but not below a readable length: it wraps then.
pub(super) fn cut(text: &str, width: usize) -> Option<String> {
    let room = width.max(READABLE);
    if display_width(text) <= room {
        return None;
    }
    let mut cut = String::new();
    for letter in text.chars() {
        if display_width(&cut) + display_width(letter.encode_utf8(&mut [0; 4])) >= room {
            break;
        }
        cut.push(letter);
    }
    Some(cut + "…")
}

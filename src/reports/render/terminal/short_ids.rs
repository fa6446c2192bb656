//! Ids shortened to their first characters, which every command takes in place of the whole id.
//!
//! A beginning is unique among the ids of its column. It is long enough to be most likely unique among all ids of the
//! store, because the number of events bounds their number; a command that finds two lists both.

use uuid::{Uuid, Variant};

use crate::domain::id::Sequence;

/// The least length of a derived id, whose characters are random from the first on.
const LEAST: usize = 8;
/// The least length of an id that begins with its time: the time in milliseconds.
const LEAST_OF_TIMED: usize = 13;
const TIMED: usize = 7;

/// Shortens the ids among `cells`.
pub(super) fn shorten(cells: &mut [String], events: Sequence) {
    let mut ids: Vec<String> = cells.iter().filter(|cell| is_id(cell)).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    let common = |one: &str, other: Option<&String>| {
        let other = other.map_or("", String::as_str);
        let pairs = one.bytes().zip(other.bytes());
        pairs.take_while(|(one, other)| one == other).count()
    };
    for cell in cells.iter_mut() {
        let Ok(place) = ids.binary_search(cell) else {
            continue;
        };
        let before = common(cell, place.checked_sub(1).map(|before| &ids[before]));
        let behind = common(cell, ids.get(place + 1));
        let least = least_of(cell, events).max(before.max(behind) + 1);
        let ends_with_hyphen = cell[..least.min(cell.len())].ends_with('-');
        cell.truncate(least + usize::from(ends_with_hyphen));
    }
}

fn is_id(cell: &str) -> bool {
    cell.len() == 36
        && cell
            .parse()
            .is_ok_and(|id: Uuid| id.get_variant() == Variant::RFC4122)
}

/// So many characters that among as many random ids as there are events hardly two begin alike.
fn least_of(id: &str, events: Sequence) -> usize {
    let is_timed = id
        .parse()
        .is_ok_and(|id: Uuid| id.get_version_num() == TIMED);
    if is_timed {
        return LEAST_OF_TIMED;
    }
    let bits = 2 * (u64::BITS - events.0.leading_zeros()) as usize + 6;
    let digits = bits.div_ceil(4).max(LEAST);
    // A hyphen follows the eighth digit, and the twelfth.
    digits + digits.saturating_sub(8).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(ids: &[&str], events: u64) -> Vec<String> {
        let mut cells: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        shorten(&mut cells, Sequence(events));
        cells
    }

    #[test]
    fn ids_are_as_long_as_they_must_be_to_differ() {
        let ids = [
            "6f1d2c3b-aaaa-5bbb-8ccc-000000000001",
            "6f1d2c3b-aaaa-5bbb-8ccc-000000000001",
            "0f1d2c3b-aaaa-5bbb-8ccc-000000000001",
            "6f1d2c3b-abaa-5bbb-8ccc-000000000001",
            "",
            "anna",
        ];
        let expected = [
            "6f1d2c3b-aa",
            "6f1d2c3b-aa",
            "0f1d2c3b",
            "6f1d2c3b-ab",
            "",
            "anna",
        ];
        assert_eq!(short(&ids, 100), expected);
    }

    #[test]
    fn an_id_that_begins_with_its_time_shows_the_whole_time_and_more_for_two_of_one_moment() {
        let ids = [
            "01a22bce-c135-72df-803c-6ac9ec181f11",
            "01a22bce-c136-72df-803c-6ac9ec181f11",
            "01a22bce-c136-73df-803c-6ac9ec181f11",
        ];
        assert_eq!(
            short(&ids, 1),
            ["01a22bce-c135", "01a22bce-c136-72", "01a22bce-c136-73"]
        );
    }

    #[test]
    fn ids_are_longer_in_a_longer_log() {
        let id = ["6f1d2c3b-aaaa-5bbb-8ccc-000000000001"];
        let lengths =
            [1, 5_000, 20_000, 1_000_000, 100_000_000].map(|events| short(&id, events)[0].len());
        assert_eq!(lengths, [8, 8, 10, 13, 17]);
    }
}

//! The sentence about what stands out in the earnings, from the rows of the report.

use super::shown::{date, signed};
use crate::domain::money::Money;
use crate::domain::time::BusinessDate;

/// A date, what management earned on it, and whether tasks were handed out anew on it.
pub(super) type Day = (BusinessDate, i64, bool);

fn money(minor: i64) -> String {
    signed(&Money::from_minor(minor).to_string())
}

fn days(count: usize) -> String {
    match count {
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    }
}

/// Compares the dates on which tasks were handed out anew with the others, and names the best and the worst date.
pub(super) fn sentence(all: &[Day]) -> String {
    let moved = || all.iter().filter(|(_, earned, _)| *earned != 0);
    let (Some(best), Some(worst)) = (
        moved().max_by_key(|(on, earned, _)| (*earned, std::cmp::Reverse(*on))),
        moved().min_by_key(|(on, earned, _)| (*earned, *on)),
    ) else {
        return "Nothing was charged or credited in this period.".to_owned();
    };
    let (marked, others): (Vec<&Day>, Vec<&Day>) = all.iter().partition(|(_, _, marked)| *marked);
    let sum = |days: &[&Day]| days.iter().map(|(_, earned, _)| earned).sum::<i64>();
    let mut said = Vec::new();
    if !marked.is_empty() && !others.is_empty() {
        said.push(format!(
            "On the {} when open tasks were handed out anew, management earned {}; on the other {}, {}.",
            days(marked.len()),
            money(sum(&marked)),
            days(others.len()),
            money(sum(&others)),
        ));
    } else {
        let above = all.iter().filter(|(_, earned, _)| *earned > 0).count();
        said.push(format!(
            "Management earned on {above} of {}.",
            days(all.len())
        ));
    }
    if best.0 != worst.0 {
        said.push(format!(
            "The best day was {} with {}, the worst {} with {}.",
            date(best.0),
            money(best.1),
            date(worst.0),
            money(worst.1),
        ));
    }
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: i32, earned: i64, is_marked: bool) -> Day {
        (BusinessDate::from_epoch_days(days), earned, is_marked)
    }

    #[test]
    fn a_sentence_compares_marked_days_with_the_others() {
        let all = [
            day(0, -500, false),
            day(1, 123_400, true),
            day(2, -700, false),
        ];
        let said = sentence(&all);
        assert_eq!(
            said,
            "On the 1 day when open tasks were handed out anew, management earned +1\u{202f}234.00; \
             on the other 2 days, \u{2212}12.00. The best day was 2 Jan 1970 with +1\u{202f}234.00, \
             the worst 3 Jan 1970 with \u{2212}7.00."
        );
    }

    #[test]
    fn days_without_entries_say_so() {
        assert!(sentence(&[day(0, 0, false)]).starts_with("Nothing"));
        let said = sentence(&[day(0, 0, false), day(1, 200, false)]);
        assert_eq!(said, "Management earned on 1 of 2 days.");
    }
}

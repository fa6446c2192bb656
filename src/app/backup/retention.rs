//! Which backups are kept: the newest of each of the last days, weeks and months that have one.

use std::fmt;

use crate::domain::period::Unit;
use crate::domain::time::BusinessDate;

/// The numbers of days, ISO weeks and months of which the newest backup is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keep {
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
}

/// Why a backup is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It is the newest of all.
    Newest,
    Of(Unit),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Newest => f.write_str("newest"),
            Reason::Of(unit) => write!(f, "newest of its {}", unit.name()),
        }
    }
}

impl Keep {
    /// The reasons to keep each backup; none: it may go. `made_on` has their dates, oldest first.
    /// The newest backup always has a reason.
    pub fn reasons(self, made_on: &[BusinessDate]) -> Vec<Vec<Reason>> {
        let mut reasons = vec![Vec::new(); made_on.len()];
        if let Some(newest) = reasons.last_mut() {
            newest.push(Reason::Newest);
        }
        let rules = [
            (Unit::Day, self.daily),
            (Unit::Week, self.weekly),
            (Unit::Month, self.monthly),
        ];
        for (unit, mut left) in rules {
            let mut newer = None;
            for (date, kept) in made_on.iter().zip(&mut reasons).rev() {
                let begins = unit.around(*date).0;
                if left > 0 && newer.is_none_or(|newer| begins < newer) {
                    kept.push(Reason::Of(unit));
                    left -= 1;
                    newer = Some(begins);
                }
            }
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(keep: Keep, dates: &[&str]) -> Vec<bool> {
        let dates: Vec<BusinessDate> = dates.iter().map(|date| date.parse().unwrap()).collect();
        let reasons = keep.reasons(&dates);
        reasons.iter().map(|reasons| !reasons.is_empty()).collect()
    }

    const DATES: [&str; 8] = [
        "2026-09-30",
        "2026-10-31", // Saturday
        "2026-11-16", // Monday
        "2026-11-22", // Sunday of the same week
        "2026-11-23", // Monday
        "2026-11-24",
        "2026-11-24",
        "2026-11-25",
    ];

    #[test]
    fn the_newest_of_each_day_week_and_month_is_kept() {
        let only = |daily, weekly, monthly| Keep {
            daily,
            weekly,
            monthly,
        };
        for (keep, wanted) in [
            (only(0, 0, 0), "00000001"),
            (only(1, 0, 0), "00000001"),
            (only(2, 0, 0), "00000011"),
            (only(3, 0, 0), "00001011"),
            (only(0, 2, 0), "00010001"),
            (only(0, 3, 0), "01010001"),
            (only(0, 0, 2), "01000001"),
            (only(0, 0, 99), "11000001"),
            (only(3, 2, 3), "11011011"),
        ] {
            let kept: String = kept(keep, &DATES)
                .iter()
                .map(|kept| if *kept { '1' } else { '0' })
                .collect();
            assert_eq!(kept, wanted, "{keep:?}");
        }
        assert!(kept(Keep::default(), &[]).is_empty());
    }

    #[test]
    fn a_backup_that_is_dated_before_an_older_one_takes_no_place() {
        // A clock ran ahead when the second one was made: their order is that of the log.
        let keep = Keep {
            daily: 2,
            ..Keep::default()
        };
        let dates = ["2026-11-20", "2027-01-01", "2026-11-21"];
        assert_eq!(kept(keep, &dates), [true, false, true]);
    }
}

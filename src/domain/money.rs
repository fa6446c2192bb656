//! Money: integer minor units (hundredths), checked, never a float.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in minor units. Overflow is a bug and panics in every build; the largest balance is 92
/// quadrillion currency units.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    pub const ZERO: Money = Money(0);

    pub const fn from_minor(minor: i64) -> Self {
        Money(minor)
    }

    /// Whole currency units, `units(12)` is `12.00`.
    pub const fn units(units: i64) -> Self {
        Money(units * 100)
    }

    pub const fn minor(self) -> i64 {
        self.0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    #[must_use]
    pub const fn abs(self) -> Self {
        Money(self.0.abs())
    }

    #[must_use]
    pub fn times(self, count: i64) -> Self {
        Money(self.0.checked_mul(count).expect("money within i64"))
    }
}

impl Add for Money {
    type Output = Money;

    fn add(self, other: Money) -> Money {
        Money(self.0.checked_add(other.0).expect("money within i64"))
    }
}

impl Sub for Money {
    type Output = Money;

    fn sub(self, other: Money) -> Money {
        Money(self.0.checked_sub(other.0).expect("money within i64"))
    }
}

impl Neg for Money {
    type Output = Money;

    fn neg(self) -> Money {
        Money(self.0.checked_neg().expect("money within i64"))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

/// A plain decimal with two digits: `-12.00`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", magnitude / 100, magnitude % 100))
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not an amount; write it like 12, 12.5 or 12.50")]
pub struct ParseMoneyError {
    text: String,
}

/// Parses `12`, `12.5`, `-12.50`, also with a decimal comma. More than two decimals are refused, not rounded.
impl FromStr for Money {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_minor(text).map(Money).ok_or_else(|| ParseMoneyError {
            text: text.to_owned(),
        })
    }
}

fn parse_minor(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let cents = fraction.parse::<i128>().ok()? * if fraction.len() == 1 { 10 } else { 1 };
    let minor = whole
        .parse::<i128>()
        .ok()?
        .checked_mul(100)?
        .checked_add(cents)?;
    i64::try_from(if negative { -minor } else { minor }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_two_digits_and_read_back() {
        for (minor, text) in [
            (0, "0.00"),
            (5, "0.05"),
            (-5, "-0.05"),
            (1200, "12.00"),
            (-123_456, "-1234.56"),
        ] {
            assert_eq!(Money::from_minor(minor).to_string(), text);
            assert_eq!(text.parse(), Ok(Money::from_minor(minor)));
            assert_eq!(text.replace('.', ",").parse(), Ok(Money::from_minor(minor)));
        }
    }

    #[test]
    fn anything_that_would_need_rounding_is_refused() {
        for text in [
            "",
            "-",
            "1.",
            ".5",
            "1.234",
            "1e3",
            "+1",
            "1,234",
            "1,2.3",
            " 1",
            "92233720368547758.08",
        ] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "money within i64")]
    fn overflow_is_a_bug_not_a_wrap() {
        let _ = Money::from_minor(i64::MAX) + Money::from_minor(1);
    }
}

//! The books: double entry, one currency, never a float.
//!
//! [`entry`] gives the postings of an entry, [`books`] folds entries into balances, [`reaction`]
//! turns task events into entries, [`close`] pays a date out and [`correct`] reverses an entry.
//! Everything here is pure; the accounting consumer, the close and the correction all use it.

pub mod books;
pub mod close;
pub mod correct;
pub mod entry;
pub mod reaction;
pub mod tally;

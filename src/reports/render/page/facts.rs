//! The facts of a page: reports and lists, as far as its reader may see them.

use std::collections::BTreeMap;

use crate::domain::id::Sequence;
use crate::domain::period::DateRange;
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::reports::Report;
use crate::reports::table::Table;

/// A report and the command line that shows it.
#[derive(Debug)]
pub struct Source {
    pub command: String,
    pub report: Report,
}

/// An absent report is one that the reader may not see.
#[derive(Debug)]
pub struct Page {
    pub company: String,
    pub currency: String,
    pub zone: Zone,
    /// The login of the reader.
    pub reader: String,
    pub role: String,
    pub made_at: EventTime,
    pub today: BusinessDate,
    pub period: (BusinessDate, BusinessDate),
    /// The period that this one is compared with.
    pub before: Option<DateRange>,
    /// The last event that the reports include, and the hash of its line.
    pub sequence: Sequence,
    pub hash: String,
    pub head: Sequence,
    /// By dates.
    pub earnings: Option<Source>,
    /// By longer units, if there are too many dates for a chart.
    pub bars: Option<Source>,
    pub negative: Option<Source>,
    pub pay: Source,
    /// The pay sheets of the last months, quarters or years.
    pub matrix: Vec<Source>,
    /// The rows of `task board`.
    pub board: Table,
    pub top: Option<Source>,
    /// The most expensive task of each part of the period.
    pub top_by: Option<Source>,
    /// Rows of `tasks`.
    pub fastest: Table,
    /// Rows of `tasks`.
    pub oldest: Table,
    pub people: Option<Source>,
    pub flow: Option<Source>,
    pub flow_before: Option<Source>,
    pub trial: Option<Source>,
    /// The dates on which open tasks were handed out anew, and the number of these assignments.
    pub handed_out: BTreeMap<BusinessDate, i64>,
}

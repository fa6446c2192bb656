//! The tables of a report, and the facts from them that every report states.

use duckdb::{Connection, OptionalExt};
use polars::prelude::DataFrame;

use crate::domain::period::DateRange;
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::reports::error::ReportError;
use crate::reports::frame;
use crate::reports::pages::Pages;
use crate::reports::query::Query;
use crate::reports::table::{Named, Table, Value};
use crate::reports::{Arranged, Report};

/// The tables of one consumer, with the facts of the company in them.
pub struct Source<'a> {
    connection: &'a Connection,
    pub zone: Zone,
    pub currency: String,
    pub first_date: BusinessDate,
    pub closed_through: Option<BusinessDate>,
}

const FACTS: &str = "
    SELECT time_zone, currency, epoch_us(founded_at),
           (SELECT date_diff('day', DATE '1970-01-01', max(business_date)) FROM closes)
    FROM company";

type Facts = (String, String, i64, Option<i64>);

impl<'a> Source<'a> {
    /// # Errors
    /// [`ReportError::NothingConsumed`] when the tables are empty.
    pub fn open(connection: &'a Connection) -> Result<Source<'a>, ReportError> {
        let facts = |row: &duckdb::Row<'_>| -> duckdb::Result<Facts> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        };
        let found = connection.query_row(FACTS, [], facts).optional()?;
        let Some((zone_name, currency, founded, closed)) = found else {
            return Err(ReportError::NothingConsumed);
        };
        let zone = Zone::named(&zone_name).map_err(|_| ReportError::UnknownZone(zone_name))?;
        let founded_at = EventTime::from_micros(founded).ok_or(ReportError::NothingConsumed)?;
        let date = |days: i64| i32::try_from(days).ok().map(BusinessDate::from_epoch_days);
        Ok(Source {
            connection,
            first_date: zone.date_of(founded_at),
            zone,
            currency,
            closed_through: closed.and_then(date),
        })
    }

    /// Whether `date` is closed; a date that the zone skips never is.
    pub fn is_closed(&self, date: BusinessDate) -> bool {
        let is_over = self.closed_through.is_some_and(|closed| date <= closed);
        self.first_date <= date && is_over && self.zone.has_date(date)
    }

    pub fn load(&self, sql: &str) -> Result<DataFrame, ReportError> {
        frame::query(self.connection, sql, [])
    }

    pub fn connection(&self) -> &'a Connection {
        self.connection
    }

    pub fn report(
        &self,
        name: &'static str,
        query: &Query,
        period: DateRange,
        totals: Vec<Named>,
        rows: impl Into<(Table, Pages)>,
    ) -> Report {
        let (table, pages) = rows.into();
        Report {
            name,
            as_of_sequence: query.as_of_sequence,
            head_sequence: query.head_sequence,
            zone: self.zone.clone(),
            company: String::new(),
            currency: self.currency.clone(),
            closed_through: self.closed_through,
            period,
            asked: None,
            totals,
            versus: None,
            beside: Vec::new(),
            table,
            pages,
            arranged: Arranged::default(),
            adds_up: true,
        }
    }
}

/// The sum of an integer column; zero without rows.
pub fn sum(frame: &DataFrame, column: &str) -> Result<i64, ReportError> {
    Ok(frame.column(column)?.i64()?.iter().flatten().sum())
}

/// The money columns of `names` as totals.
pub fn money_totals(frame: &DataFrame, names: &[&'static str]) -> Result<Vec<Named>, ReportError> {
    names
        .iter()
        .map(|name| Ok((*name, Value::minor(sum(frame, name)?))))
        .collect()
}

/// The integer columns of `names` as totals.
pub fn count_totals(frame: &DataFrame, names: &[&'static str]) -> Result<Vec<Named>, ReportError> {
    names
        .iter()
        .map(|name| Ok((*name, Value::Int(sum(frame, name)?))))
        .collect()
}

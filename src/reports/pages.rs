//! The rows of a long report, page by page, so that memory does not grow with their number.
//!
//! The first page is the table of the report. The others are read when they are written; until
//! then the report keeps the tables open.

use std::fmt;

use duckdb::Connection;

use crate::reports::error::ReportError;
use crate::reports::table::Table;
use crate::store::Database;

/// The most rows of a page.
pub const PAGE_ROWS: usize = 65_536;

/// Reads one page.
type Load = Box<dyn Fn(&Connection) -> Result<Table, ReportError>>;

/// The pages after the first.
#[derive(Default)]
pub struct Pages {
    loads: Vec<Load>,
    rows: usize,
    database: Option<Database>,
}

impl Pages {
    /// Reads the first of `pages`, which have `rows` rows together, and keeps the others to be read
    /// later. Without a page the table is that of `P::default()`, which has no rows.
    pub fn begin<P: Default + 'static>(
        connection: &Connection,
        pages: Vec<P>,
        rows: usize,
        load: impl Fn(&Connection, &P) -> Result<Table, ReportError> + Clone + 'static,
    ) -> Result<(Table, Pages), ReportError> {
        let mut pages = pages.into_iter();
        let first = load(connection, &pages.next().unwrap_or_default())?;
        let rest = pages.map(|page| {
            let load = load.clone();
            Box::new(move |connection: &Connection| load(connection, &page)) as Load
        });
        let pages = Pages {
            loads: rest.collect(),
            rows: rows.saturating_sub(first.height()),
            database: None,
        };
        Ok((first, pages))
    }

    /// The number of rows on all pages.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Passes on the tables from which the pages are read. They are closed now if there is no page.
    pub fn read_from(&mut self, database: Database) {
        if !self.loads.is_empty() {
            self.database = Some(database);
        }
    }

    /// Reads the pages in order.
    pub fn load(&self) -> impl Iterator<Item = Result<Table, ReportError>> {
        self.loads.iter().map(|load| {
            let database = self.database.as_ref().ok_or(ReportError::TablesClosed)?;
            load(database.connection())
        })
    }
}

impl From<Table> for (Table, Pages) {
    fn from(table: Table) -> Self {
        (table, Pages::default())
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pages", self.loads.len())
    }
}

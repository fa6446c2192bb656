//! The rows of a long report, page by page, so that memory does not grow with their number.
//!
//! The first page is the table of the report. The others are read when they are written, each by a
//! thread while the page before it is written; until then the report keeps the tables open.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use duckdb::Connection;

use crate::reports::error::ReportError;
use crate::reports::frame;
use crate::reports::table::{ColumnKind, Table};
use crate::store::Database;

/// The most rows of a page.
pub const PAGE_ROWS: usize = 65_536;

/// The pages after the first.
#[derive(Default)]
pub struct Pages {
    /// One for each page, the first included.
    queries: Vec<String>,
    columns: Vec<(&'static str, ColumnKind)>,
    /// The number of rows on the pages after the first.
    rows: usize,
    database: Option<Mutex<Database>>,
    rows_written: AtomicUsize,
}

impl Pages {
    /// Reads the first of `pages`, which have `rows` rows together, and keeps the others to be read
    /// later. Without a page the table is that of `P::default()`, which has no rows.
    pub fn begin<P: Default>(
        connection: &Connection,
        columns: &[(&'static str, ColumnKind)],
        pages: Vec<P>,
        rows: usize,
        sql: impl Fn(&P) -> String,
    ) -> Result<(Table, Pages), ReportError> {
        if pages.len() > 1 {
            // A second thread would take the core of the one that writes, and memory for each join.
            connection.execute_batch("SET threads TO 1")?;
        }
        let mut queries: Vec<String> = pages.iter().map(&sql).collect();
        if queries.is_empty() {
            queries.push(sql(&P::default()));
        }
        let mut pages = Pages {
            queries,
            columns: columns.to_vec(),
            ..Pages::default()
        };
        let first = pages.load(connection, &pages.queries[0])?;
        pages.rows = rows.saturating_sub(first.height());
        Ok((first, pages))
    }

    fn load(&self, connection: &Connection, query: &str) -> Result<Table, ReportError> {
        let frame = frame::query(connection, query, [])?;
        Ok(Table::from_frame(&self.columns, &frame)?)
    }

    /// The queries of all pages in their order, the first included.
    pub fn queries(&self) -> &[String] {
        &self.queries
    }

    /// The queries of the pages that are read later.
    fn rest(&self) -> &[String] {
        self.queries.get(1..).unwrap_or_default()
    }

    /// The number of rows on the pages after the first.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of rows that are written, those of the first page included; other threads may ask.
    pub fn rows_written(&self) -> usize {
        self.rows_written.load(Ordering::Relaxed)
    }

    /// Passes on the tables from which the pages are read. They are closed now if there is no page.
    pub fn read_from(&mut self, database: Database) {
        if !self.rest().is_empty() {
            self.database = Some(Mutex::new(database));
        }
    }

    /// Runs `write` on `first` and on every page, in order. Two pages are in memory at a time: the
    /// one that is written, and the next.
    ///
    /// # Errors
    /// If a page cannot be read, or that of `write`.
    pub fn each_after(
        &self,
        first: &Table,
        mut write: impl FnMut(&Table) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        let mut write = |page: &Table| {
            write(page)?;
            self.rows_written
                .fetch_add(page.height(), Ordering::Relaxed);
            Ok(())
        };
        if self.rest().is_empty() {
            return write(first);
        }
        let database = self.database.as_ref().ok_or(ReportError::TablesClosed)?;
        thread::scope(|scope| {
            let (pages, read) = mpsc::sync_channel(0);
            scope.spawn(move || {
                let database = database.lock().unwrap_or_else(PoisonError::into_inner);
                let mut loaded = self.rest().iter().map(|query| {
                    let page = self.load(database.connection(), query);
                    page.map_err(|error| error.met_in(&database))
                });
                loaded.all(|page| pages.send(page).is_ok())
            });
            write(first)?;
            read.into_iter().try_for_each(|page| write(&page?))
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
        write!(f, "{} pages", self.queries.len())
    }
}

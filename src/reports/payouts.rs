//! `payouts`: every payout with its user, its date and the state of its pay mail.

use duckdb::Connection;

use crate::domain::id::UserId;
use crate::domain::period::DateRange;
use crate::domain::time::BusinessDate;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::pages::{PAGE_ROWS, Pages};
use crate::reports::query::{Query, dated, of_user};
use crate::reports::source::Source;
use crate::reports::table::ColumnKind::{Date, Int, Money, Text, Time};
use crate::reports::table::{ColumnKind, Value};

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("date", Date),
    ("payout_id", Text),
    ("entry_id", Text),
    ("sequence", Int),
    ("paid_at", Time),
    ("user_id", Text),
    ("login", Text),
    ("name", Text),
    ("opening", Money),
    ("earned", Money),
    ("amount", Money),
    ("mail_status", Text),
    ("mail_to", Text),
];

/// Reads accounting's tables.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let period = query.dates.period();
    let (pages, count, amount) = pages(&source, query)?;
    let user = query.user;
    let table = Pages::begin(connection, COLUMNS, pages, count, |page| sql(page, user))?;
    let count = i64::try_from(count).expect("rows fit");
    let totals = vec![
        ("amount", Value::minor(amount)),
        ("payouts_count", Value::Int(count)),
    ];
    Ok(source.report("payouts", query, period, totals, table))
}

/// The dates of a page; `None` for a report without payouts.
#[derive(Default)]
struct Page(Option<DateRange>);

/// Divides the payouts by dates. A date is never divided, because it has at most one payout for
/// each user. Also returns the number of payouts and their sum in minor units.
fn pages(source: &Source<'_>, query: &Query) -> Result<(Vec<Page>, usize, i64), ReportError> {
    let sql = format!(
        "SELECT date_diff('day', DATE '1970-01-01', business_date), count(*), sum(amount)::BIGINT
        FROM payouts WHERE {} AND {} GROUP BY business_date ORDER BY business_date",
        dated("business_date", query.dates.period()),
        of_user("user_id", query.user),
    );
    let mut statement = source.connection().prepare(&sql)?;
    let dates = statement.query_map([], |row| {
        Ok((row.get(0)?, row.get::<_, usize>(1)?, row.get::<_, i64>(2)?))
    })?;
    let (mut pages, mut room) = (Vec::<DateRange>::new(), 0);
    let (mut count, mut amount) = (0, 0);
    for date in dates {
        let (days, rows, paid) = date?;
        let date = Some(BusinessDate::from_epoch_days(days));
        match pages.last_mut().filter(|_| rows <= room) {
            Some(page) => page.to = date,
            None => {
                room = PAGE_ROWS;
                pages.push(DateRange {
                    from: date,
                    to: date,
                });
            }
        }
        room = room.saturating_sub(rows);
        count += rows;
        amount += paid;
    }
    let pages = pages.into_iter().map(|dates| Page(Some(dates)));
    Ok((pages.collect(), count, amount))
}

/// The state of a mail is its latest row; without a row it is still to be sent. Names are those of
/// the date.
fn sql(Page(dates): &Page, user: Option<UserId>) -> String {
    let dates = dates.map_or("false".to_owned(), |dates| dated("p.business_date", dates));
    format!(
        "WITH mail AS (
            SELECT payout_id, arg_max(state, sequence) AS state, arg_max(mail_to, sequence) AS mail_to
            FROM mails GROUP BY payout_id),
        named AS (
            SELECT user_id, business_date, arg_max(full_name, sequence) AS name
            FROM user_changes GROUP BY user_id, business_date)
        SELECT p.business_date AS date, p.payout_id, p.entry_id, p.sequence, p.paid_at, p.user_id,
            coalesce(u.login, p.user_id::VARCHAR) AS login, coalesce(n.name, u.full_name) AS name,
            p.opening, p.earned, p.amount,
            coalesce(m.state, 'pending') AS mail_status,
            coalesce(m.mail_to, u.email) AS mail_to
        FROM payouts p ASOF LEFT JOIN named n ON n.user_id = p.user_id AND n.business_date <= p.business_date
        LEFT JOIN users u ON u.user_id = p.user_id LEFT JOIN mail m ON m.payout_id = p.payout_id
        WHERE {dates} AND {} ORDER BY date, login, p.sequence",
        of_user("p.user_id", user),
    )
}

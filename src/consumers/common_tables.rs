//! The tables that accounting and analytics both keep: company, users, user days, payouts, closes.

use std::collections::BTreeMap;

use duckdb::Connection;

use crate::consumers::ConsumeError;
use crate::domain::company::Company;
use crate::domain::event::{Actor, CompanyFounded, DayClosed, Event, PayoutMade};
use crate::domain::id::{CompanyId, UserId};
use crate::domain::ledger::books::{Books, UserBalance, UserDay};
use crate::domain::ledger::tally::Tally;
use crate::domain::money::Money;
use crate::domain::pricing::PriceRange;
use crate::domain::time::{BusinessDate, EventTime};
use crate::domain::user::User;
use crate::event_log::LogError;
use crate::state::Recorded;
use crate::store::tables::{
    CloseRow, CloseRows, CompanyRow, CompanyRows, PayoutRow, PayoutRows, UserChangeRow,
    UserChangeRows, UserDayRow, UserDayRows, UserRow, UserRows,
};
use crate::store::{Database, StoreError};

/// The books and the users, with the rows that are not stored yet.
#[derive(Default)]
pub struct CommonTables {
    /// `None` before the company is founded.
    books: Option<Books>,
    users: BTreeMap<UserId, User>,
    users_changed: bool,
    user_change_rows: UserChangeRows,
    days: BTreeMap<(BusinessDate, UserId), UserDay>,
    /// The tally of all entries that were projected or recorded.
    tally: Tally,
    company_rows: CompanyRows,
    payout_rows: PayoutRows,
    close_rows: CloseRows,
}

impl CommonTables {
    /// The contents of the file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the days of the users differ from the checkpoint.
    pub fn load(database: &Database) -> Result<CommonTables, StoreError> {
        let connection = database.connection();
        let days = load_days(database)?;
        let read = || -> Result<Option<(CompanyFounded, EventTime)>, duckdb::Error> {
            let mut statement = connection.prepare(
                "SELECT company_id::VARCHAR, name, time_zone, currency, fee_min, fee_max, reward_min, reward_max,
                 test_clock, epoch_us(founded_at) FROM company",
            )?;
            statement.query_map([], company)?.next().transpose()
        };
        let Some((founded, at)) = read().map_err(database.failed("read"))? else {
            return Ok(CommonTables::default());
        };
        let company =
            Company::from_founding(&founded, at).map_err(|error| StoreError::Damaged {
                path: database.path().to_owned(),
                reason: error.to_string(),
            })?;
        let books = load_books(connection, company, days).map_err(database.failed("read"))?;
        let users = load_users(connection).map_err(database.failed("read"))?;
        Ok(CommonTables {
            books: Some(books),
            users,
            tally: database.tally()?,
            ..CommonTables::default()
        })
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// # Panics
    /// Before the company is founded: the first event of every log founds it.
    pub fn books(&self) -> &Books {
        self.books
            .as_ref()
            .expect("the first event founds the company")
    }

    /// # Panics
    /// As [`CommonTables::books`].
    pub fn books_mut(&mut self) -> &mut Books {
        self.books
            .as_mut()
            .expect("the first event founds the company")
    }

    /// Applies an event that was read from the log: to the rows and to the books.
    ///
    /// # Errors
    /// If no company was founded before it, it cannot be founded, or an entry is dated into a
    /// closed date.
    pub fn project(&mut self, recorded: &Recorded<'_>) -> Result<(), ConsumeError> {
        if self.books.is_none() && !matches!(*recorded.event, Event::CompanyFounded(_)) {
            return Err(not_founded(recorded).into());
        }
        match recorded.event.as_ref() {
            Event::CompanyFounded(founded) => {
                self.books = Some(Books::new(Company::from_founding(founded, recorded.time)?));
            }
            Event::BalanceChanged(entry) if !self.books().is_open(entry.business_date) => {
                return Err(dated_into_a_closed_date(recorded, entry.business_date).into());
            }
            Event::BalanceChanged(entry) => self.books_mut().post(entry),
            Event::DayClosed(closed) => {
                self.take_days();
                self.books_mut().close(closed);
            }
            _ => {}
        }
        self.record(recorded);
        Ok(())
    }

    /// Keeps the rows of an event that the books have already posted.
    pub fn record(&mut self, recorded: &Recorded<'_>) {
        match recorded.event.as_ref() {
            Event::CompanyFounded(founded) => {
                self.company_rows.push(company_row(founded, recorded.time))
            }
            Event::UserRegistered(e) => {
                self.users.insert(e.user_id, User::registered(e));
                self.keep_user(e.user_id, recorded);
            }
            Event::UserChanged(e) => self.change_user(e.user_id, recorded),
            Event::UserRoleChanged(e) => self.change_user(e.user_id, recorded),
            Event::UserDeactivated(e) => self.change_user(e.user_id, recorded),
            Event::UserReactivated(e) => self.change_user(e.user_id, recorded),
            Event::BalanceChanged(e) => self.tally.add(e),
            Event::PayoutMade(e) => self.payout_rows.push(payout_row(e, recorded)),
            Event::DayClosed(e) => self.close_rows.push(close_row(e, recorded)),
            _ => {}
        }
    }

    fn change_user(&mut self, id: UserId, recorded: &Recorded<'_>) {
        if let Some(user) = self.users.get_mut(&id) {
            user.evolve(&recorded.event);
            self.keep_user(id, recorded);
        }
    }

    /// Keeps the user's state after the event.
    fn keep_user(&mut self, id: UserId, recorded: &Recorded<'_>) {
        let date = self.books().company.zone.date_of(recorded.time);
        if let Some(user) = self.users.get(&id) {
            self.user_change_rows
                .push(user_change_row(user, date, recorded));
            self.users_changed = true;
        }
    }

    /// Takes over the changed days; called before the books close one.
    pub fn take_days(&mut self) {
        if let Some(books) = &mut self.books {
            self.days.extend(
                books
                    .take_changed()
                    .into_iter()
                    .map(|(date, user, day)| ((date, user), day)),
            );
        }
    }

    /// Stores the changes, inside the caller's transaction.
    pub fn flush(&mut self, database: &Database) -> Result<(), StoreError> {
        self.take_days();
        self.company_rows.flush(database)?;
        self.user_change_rows.flush(database)?;
        self.payout_rows.flush(database)?;
        self.close_rows.flush(database)?;
        if std::mem::take(&mut self.users_changed) {
            database.run("write", "DELETE FROM users")?;
            let mut rows = UserRows::default();
            self.users
                .values()
                .for_each(|user| rows.push(user_row(user)));
            rows.flush(database)?;
        }
        self.flush_days(database)
    }

    fn flush_days(&mut self, database: &Database) -> Result<(), StoreError> {
        if self.days.is_empty() {
            return Ok(());
        }
        let mut rows = UserDayRows::default();
        for ((date, user), day) in std::mem::take(&mut self.days) {
            rows.push(day_row(date, user, &day));
        }
        database.run(
            "write",
            "CREATE OR REPLACE TEMP TABLE changed_days AS FROM user_days LIMIT 0",
        )?;
        rows.flush_into(database, "changed_days")?;
        database.run(
            "write",
            "DELETE FROM user_days USING changed_days c
                 WHERE user_days.business_date = c.business_date AND user_days.user_id = c.user_id;
             INSERT INTO user_days FROM changed_days;",
        )
    }
}

fn not_founded(recorded: &Recorded<'_>) -> LogError {
    LogError::Undecodable {
        sequence: recorded.sequence,
        type_name: recorded.event.kind().type_name().to_owned(),
        reason: "no company was founded before it".to_owned(),
    }
}

fn dated_into_a_closed_date(recorded: &Recorded<'_>, date: BusinessDate) -> LogError {
    LogError::Undecodable {
        sequence: recorded.sequence,
        type_name: recorded.event.kind().type_name().to_owned(),
        reason: format!("it is dated {date}, which is closed"),
    }
}

/// The last date that was closed.
///
/// # Errors
/// If the tables cannot be read.
pub fn last_closed_date(connection: &Connection) -> Result<Option<BusinessDate>, duckdb::Error> {
    let days: Option<i32> = connection.query_row(
        "SELECT date_diff('day', DATE '1970-01-01', max(business_date))::INTEGER FROM closes",
        [],
        |row| row.get(0),
    )?;
    Ok(days.map(BusinessDate::from_epoch_days))
}

/// The days of one user, summed up.
pub(super) struct UserDays {
    user: UserId,
    balance: UserBalance,
    /// The entries of all days.
    tally: Tally,
}

/// Sums up the days of each user, and compares the sum of all with the checkpoint.
///
/// # Errors
/// [`StoreError::Damaged`] if they differ.
pub(super) fn load_days(database: &Database) -> Result<Vec<UserDays>, StoreError> {
    let sql = "SELECT user_id::VARCHAR, sum(rewards - fees + corrections - payout)::BIGINT,
             coalesce(sum(rewards - fees + corrections - payout)
                 FILTER (business_date <= (SELECT max(business_date) FROM closes)), 0)::BIGINT,
             sum(entries)::UBIGINT, (sum(digest) % 18446744073709551616)::UBIGINT
         FROM user_days GROUP BY user_id";
    let read = || -> Result<Vec<UserDays>, duckdb::Error> {
        let mut statement = database.connection().prepare(sql)?;
        let of_user = |row: &duckdb::Row<'_>| {
            let balance = UserBalance {
                balance: money(row, 1)?,
                carried: money(row, 2)?,
            };
            Ok(UserDays {
                user: user_id(row, 0)?,
                balance,
                tally: Tally {
                    entries: row.get(3)?,
                    amount_minor: balance.balance.minor(),
                    digest: row.get(4)?,
                },
            })
        };
        statement.query_map([], of_user)?.collect()
    };
    let days = read().map_err(|error| database.failed_sum(error))?;
    let mut held = Tally::default();
    days.iter().for_each(|of_user| held.join(&of_user.tally));
    database.check_tally("user_days", held)?;
    Ok(days)
}

fn load_books(
    connection: &Connection,
    company: Company,
    days: Vec<UserDays>,
) -> Result<Books, duckdb::Error> {
    let closed_through = last_closed_date(connection)?;
    let balances = days
        .into_iter()
        .map(|of_user| (of_user.user, of_user.balance));
    let mut days = connection.prepare(
        "SELECT date_diff('day', DATE '1970-01-01', business_date)::INTEGER, user_id::VARCHAR,
             fees, rewards, corrections, payout, entries, late_entries, digest
         FROM user_days WHERE business_date > coalesce((SELECT max(business_date) FROM closes), DATE '0001-01-01')",
    )?;
    let days = days
        .query_map([], |row| {
            let day = UserDay {
                fees: money(row, 2)?,
                rewards: money(row, 3)?,
                corrections: money(row, 4)?,
                payout: money(row, 5)?,
                entries: row.get(6)?,
                late_entries: row.get(7)?,
                digest: row.get(8)?,
            };
            Ok((
                BusinessDate::from_epoch_days(row.get(0)?),
                user_id(row, 1)?,
                day,
            ))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Books::resume(company, closed_through, balances, days))
}

fn load_users(connection: &Connection) -> Result<BTreeMap<UserId, User>, duckdb::Error> {
    let mut statement = connection
        .prepare("SELECT user_id::VARCHAR, login, full_name, email, role, active FROM users")?;
    let users = statement.query_map([], |row| {
        let role: String = row.get(4)?;
        let id = user_id(row, 0)?;
        let role = role.parse().map_err(|_| duckdb::Error::InvalidQuery)?;
        let user = User {
            id,
            login: row.get(1)?,
            full_name: row.get(2)?,
            email: row.get(3)?,
            role,
            active: row.get(5)?,
        };
        Ok((id, user))
    })?;
    users.collect()
}

pub(super) fn user_id(row: &duckdb::Row<'_>, column: usize) -> Result<UserId, duckdb::Error> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| duckdb::Error::InvalidQuery)
}

pub(super) fn money(row: &duckdb::Row<'_>, column: usize) -> Result<Money, duckdb::Error> {
    row.get(column).map(Money::from_minor)
}

fn company(row: &duckdb::Row<'_>) -> Result<(CompanyFounded, EventTime), duckdb::Error> {
    let id: String = row.get(0)?;
    let company_id: CompanyId = id.parse().map_err(|_| duckdb::Error::InvalidQuery)?;
    let pricing = PriceRange {
        fee_min: money(row, 4)?,
        fee_max: money(row, 5)?,
        reward_min: money(row, 6)?,
        reward_max: money(row, 7)?,
    };
    let founded = CompanyFounded {
        company_id,
        name: row.get(1)?,
        time_zone: row.get(2)?,
        currency: row.get(3)?,
        pricing,
        test_clock: row.get(8)?,
    };
    let at = EventTime::from_micros(row.get(9)?).ok_or(duckdb::Error::InvalidQuery)?;
    Ok((founded, at))
}

fn company_row(founded: &CompanyFounded, at: EventTime) -> CompanyRow<'_> {
    CompanyRow {
        company_id: founded.company_id.uuid(),
        name: &founded.name,
        time_zone: &founded.time_zone,
        currency: &founded.currency,
        fee_min: founded.pricing.fee_min,
        fee_max: founded.pricing.fee_max,
        reward_min: founded.pricing.reward_min,
        reward_max: founded.pricing.reward_max,
        test_clock: founded.test_clock,
        founded_at: at,
    }
}

fn user_row(user: &User) -> UserRow<'_> {
    UserRow {
        user_id: user.id.uuid(),
        login: &user.login,
        full_name: &user.full_name,
        email: &user.email,
        role: user.role.name(),
        active: user.active,
    }
}

fn user_change_row<'a>(
    user: &'a User,
    date: BusinessDate,
    recorded: &Recorded<'_>,
) -> UserChangeRow<'a> {
    UserChangeRow {
        sequence: recorded.sequence.0,
        user_id: user.id.uuid(),
        business_date: date,
        full_name: &user.full_name,
        role: user.role.name(),
        active: user.active,
    }
}

fn day_row(date: BusinessDate, user: UserId, day: &UserDay) -> UserDayRow<'static> {
    UserDayRow {
        business_date: date,
        user_id: user.uuid(),
        fees: day.fees,
        rewards: day.rewards,
        corrections: day.corrections,
        payout: day.payout,
        entries: day.entries,
        late_entries: day.late_entries,
        digest: day.digest,
    }
}

fn payout_row(e: &PayoutMade, recorded: &Recorded<'_>) -> PayoutRow<'static> {
    PayoutRow {
        sequence: recorded.sequence.0,
        payout_id: e.payout_id.uuid(),
        entry_id: e.entry_id.uuid(),
        user_id: e.user_id.uuid(),
        amount: e.amount,
        business_date: e.business_date,
        opening: e.opening,
        earned: e.earned,
        paid_at: recorded.time,
    }
}

fn close_row(e: &DayClosed, recorded: &Recorded<'_>) -> CloseRow<'static> {
    CloseRow {
        sequence: recorded.sequence.0,
        business_date: e.business_date,
        closed_at: recorded.time,
        closed_by: match recorded.actor {
            Actor::User(user) => user.uuid(),
            Actor::System(_) => uuid::Uuid::nil(),
        },
        through_sequence: e.through_sequence.0,
        entries: e.entries,
        late_entries: e.late_entries,
        fees: e.fees,
        rewards: e.rewards,
        corrections: e.corrections,
        management_earned: e.management_earned,
        payouts_count: e.payouts_count,
        payouts_total: e.payouts_total,
        accounts_negative: e.accounts_negative,
        debt_carried: e.debt_carried,
        skipped_events: e.skipped_events,
    }
}

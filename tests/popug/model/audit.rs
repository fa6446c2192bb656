//! Reads every report of the product and compares it with the model.

use popug_cli::consumers::run::consume_analytics;
use popug_cli::domain::event::Consumer;
use popug_cli::domain::period::Unit;
use popug_cli::domain::time::BusinessDate;
use popug_cli::reports::name::ReportName;
use popug_cli::reports::query::{Dates, Query};
use popug_cli::reports::render::{Format, Options, render};
use popug_cli::store::{Database, Tables};
use serde_json::{Value, json};

use super::letters::{ACCOUNTING, ANALYTICS};
use super::play::{Checked, Play, same};
use super::reports::{Span, money, same_report, status_of};
use super::steps::Stop;

const LENGTHS: [(Option<&str>, Option<Unit>); 4] = [
    (None, None),
    (Some("day"), Some(Unit::Day)),
    (Some("week"), Some(Unit::Week)),
    (Some("month"), Some(Unit::Month)),
];

impl Play {
    /// Consumes everything and compares every report, the list of tasks and the users.
    pub fn reports(&mut self) -> Checked {
        self.consume_all()?;
        if !self.books.postable().is_empty() && self.books.stamp(self.store.now()).is_err() {
            // The clock is too far behind to post anything.
            return Ok(());
        }
        self.compare_index()?;
        let range = self.books.asked_range(self.store.now());
        self.compare_accounting(range)?;
        self.compare_analytics(range)
    }

    fn consume_all(&mut self) -> Checked {
        self.consume(Stop::AtHead, None)?;
        let app = self.store.app();
        consume_analytics(&app.around())
            .map(drop)
            .map_err(|error| format!("analytics: {error:?}"))
    }

    fn compare_accounting(&self, range: Span) -> Checked {
        let accounting = Shown::open(self, Tables::Accounting);
        let span = Dates::Range {
            from: Some(BusinessDate::new(range.0)),
            to: Some(BusinessDate::new(range.1)),
        };
        let all = Dates::Default;
        let books = &self.books.seen_by(ACCOUNTING);
        accounting.compare(
            ReportName::Balances,
            all,
            None,
            &books.expected_balances(None),
        )?;
        accounting.compare(
            ReportName::Balances,
            span,
            None,
            &books.expected_balances(Some(range)),
        )?;
        accounting.compare(ReportName::Payouts, all, None, &books.expected_payouts())?;
        accounting.compare(ReportName::Entries, all, None, &books.expected_entries())?;
        accounting.compare(
            ReportName::TrialBalance,
            all,
            None,
            &books.expected_trial_balance(),
        )?;
        accounting.compare(ReportName::Closes, all, None, &books.expected_closes())?;
        accounting.compare(ReportName::Tasks, all, None, &books.expected_tasks())?;
        let people = books.expected_people(range);
        accounting.compare(ReportName::People, span, None, &people)?;
        accounting.compare(ReportName::Pay, span, None, &books.expected_pay(range))?;
        let today = books.calendar.date_of(self.store.now());
        for (length, granularity) in LENGTHS {
            let flow = books.expected_flow(range, length, today);
            accounting.compare(ReportName::Flow, span, granularity, &flow)?;
        }
        for user in &books.users {
            let shown = accounting.read(ReportName::Statement, all, None, Some(&user.id))?;
            same_report("statement", &shown, &books.expected_statement(user))?;
            let closing = json!(money(books.balance(&user.id)));
            same("closing balance", &shown["closing_balance"], &closing)?;
            let slip = accounting.read(ReportName::Payslip, span, None, Some(&user.id))?;
            same_report("payslip", &slip, &books.expected_payslip(user, range))?;
            let carried = json!(money(books.balance_at_end_of(&user.id, range.1)));
            same("carried balance", &slip["carried"], &carried)?;
        }
        Ok(())
    }

    fn compare_analytics(&self, range: Span) -> Checked {
        let analytics = Shown::open(self, Tables::Analytics);
        let span = Dates::Range {
            from: Some(BusinessDate::new(range.0)),
            to: Some(BusinessDate::new(range.1)),
        };
        let books = &self.books.seen_by(ANALYTICS);
        analytics.compare(
            ReportName::Negative,
            Dates::Default,
            None,
            &books.expected_negative(None),
        )?;
        if let Some(date) = books.closed_through() {
            let on = Dates::On(BusinessDate::new(date));
            analytics.compare(
                ReportName::Negative,
                on,
                None,
                &books.expected_negative(Some(date)),
            )?;
        }
        for (length, granularity) in LENGTHS {
            let earned = books.expected_earnings(range, length);
            analytics.compare(ReportName::Earnings, span, granularity, &earned)?;
            analytics.compare(
                ReportName::TopTask,
                span,
                granularity,
                &books.expected_top_task(range, length),
            )?;
        }
        Ok(())
    }

    /// The state from which commands are decided.
    fn compare_index(&self) -> Checked {
        let index = self
            .store
            .app()
            .index()
            .map_err(|error| format!("{error:?}"))?;
        let users = index.users().map_err(|error| format!("{error:?}"))?;
        let shown = users
            .iter()
            .map(|u| json!([u.id, u.login, u.full_name, u.email, u.role.name(), u.active]));
        let wanted = self
            .books
            .users
            .iter()
            .map(|u| json!([u.id, u.login, u.name, u.email, u.role, u.active]));
        same("users", &shown.collect::<Vec<_>>(), &wanted.collect())?;
        let tasks = index
            .task_rows(&popug_cli::state::WantedTasks::default())
            .map_err(|error| format!("{error:?}"))?;
        let shown = tasks.iter().map(|row| {
            let (task, done) = (&row.task, row.completed_at);
            json!([
                task.id,
                task.number,
                row.title,
                row.jira_id,
                row.description,
                task.assignee,
                task.assignment_no,
                task.status.name(),
                done
            ])
        });
        let wanted = self.books.tasks.iter().map(|task| {
            let texts = self.books.texts(task);
            let done = task
                .completion
                .as_ref()
                .map(|done| super::calendar::written(done.at));
            json!([
                task.id,
                task.number,
                texts.title,
                texts.jira_id,
                texts.description,
                task.assignee,
                task.assignments,
                status_of(task),
                done
            ])
        });
        same("tasks", &shown.collect::<Vec<_>>(), &wanted.collect())
    }
}

/// One consumer's tables, open to be read.
struct Shown<'p> {
    play: &'p Play,
    database: Database,
    tables: Tables,
}

impl<'p> Shown<'p> {
    fn open(play: &'p Play, tables: Tables) -> Shown<'p> {
        let app = play.store.app();
        let path = app.directory.database(tables);
        let database =
            Database::open_to_read(&path, tables, app.lock_wait).expect("tables to read");
        Shown {
            play,
            database,
            tables,
        }
    }

    fn compare(
        &self,
        name: ReportName,
        dates: Dates,
        granularity: Option<Unit>,
        expected: &Value,
    ) -> Checked {
        same_report(
            name.name(),
            &self.read(name, dates, granularity, None)?,
            expected,
        )
    }

    fn read(
        &self,
        name: ReportName,
        dates: Dates,
        granularity: Option<Unit>,
        user: Option<&str>,
    ) -> Result<Value, String> {
        let is_accounting = name.reads() == Consumer::Accounting;
        assert_eq!(
            is_accounting,
            matches!(self.tables, Tables::Accounting),
            "the tables that the report reads"
        );
        let query = Query {
            dates,
            granularity,
            user: user.map(|id| id.parse().expect("an id")),
            today: BusinessDate::new(self.play.books.calendar.date_of(self.play.store.now())),
            as_of_sequence: self.database.checkpoint().expect("a checkpoint").sequence,
            head_sequence: self.play.store.app().log.head().expect("a head").sequence,
        };
        let report = name
            .load(self.database.connection(), &query)
            .map_err(|error| format!("{name:?}: {error:?}"))?;
        let mut shown = Vec::new();
        render(&report, Format::Json, Options::default(), &mut shown)
            .expect("memory takes every write");
        let shown: Value = serde_json::from_slice(&shown).expect("JSON");
        same(
            "as of",
            &shown["as_of_sequence"],
            &json!(self.play.books.head),
        )?;
        Ok(shown)
    }
}

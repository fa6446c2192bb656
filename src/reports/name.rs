//! The reports by name: the tables that each reads, its options, and its loader.

use std::str::FromStr;

use duckdb::Connection;

use crate::domain::event::Consumer;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::Query;
use crate::reports::{
    balances, closes, earnings, flow, negative, pay, payouts, payslip, people, statement, tasks,
    top_task, trial_balance,
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReportName {
    Balances,
    Earnings,
    Negative,
    TopTask,
    Payouts,
    Statement,
    Entries,
    TrialBalance,
    Closes,
    Tasks,
    Pay,
    Payslip,
    People,
    Flow,
}

impl ReportName {
    pub const ALL: [ReportName; 14] = [
        ReportName::Balances,
        ReportName::Earnings,
        ReportName::Negative,
        ReportName::TopTask,
        ReportName::Payouts,
        ReportName::Statement,
        ReportName::Entries,
        ReportName::TrialBalance,
        ReportName::Closes,
        ReportName::Tasks,
        ReportName::Pay,
        ReportName::Payslip,
        ReportName::People,
        ReportName::Flow,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            ReportName::Balances => "balances",
            ReportName::Earnings => "earnings",
            ReportName::Negative => "negative",
            ReportName::TopTask => "top-task",
            ReportName::Payouts => "payouts",
            ReportName::Statement => "statement",
            ReportName::Entries => "entries",
            ReportName::TrialBalance => "trial-balance",
            ReportName::Closes => "closes",
            ReportName::Tasks => "tasks",
            ReportName::Pay => "pay",
            ReportName::Payslip => "payslip",
            ReportName::People => "people",
            ReportName::Flow => "flow",
        }
    }

    /// The consumer whose file it reads.
    pub const fn reads(self) -> Consumer {
        match self {
            ReportName::Earnings | ReportName::Negative | ReportName::TopTask => {
                Consumer::Analytics
            }
            ReportName::Balances
            | ReportName::Payouts
            | ReportName::Statement
            | ReportName::Entries
            | ReportName::TrialBalance
            | ReportName::Closes
            | ReportName::Tasks
            | ReportName::Pay
            | ReportName::Payslip
            | ReportName::People
            | ReportName::Flow => Consumer::Accounting,
        }
    }

    /// Whether it can be narrowed to one user; the other reports ignore [`Query::user`].
    pub const fn takes_user(self) -> bool {
        match self {
            ReportName::Earnings
            | ReportName::TopTask
            | ReportName::TrialBalance
            | ReportName::Closes
            | ReportName::Flow => false,
            ReportName::Balances
            | ReportName::Negative
            | ReportName::Payouts
            | ReportName::Statement
            | ReportName::Entries
            | ReportName::Tasks
            | ReportName::Pay
            | ReportName::Payslip
            | ReportName::People => true,
        }
    }

    /// Whether it is about one user.
    pub const fn needs_user(self) -> bool {
        matches!(self, ReportName::Statement | ReportName::Payslip)
    }

    /// Whether it has rows by whole periods.
    pub const fn takes_granularity(self) -> bool {
        matches!(
            self,
            ReportName::Earnings | ReportName::TopTask | ReportName::Flow
        )
    }

    /// Whether it can be compared with another period.
    pub const fn takes_versus(self) -> bool {
        matches!(
            self,
            ReportName::Earnings | ReportName::Balances | ReportName::Pay | ReportName::Tasks
        )
    }

    /// Loads the report from the file of [`ReportName::reads`].
    pub fn load(self, connection: &Connection, query: &Query) -> Result<Report, ReportError> {
        match self {
            ReportName::Balances => balances::load(connection, query),
            ReportName::Earnings => earnings::load(connection, query),
            ReportName::Negative => negative::load(connection, query),
            ReportName::TopTask => top_task::load(connection, query),
            ReportName::Payouts => payouts::load(connection, query),
            ReportName::Statement => statement::load_statement(connection, query),
            ReportName::Entries => statement::load_entries(connection, query),
            ReportName::TrialBalance => trial_balance::load(connection, query),
            ReportName::Closes => closes::load(connection, query),
            ReportName::Tasks => tasks::load(connection, query),
            ReportName::Pay => pay::load(connection, query),
            ReportName::Payslip => payslip::load(connection, query),
            ReportName::People => people::load(connection, query),
            ReportName::Flow => flow::load(connection, query),
        }
    }
}

impl FromStr for ReportName {
    type Err = ReportError;

    fn from_str(text: &str) -> Result<Self, ReportError> {
        let found = ReportName::ALL
            .into_iter()
            .find(|report| report.name() == text);
        found.ok_or_else(|| ReportError::UnknownReport(text.to_owned()))
    }
}

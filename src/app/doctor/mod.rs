//! `doctor` checks the conditions under which the store works: permissions, clock, disk, locks, tables.
//! `verify` checks its contents.
//!
//! Invariant: nothing is changed. Tables are opened to read only, locks are tried and released at once;
//! one small file is written beside the log and removed, to see whether the disk takes it.
//! Invariant: all checks are made, even if files are damaged or missing, and their texts contain no secret.

mod credentials;
mod end;
mod files;
mod index_ahead;
mod locks;
mod remote;
mod tables;

use crate::app::App;
use crate::app::doctor::end::End;
use crate::credentials::Sessions;
use crate::domain::company::Company;
use crate::domain::id::{CompanyId, Sequence};
use crate::files::held::named;

/// The result of a check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Health {
    Ok,
    /// Everything works, but an operator should look.
    Warning,
    /// A fault now, or soon.
    Problem,
}

impl Health {
    pub const fn name(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::Warning => "warning",
            Health::Problem => "problem",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    pub name: &'static str,
    pub health: Health,
    pub detail: String,
    /// The remedy, if there is a fault.
    pub hint: Option<String>,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Check {
        Check {
            name,
            health: Health::Ok,
            detail: named(&detail.into()).into_owned(),
            hint: None,
        }
    }

    fn warning(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Check {
        Check {
            health: Health::Warning,
            hint: Some(named(&hint.into()).into_owned()),
            ..Check::ok(name, detail)
        }
    }

    fn problem(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Check {
        Check {
            health: Health::Problem,
            ..Check::warning(name, detail, hint)
        }
    }
}

/// The results of all checks, with the head and the company that they found.
pub struct Examination {
    pub checks: Vec<Check>,
    /// Zero if it is unknown.
    pub head: Sequence,
    pub company: Option<Company>,
}

impl App<'_> {
    /// Makes all checks. `sessions` gives the place of the caller's session with a company.
    pub fn examine(&self, sessions: &dyn Fn(CompanyId) -> Sessions) -> Examination {
        let end = End::read(self);
        let company_id = end.company.as_ref().map(|company| company.id);
        let mut checks = vec![
            files::modes(&self.directory),
            files::owners(&self.directory),
        ];
        checks.extend(credentials::checks(self, company_id, sessions));
        checks.extend(end.checks(self));
        checks.extend(remote::check(self));
        checks.extend([files::room(&self.directory), files::disk(&self.directory)]);
        checks.extend(locks::checks(self));
        checks.extend(tables::checks(self, end.head(), end.company.as_ref()));
        checks.extend([files::leftovers(&self.directory), tables::versions()]);
        Examination {
            checks,
            head: end.head().unwrap_or_default(),
            company: end.company,
        }
    }
}

/// A count with its noun.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

//! I10 of the company and its users: one founding, which begins the log; everybody is registered once, under
//! a login that is his alone, before anything else is told of him.

use crate::app::verify::history::History;
use crate::domain::company::Company;
use crate::domain::event::{CompanyFounded, UserRegistered};
use crate::domain::id::{Sequence, UserId};
use crate::domain::role::Role;
use crate::domain::text::Displayed;
use crate::state::Recorded;

pub(super) struct Person {
    pub role: Role,
    pub is_active: bool,
}

impl Person {
    /// Rule T2.
    pub(super) fn is_eligible(&self) -> bool {
        self.is_active && !matches!(self.role, Role::Manager | Role::Admin | Role::Service)
    }
}

impl History {
    /// The company stays the one that was founded first.
    pub(super) fn company_founded(&mut self, recorded: &Recorded<'_>, e: &CompanyFounded) {
        let at = recorded.sequence;
        if self.company.is_some() {
            return self.violates("I10", at, "a company was founded in this log before");
        }
        if at != Sequence::FIRST {
            self.violates("I10", at, "the log does not begin with the founding");
        }
        match Company::from_founding(e, recorded.time) {
            Ok(company) => self.company = Some(company),
            Err(error) => self.violates("I13", at, error.to_string()),
        }
    }

    pub(super) fn user_registered(&mut self, at: Sequence, e: &UserRegistered) {
        if !self.logins.insert(e.login.clone()) {
            self.violates(
                "I10",
                at,
                format!(
                    "somebody was registered as `{}` before",
                    Displayed(&e.login)
                ),
            );
        }
        if self
            .people
            .insert(
                e.user_id,
                Person {
                    role: e.role,
                    is_active: true,
                },
            )
            .is_some()
        {
            self.violates(
                "I10",
                at,
                format!("user {} was registered before", e.user_id),
            );
        }
    }

    pub(super) fn change(&mut self, at: Sequence, user: UserId, change: impl FnOnce(&mut Person)) {
        match self.people.get_mut(&user) {
            Some(person) => change(person),
            None => self.violates("I10", at, format!("user {user} was never registered")),
        }
    }
}

//! What the command of a line needs to know about the shell that it was given to.

use crate::domain::id::{CompanyId, UserId};

/// The shell around a line.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its lines come from stdin, so that no command may read there.
    pub reads_script: bool,
    /// Who gave his password when the shell began, so that not every line asks for it.
    pub proven: Option<Proven>,
}

/// Somebody whose password was right.
#[derive(Clone, Debug)]
pub struct Proven {
    pub company: CompanyId,
    pub login: String,
    pub user: UserId,
}

impl Host {
    /// The user who proved in this shell that he is `login`.
    pub fn proven(&self, company: CompanyId, login: &str) -> Option<UserId> {
        self.proven.as_ref().filter(|proven| proven.company == company && proven.login == login).map(|found| found.user)
    }
}

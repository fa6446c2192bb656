//! The shell, as the commands of its lines see it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cli::failure::{Exit, Failure};
use crate::credentials::TokenText;
use crate::domain::id::{CompanyId, UserId};
use crate::files::Identity;
use crate::store::StoreDirectory;

/// The shell around a line.
#[derive(Debug)]
pub(crate) struct Host {
    /// Its lines come from stdin, so no command may read there.
    pub reads_script: bool,
    /// The user who gave their password when the shell began, so that not every line asks for it.
    pub proven: Option<Proven>,
    /// The limits of its lines, if it is a restricted shell.
    pub restriction: Option<Restriction>,
    /// The directory of each name when this shell first opened a store by it.
    stores: RefCell<BTreeMap<PathBuf, Identity>>,
}

/// The store and the identity of every line of a restricted shell.
#[derive(Debug)]
pub(crate) struct Restriction {
    pub store: PathBuf,
    /// The token by which every line acts; without one a line acts by the caller's session.
    pub token: Option<TokenText>,
}

/// A user whose password was verified.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    pub company: CompanyId,
    pub login: String,
    pub user: UserId,
}

impl Host {
    /// A shell that is begun in the store at `store`, if there is one.
    pub(crate) fn new(reads_script: bool, store: &StoreDirectory) -> Host {
        let begun_in =
            Identity::of(store.place()).map(|identity| (store.root().to_owned(), identity));
        Host {
            reads_script,
            proven: None,
            restriction: None,
            stores: RefCell::new(begun_in.into_iter().collect()),
        }
    }

    /// This shell, with a user who gave their password.
    pub(crate) fn with(self, proven: Option<Proven>) -> Host {
        Host { proven, ..self }
    }

    /// This shell, within limits if there are any.
    pub(crate) fn within(self, restriction: Option<Restriction>) -> Host {
        Host {
            restriction,
            ..self
        }
    }

    /// The user who proved in this shell to be `login`.
    pub(crate) fn proven(&self, company: CompanyId, login: &str) -> Option<UserId> {
        self.proven
            .as_ref()
            .filter(|proven| proven.company == company && proven.login == login)
            .map(|found| found.user)
    }

    /// Checks that the name still means the same store. Between two lines a shell holds nothing, so
    /// another store may take the place of the first one; a line that was typed for one must not be
    /// carried out in the other.
    ///
    /// # Errors
    /// If `store` is not the one that an earlier line opened by this name.
    pub(crate) fn check_same(&self, store: &StoreDirectory) -> Result<(), Failure> {
        let Some(found) = Identity::of(store.place()) else {
            return Ok(());
        };
        let first = *self
            .stores
            .borrow_mut()
            .entry(store.root().to_owned())
            .or_insert(found);
        if first == found {
            return Ok(());
        }
        let message = format!(
            "{} is another store than the one that this shell was begun in",
            store.root().display()
        );
        Err(Failure::new(Exit::Conflict, "store_replaced", message)
            .hint("nothing was done; leave the shell, and begin another one if this is the store you want"))
    }
}

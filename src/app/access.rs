//! Access by ssh, for a caller: an admin grants it, its user or an admin revokes it.

use crate::app::command::{known_user, only_one};
use crate::app::identity::Caller;
use crate::app::{App, AppError};
use crate::credentials::access::Access;
use crate::domain::id::IdPrefix;
use crate::domain::role::Right;
use crate::domain::user::User;
use crate::state::StateIndex;

impl App<'_> {
    /// The user who is to get access.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`], [`Rejection::UnknownUser`]
    ///
    /// [`Rejection::RoleMayNot`]: crate::domain::rejection::Rejection::RoleMayNot
    /// [`Rejection::UnknownUser`]: crate::domain::rejection::Rejection::UnknownUser
    pub fn user_for_access(
        &self,
        caller: &Caller,
        index: &StateIndex,
        login: &str,
    ) -> Result<User, AppError> {
        caller.require(Right::Administer)?;
        known_user(index, login)
    }

    /// The accesses that the caller may revoke, oldest first.
    pub fn accesses(&self, caller: &Caller, index: &StateIndex) -> Result<Vec<Access>, AppError> {
        let mut found = self.auth(index)?.accesses().list()?;
        found.retain(|access| caller.require_access_of(access.token.user_id).is_ok());
        Ok(found)
    }

    /// The access with this id or beginning of an id, among those that the caller may revoke.
    ///
    /// # Errors
    /// [`AppError::Ambiguous`]
    pub fn access(
        &self,
        caller: &Caller,
        index: &StateIndex,
        id: &str,
    ) -> Result<Option<Access>, AppError> {
        let Some(prefix) = IdPrefix::beside_names(id) else {
            return Ok(None);
        };
        let (first, last) = prefix.range();
        let mut found = self.accesses(caller, index)?;
        found.retain(|access| access.record.token_id.is_between(first, last));
        only_one(id, "accesses", found, |access| {
            access.record.token_id.to_string()
        })
    }
}

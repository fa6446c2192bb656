//! Identifies the caller by password, token or session, and checks in the log that they are active.

use crate::app::command::{known_user, only_one};
use crate::app::{App, AppError};
use crate::credentials::passwords::check_length;
use crate::credentials::{AuthDir, Password, Sessions, TokenId, TokenRecord, TokenText};
use crate::domain::id::{IdPrefix, UserId};
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::user::User;
use crate::state::StateIndex;

/// The caller's proof of identity.
pub enum Proof {
    /// `--as LOGIN` with a password.
    Password { login: String, password: Password },
    /// `POPUG_TOKEN`.
    Token(TokenText),
    /// A password that was verified earlier in this process.
    Earlier(UserId),
    /// The session of `login`.
    Session(Sessions),
}

/// An identified caller who is active according to the log.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: User,
}

impl Caller {
    /// # Errors
    /// [`Rejection::RoleMayNot`]
    pub(super) fn require(&self, right: Right) -> Result<(), AppError> {
        Ok(self.user.require(right)?)
    }

    pub(super) fn may(&self, right: Right) -> bool {
        self.user.require(right).is_ok()
    }

    /// Users manage their own password and tokens; an admin manages those of all.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`]
    pub(super) fn require_access_of(&self, user: UserId) -> Result<(), AppError> {
        if user == self.user.id {
            return Ok(());
        }
        self.require(Right::Administer)
    }
}

impl App<'_> {
    /// # Errors
    /// If there are no credentials in the store.
    pub fn auth(&self, index: &StateIndex) -> Result<AuthDir, AppError> {
        let company = self.company(index)?;
        Ok(AuthDir::open(self.directory.place(), company.id)?.with_lock_wait(self.lock_wait))
    }

    /// The user whose password or tokens the caller is going to handle, by login or id; the caller
    /// if nobody is named.
    ///
    /// # Errors
    /// [`Rejection::UnknownUser`], [`Rejection::RoleMayNot`]
    pub fn holder(
        &self,
        caller: &Caller,
        index: &StateIndex,
        name: Option<&str>,
    ) -> Result<User, AppError> {
        let user = match name {
            Some(name) => known_user(index, name)?,
            None => caller.user.clone(),
        };
        caller.require_access_of(user.id)?;
        Ok(user)
    }

    /// Sets the password of a user and ends their sessions and tokens but `kept`. Returns how many
    /// were ended. `present` is their present password; the caller may leave it out if they have
    /// proven it already, or set the password of somebody else.
    ///
    /// # Errors
    /// [`AppError::WrongPassword`]; a new password that is too short or too long; a file of `auth/` that
    /// cannot be read or written. No password is set then.
    pub fn set_password(
        &self,
        index: &StateIndex,
        user: UserId,
        present: Option<&Password>,
        new: &Password,
        kept: Option<TokenId>,
    ) -> Result<u64, AppError> {
        let (auth, now) = (self.auth(index)?, self.environment.system_now());
        if let Some(present) = present
            && !auth.passwords().verify(user, present, now)?
        {
            return Err(AppError::WrongPassword);
        }
        check_length(new)?;
        // In this order: if the second fails, nobody acts any more by the old password's sessions.
        let ended = auth.tokens().revoke_all(user, kept, now)?;
        auth.passwords().set_password(user, new)?;
        Ok(ended)
    }

    /// The records of the tokens that the caller may handle.
    pub fn tokens(
        &self,
        caller: &Caller,
        index: &StateIndex,
    ) -> Result<Vec<TokenRecord>, AppError> {
        let mut records = self.auth(index)?.tokens().list()?;
        records.retain(|record| caller.require_access_of(record.user_id).is_ok());
        Ok(records)
    }

    /// The record of a token, if there is one with this id or beginning of an id.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`]; [`AppError::Ambiguous`] among the tokens that the caller may handle
    pub fn token(
        &self,
        caller: &Caller,
        index: &StateIndex,
        id: &str,
    ) -> Result<Option<TokenRecord>, AppError> {
        let Some(prefix) = IdPrefix::beside_names(id) else {
            return Ok(None);
        };
        let (first, last) = prefix.range();
        let range = TokenId::from_uuid(first)..=TokenId::from_uuid(last);
        let mut found = self.auth(index)?.tokens().list()?;
        found.retain(|record| range.contains(&record.token_id));
        if let [record] = &found[..] {
            caller.require_access_of(record.user_id)?;
        }
        found.retain(|record| caller.require_access_of(record.user_id).is_ok());
        only_one(id, "tokens", found, |record| record.token_id.to_string())
    }

    /// # Errors
    /// If the proof is not valid; [`Rejection::ActorDeactivated`].
    pub fn identify(&self, index: &StateIndex, proof: &Proof) -> Result<Caller, AppError> {
        let id = match proof {
            Proof::Password { login, password } => self.check_password(index, login, password)?,
            Proof::Earlier(user) => *user,
            Proof::Token(token) => self.check_token(index, token)?,
            Proof::Session(sessions) => {
                let token = sessions.load()?.ok_or(AppError::NotLoggedIn)?;
                self.check_token(index, &token)?
            }
        };
        let user = index.user(id)?.ok_or_else(|| Rejection::UnknownUser {
            name: id.to_string(),
        })?;
        if !user.active {
            return Err(Rejection::ActorDeactivated { login: user.login }.into());
        }
        Ok(Caller { user })
    }

    fn check_token(&self, index: &StateIndex, token: &TokenText) -> Result<UserId, AppError> {
        let claims = self
            .auth(index)?
            .tokens()
            .verify(token, self.environment.system_now())?;
        Ok(claims.user_id)
    }

    /// Takes the same time for an unknown login.
    fn check_password(
        &self,
        index: &StateIndex,
        login: &str,
        password: &Password,
    ) -> Result<UserId, AppError> {
        let auth = self.auth(index)?;
        let user = index.user_named(login)?;
        let nobody = || UserId::from_uuid(auth.company().derive(&format!("login/{login}")));
        let id = user.as_ref().map_or_else(nobody, |user| user.id);
        let is_right = auth
            .passwords()
            .verify(id, password, self.environment.system_now())?;
        if is_right && user.is_some() {
            Ok(id)
        } else {
            Err(AppError::WrongPassword)
        }
    }
}

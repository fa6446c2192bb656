//! Ways to a password for users who have none or have lost it: a one-time code of an admin, and
//! the owner of the store's files.

use serde::Serialize;

use crate::app::identity::Caller;
use crate::app::write::{Manner, with_ids};
use crate::app::{App, AppError};
use crate::credentials::passwords::check_length;
use crate::credentials::{InviteCode, Password, Ttl};
use crate::domain::event::UserPasswordReset;
use crate::domain::id::UserId;
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::state::StateIndex;

/// A reset as its key recognises it.
#[derive(Serialize)]
#[serde(tag = "command", rename = "reset_password")]
struct ResetPassword<'a> {
    user: UserId,
    account: &'a str,
}

impl App<'_> {
    /// Checks that `caller` may make a one-time code for `user`. Nobody makes one for themselves: a
    /// person at an open session could take the user's place with it.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`], [`Rejection::ActorDeactivated`], or the caller's own code.
    pub fn check_invited(&self, caller: &Caller, user: &User) -> Result<(), AppError> {
        caller.require(Right::Administer)?;
        if user.id == caller.user.id {
            return Err(AppError::Usage {
                message: "a one-time code is for somebody else".to_owned(),
                hint: Some("`popug-cli user set-password` sets your own password".to_owned()),
            });
        }
        active(user.clone()).map(drop)
    }

    /// Makes a one-time code for a user; earlier ones are void. Returns it with its end.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn invite(
        &self,
        index: &StateIndex,
        user: UserId,
        ttl: Ttl,
    ) -> Result<(InviteCode, EventTime), AppError> {
        let now = self.environment.system_now();
        Ok(self.auth(index)?.invites().issue(user, ttl, now)?)
    }

    /// The active user of a valid code.
    ///
    /// # Errors
    /// If the code is refused; [`Rejection::ActorDeactivated`]
    pub fn invited(&self, index: &StateIndex, code: &InviteCode) -> Result<User, AppError> {
        let now = self.environment.system_now();
        let id = self.auth(index)?.invites().user_of(code, now)?;
        let user = index.user(id)?.ok_or_else(|| Rejection::UnknownUser {
            name: id.to_string(),
        })?;
        active(user)
    }

    /// Sets the password of the user of a code, and ends their sessions and tokens.
    ///
    /// # Errors
    /// If the code is refused, or the password too short or too long. No password is set then.
    pub fn redeem(
        &self,
        index: &StateIndex,
        code: &InviteCode,
        password: &Password,
    ) -> Result<(), AppError> {
        check_length(password)?;
        let (auth, now) = (self.auth(index)?, self.environment.system_now());
        let user = auth.invites().user_of(code, now)?;
        auth.tokens().revoke_all(user, None, now)?;
        auth.invites().redeem(code, password, now)?;
        Ok(())
    }

    /// Sets the password of a user for the owner of the store's files, the Unix account `account`.
    /// The log records it before it happens. Returns how many sessions and tokens were ended.
    ///
    /// # Errors
    /// If the event is refused or cannot be appended, or the password cannot be set.
    pub fn reset_password(
        &self,
        index: &StateIndex,
        user: &User,
        account: &str,
        new: &Password,
        manner: &Manner,
    ) -> Result<u64, AppError> {
        check_length(new)?;
        // Nothing is recorded if no password could be stored.
        self.auth(index)?.passwords().check()?;
        let request = ResetPassword {
            user: user.id,
            account,
        };
        self.carry_out(index, user.id, &request, manner, |actor, at, dice| {
            let (user_id, account) = (actor.id, account.to_owned());
            let reset = UserPasswordReset { user_id, account };
            Ok(with_ids(vec![reset.into()], at, dice))
        })?;
        self.set_password(index, user.id, None, new, None)
    }

    /// The other users whose address or name is that of `user`, each with the text that they share:
    /// likely a mistake.
    ///
    /// # Errors
    /// If the state index cannot be read.
    pub fn namesakes(
        &self,
        index: &StateIndex,
        user: UserId,
    ) -> Result<Vec<(User, String)>, AppError> {
        let Some(one) = index.user(user)? else {
            return Ok(Vec::new());
        };
        let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
        let shared = |other: User| {
            let email = same(&one.email, &other.email).then(|| one.email.clone());
            let shared = email.or_else(|| {
                same(&one.full_name, &other.full_name).then(|| one.full_name.clone())
            })?;
            Some((other, shared))
        };
        let others = index.users()?.into_iter().filter(|other| other.id != user);
        Ok(others.filter_map(shared).collect())
    }
}

fn active(user: User) -> Result<User, AppError> {
    if user.active {
        Ok(user)
    } else {
        Err(Rejection::ActorDeactivated { login: user.login }.into())
    }
}

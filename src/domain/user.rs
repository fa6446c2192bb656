//! Users: rules U1 to U3.

use serde::Serialize;

use crate::domain::dice::Dice;
use crate::domain::event::{
    Event, Subject, UserChanged, UserDeactivated, UserReactivated, UserRegistered, UserRoleChanged,
};
use crate::domain::id::UserId;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Right, Role};
use crate::domain::text;
use crate::domain::time::EventTime;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    pub id: UserId,
    pub login: String,
    pub full_name: String,
    pub email: String,
    pub role: Role,
    pub active: bool,
}

impl User {
    pub fn registered(e: &UserRegistered) -> User {
        User {
            id: e.user_id,
            login: e.login.clone(),
            full_name: e.full_name.clone(),
            email: e.email.clone(),
            role: e.role,
            active: true,
        }
    }

    /// Applies an event of this user; events of other users change nothing.
    pub fn evolve(&mut self, event: &Event) {
        if event.subject() != Subject::User(self.id) {
            return;
        }
        match event {
            Event::UserChanged(e) => {
                self.full_name = e
                    .full_name
                    .clone()
                    .unwrap_or_else(|| self.full_name.clone());
                self.email = e.email.clone().unwrap_or_else(|| self.email.clone());
            }
            Event::UserRoleChanged(e) => self.role = e.new_role,
            Event::UserDeactivated(_) => self.active = false,
            Event::UserReactivated(_) => self.active = true,
            _ => {}
        }
    }

    /// Rule T2.
    pub fn is_eligible(&self) -> bool {
        self.active && self.role.is_drawn()
    }

    /// Checks that this user may exercise `right` now.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`] or [`Rejection::ActorDeactivated`]
    pub fn require(&self, right: Right) -> Result<(), Rejection> {
        if !self.active {
            return Err(Rejection::ActorDeactivated {
                login: self.login.clone(),
            });
        }
        if self.role.may(right) {
            Ok(())
        } else {
            Err(Rejection::RoleMayNot {
                login: self.login.clone(),
                role: self.role,
                right,
            })
        }
    }
}

/// Parses a role that a user typed.
///
/// # Errors
/// [`Rejection::UnknownRole`] with a suggestion.
pub fn parse_role(text: &str) -> Result<Role, Rejection> {
    text.parse().map_err(
        |unknown: crate::domain::role::UnknownRole| Rejection::UnknownRole {
            text: unknown.text,
            suggestion: unknown.suggestion,
        },
    )
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Register {
    pub login: String,
    pub full_name: String,
    pub email: String,
    pub role: String,
}

impl Register {
    pub fn decide(
        &self,
        actor: &User,
        login_taken: bool,
        at: EventTime,
        dice: &mut dyn Dice,
    ) -> Result<Vec<Event>, Rejection> {
        actor.require(Right::Administer)?;
        if login_taken {
            return Err(Rejection::LoginTaken {
                login: self.login.clone(),
            });
        }
        let role = parse_role(&self.role)?;
        text::check_login(&self.login)?;
        let full_name = text::check_name(&self.full_name)?;
        let email = text::check_email(&self.email)?;
        let user_id = UserId::from_uuid(dice.uuid_v7(at));
        Ok(vec![
            UserRegistered {
                user_id,
                login: self.login.clone(),
                full_name,
                email,
                role,
            }
            .into(),
        ])
    }
}

/// Changes a name or an address. Unchanged values are not recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Change {
    pub full_name: Option<String>,
    pub email: Option<String>,
}

impl Change {
    pub fn decide(&self, actor: &User, user: &User) -> Result<Vec<Event>, Rejection> {
        actor.require(Right::Administer)?;
        let full_name = self
            .full_name
            .as_deref()
            .map(text::check_name)
            .transpose()?;
        let email = self.email.as_deref().map(text::check_email).transpose()?;
        let full_name = full_name.filter(|name| *name != user.full_name);
        let email = email.filter(|email| *email != user.email);
        if full_name.is_none() && email.is_none() {
            return Ok(vec![]);
        }
        Ok(vec![
            UserChanged {
                user_id: user.id,
                full_name,
                email,
            }
            .into(),
        ])
    }
}

/// Gives a user another role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SetRole {
    pub role: String,
}

impl SetRole {
    pub fn decide(
        &self,
        actor: &User,
        user: &User,
        active_admins: u64,
    ) -> Result<Vec<Event>, Rejection> {
        actor.require(Right::Administer)?;
        let role = parse_role(&self.role);
        if let Ok(new_role) = role {
            check_role_change(user, new_role, active_admins)?;
        }
        let new_role = role?;
        if new_role == user.role {
            return Ok(vec![]);
        }
        Ok(vec![
            UserRoleChanged {
                user_id: user.id,
                old_role: user.role,
                new_role,
            }
            .into(),
        ])
    }
}

fn check_role_change(user: &User, new_role: Role, active_admins: u64) -> Result<(), Rejection> {
    if (user.role == Role::Service) != (new_role == Role::Service) {
        return Err(Rejection::ServiceRoleFixed {
            login: user.login.clone(),
        });
    }
    if new_role != Role::Admin {
        keep_an_admin(user, active_admins)?;
    }
    Ok(())
}

/// Rule U3.
fn keep_an_admin(user: &User, active_admins: u64) -> Result<(), Rejection> {
    if user.role == Role::Admin && user.active && active_admins <= 1 {
        return Err(Rejection::LastAdmin {
            login: user.login.clone(),
        });
    }
    Ok(())
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Deactivate {
    pub reason: Option<String>,
    /// Whether the user's open tasks stay with the user; left out of the spelling of requests that do not ask for it,
    /// as in old logs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_tasks: bool,
}

impl Deactivate {
    pub fn decide(
        &self,
        actor: &User,
        user: &User,
        active_admins: u64,
    ) -> Result<Vec<Event>, Rejection> {
        actor.require(Right::Administer)?;
        if !user.active {
            return Ok(vec![]);
        }
        keep_an_admin(user, active_admins)?;
        let reason = self.reason.as_deref().map(text::check_reason).transpose()?;
        Ok(vec![
            UserDeactivated {
                user_id: user.id,
                reason,
            }
            .into(),
        ])
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reactivate {
    pub reason: Option<String>,
}

impl Reactivate {
    pub fn decide(&self, actor: &User, user: &User) -> Result<Vec<Event>, Rejection> {
        actor.require(Right::Administer)?;
        if user.active {
            return Ok(vec![]);
        }
        let reason = self.reason.as_deref().map(text::check_reason).transpose()?;
        Ok(vec![
            UserReactivated {
                user_id: user.id,
                reason,
            }
            .into(),
        ])
    }
}

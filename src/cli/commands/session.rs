//! `login`, `logout`, `whoami`

use clap::Args;

use crate::app::Environment;
use crate::app::identity::Proof;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::prompt;
use crate::credentials::{TokenKind, Ttl};
use crate::domain::text::Displayed;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub struct Login {
    /// Who logs in; the password comes from POPUG_PASSWORD or a prompt
    login: String,
}

impl Login {
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let app = invocation.app()?;
        let index = app.index()?;
        invocation.check_place_of_session()?;
        let password = prompt::password(invocation.global, &format!("Password of {}: ", self.login))?;
        let caller = app.identify(&index, &Proof::Password { login: self.login, password })?;
        if invocation.only_says(|| format!("{} would be logged in", caller.user.login)) {
            return Ok(Exit::Done);
        }
        let auth = app.auth(&index)?;
        let now = invocation.environment.system_now();
        let issued = auth.tokens().issue(caller.user.id, TokenKind::Session, Ttl::SESSION, now)?;
        invocation.sessions(auth.company()).save(&issued.token)?;
        let expires = issued.record.expires_at;
        invocation.reporter.note(&format!("{} is logged in until {expires}", caller.user.login));
        Ok(Exit::Done)
    }
}

#[derive(Args, Debug)]
pub struct Logout {}

impl Logout {
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let app = invocation.app()?;
        let index = app.index()?;
        let auth = app.auth(&index)?;
        let sessions = invocation.sessions(auth.company());
        let session = sessions.load()?;
        if invocation.only_says(|| match session {
            Some(_) => "the session would be forgotten".to_owned(),
            None => "there is no session to be forgotten".to_owned(),
        }) {
            return Ok(Exit::Done);
        }
        let now = invocation.environment.system_now();
        if let Some(token) = session
            && let Ok(claims) = auth.tokens().verify(&token, now)
        {
            auth.tokens().revoke(claims.token_id, now)?;
        }
        sessions.remove()?;
        Ok(Exit::Done)
    }
}

#[derive(Args, Debug)]
pub struct Whoami {}

impl Whoami {
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let user = invocation.desk()?.caller.user;
        let row = Table::builder()
            .text("user_id", [Some(user.id.to_string())])
            .text("login", [Some(&user.login)])
            .text("name", [Some(&user.full_name)])
            .text("role", [Some(user.role.name())])
            .bool("active", [Some(user.active)]);
        let line = format!("{} ({}), {}\n", Displayed(&user.full_name), user.login, user.role);
        invocation.answer(&Answer::shown(row, line)?)?;
        Ok(Exit::Done)
    }
}

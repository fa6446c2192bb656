//! `login`, `logout`, `whoami`

use clap::Args;

use crate::app::identity::Proof;
use crate::app::reports::{Reports, Request};
use crate::app::{App, Environment};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::prompt;
use crate::credentials::{CredentialError, InviteCode, TokenKind, Ttl};
use crate::domain::displayed::Displayed;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::reports::name::ReportName;
use crate::reports::table::{Cell, Table};
use crate::state::StateIndex;

#[derive(Args, Debug)]
#[command(
    after_help = "With --code it asks twice for a new password; without a terminal the password is the first line of stdin."
)]
pub(crate) struct Login {
    /// The login; the password comes from POPUG_PASSWORD or a prompt
    #[arg(required_unless_present = "code")]
    login: Option<String>,
    /// A one-time code of `user invite`: choose a password and log in
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    code: Option<String>,
}

impl Login {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let app = invocation.app()?;
        let index = app.index()?;
        invocation.check_place_of_session()?;
        let user = match (self.code, self.login) {
            (Some(code), login) => redeem(invocation, &app, &index, &code, login.as_deref())?,
            (None, login) => {
                let login = login.unwrap_or_default();
                let question = format!("Password of {login}: ");
                let password = prompt::password(invocation.global, &question)?;
                app.identify(&index, &Proof::Password { login, password })?
                    .user
            }
        };
        if invocation.only_says(|| format!("{} would be logged in", user.login)) {
            return Ok(Exit::Done);
        }
        let auth = app.auth(&index)?;
        let now = invocation.environment.system_now();
        let issued = auth
            .tokens()
            .issue(user.id, TokenKind::Session, Ttl::SESSION, now)?;
        invocation.sessions(auth.company()).save(&issued.token)?;
        let zone = app.company(&index)?.zone;
        let expires = zone.local(issued.record.expires_at);
        let login = user.login;
        invocation.reporter.note(&format!(
            "{login} is logged in until {expires} ({})",
            zone.name()
        ));
        let goes_before = match invocation.token()? {
            Some(token) => auth
                .tokens()
                .verify(&token, now)
                .map_or(true, |claims| claims.user_id != user.id),
            None => false,
        };
        if goes_before {
            let told = format!(
                "logged in, but the token of POPUG_TOKEN or POPUG_TOKEN_FILE takes precedence over the session: unset it to act as {login}"
            );
            invocation.reporter.remark(&told);
        }
        Ok(Exit::Done)
    }
}

/// Sets the password of the user of a one-time code, who must be `login` if that is given.
fn redeem(
    invocation: &Invocation<'_>,
    app: &App<'_>,
    index: &StateIndex,
    code: &str,
    login: Option<&str>,
) -> Result<User, Failure> {
    let code = InviteCode::typed(code);
    let user = app.invited(index, &code)?;
    if login.is_some_and(|login| login != user.login) {
        return Err(CredentialError::InviteRefused.into());
    }
    if !invocation.global.dry_run {
        let password = prompt::chosen_password(invocation.global, &user.login)?;
        app.redeem(index, &code, &password)?;
    }
    Ok(user)
}

#[derive(Args, Debug)]
pub(crate) struct Logout {}

impl Logout {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let app = invocation.app()?;
        let index = app.index()?;
        let auth = app.auth(&index)?;
        let sessions = invocation.sessions(auth.company());
        let session = sessions.load()?;
        if invocation.only_says(|| match session {
            Some(_) => "the session would be ended".to_owned(),
            None => "there is no session to end".to_owned(),
        }) {
            return Ok(Exit::Done);
        }
        let now = invocation.environment.system_now();
        if let Some(token) = session
            && let Ok(claims) = auth.tokens().verify(&token, now)
        {
            auth.tokens().revoke(claims.token_id, now)?;
        }
        if sessions.remove()? && invocation.token()?.is_some() {
            invocation.reporter.remark(
                "the session is ended, but the token of POPUG_TOKEN or POPUG_TOKEN_FILE still lets you act: unset it too",
            );
        }
        Ok(Exit::Done)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Whoami {}

impl Whoami {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        let user = &store.caller.user;
        let row = Table::builder()
            .text("user_id", [Some(user.id.to_string())])
            .text("login", [Some(&user.login)])
            .text("name", [Some(&user.full_name)])
            .text("role", [Some(user.role.name())])
            .bool("active", [Some(user.active)]);
        let balance = balance(invocation, &store).unwrap_or_default();
        let line = format!(
            "{} ({}), {}{balance}\n",
            Displayed(&user.full_name),
            user.login,
            user.role
        );
        invocation.answer(&Answer::shown(row, line))?;
        if let Some(other) = passed_over(invocation, &store)? {
            invocation.reporter.remark(&format!(
                "the token of POPUG_TOKEN or POPUG_TOKEN_FILE takes precedence over the session of {login}: unset it to act as {login}",
                login = other.login
            ));
        }
        Ok(Exit::Done)
    }
}

/// `; balance 12.00 EUR` for people at a terminal; nothing for a user who has none, or if the tables cannot be read.
fn balance(invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Option<String> {
    let user = &store.caller.user;
    if !invocation.shows_words() || user.role == Role::Service {
        return None;
    }
    let request = Request {
        user: Some(user.id),
        ..Request::of(ReportName::Balances)
    };
    let reports = Reports {
        are_current: true,
        ..store.reports()
    };
    let (report, _) = reports.load(&request).ok()?;
    let mut columns = report.table.columns().iter().zip(report.table.cells());
    let (_, mut cells) = columns.find(|((name, _), _)| *name == "balance")?;
    match cells.next()? {
        Cell::Money(balance) => Some(format!("; balance {balance} {}", report.currency)),
        _ => None,
    }
}

/// The user of a session that is not used because POPUG_TOKEN takes precedence, if it is another
/// user. An invalid session is ignored.
fn passed_over(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
) -> Result<Option<User>, Failure> {
    let is_chosen = invocation.global.act_as.is_none() && invocation.global.restriction().is_none();
    if !is_chosen || invocation.token()?.is_none() {
        return Ok(None);
    }
    let Ok(Some(session)) = invocation.sessions(store.company.id).load() else {
        return Ok(None);
    };
    let auth = store.app.auth(&store.index)?;
    let Ok(claims) = auth
        .tokens()
        .verify(&session, invocation.environment.system_now())
    else {
        return Ok(None);
    };
    let user = store.index.user(claims.user_id)?;
    Ok(user.filter(|user| user.id != store.caller.user.id))
}

//! `token issue`, `token list`, `token revoke`

use clap::{Args, Subcommand};

use crate::app::Environment;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::nature::Nature;
use crate::cli::rows::RowArgs;
use crate::credentials::{TokenKind, TokenRecord, Ttl};
use crate::reports::table::Table;

#[derive(Subcommand, Debug)]
pub(crate) enum Token {
    /// Issue a token and print only the token on stdout
    Issue(Issue),
    /// List the issued tokens and sessions
    List(List),
    /// Revoke a token; it is refused from now on
    Revoke(Revoke),
}

#[derive(Args, Debug)]
pub(crate) struct Issue {
    /// The user who acts with the token
    login: String,
    /// Time to live, such as 90d or 12h
    #[arg(
        long,
        value_name = "TIME",
        default_value_t = Ttl::TOKEN.to_string(),
        allow_hyphen_values = true
    )]
    ttl: String,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    rows: RowArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// The token's id or its first characters, as `token list` shows them
    id: String,
}

impl Token {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Token::Issue(_) => Nature::DOES_AND_ANSWERS,
            Token::List(_) => Nature::ASKS,
            Token::Revoke(_) => Nature::DOES,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        match self {
            Token::Issue(command) => command.run(invocation, &store),
            Token::List(List { rows }) => list(invocation, &store, rows),
            Token::Revoke(command) => command.run(invocation, &store),
        }
    }
}

impl Issue {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let user = store
            .app
            .holder(&store.caller, &store.index, Some(&self.login))?;
        if !user.active {
            let message = format!("`{}` is deactivated; a token would be refused", user.login);
            return Err(Failure::new(Exit::Conflict, "user_deactivated", message));
        }
        let ttl: Ttl = self.ttl.parse()?;
        let auth = store.app.auth(&store.index)?;
        if invocation.only_says(|| {
            format!(
                "a token for {} would be issued, good for {}",
                user.login, self.ttl
            )
        }) {
            return Ok(Exit::Done);
        }
        let now = invocation.environment.system_now();
        let issued = auth.tokens().issue(user.id, TokenKind::Token, ttl, now)?;
        let record = &issued.record;
        let row = Table::builder()
            .text("token", [Some(issued.token.reveal())])
            .text("token_id", [Some(record.token_id.to_string())])
            .text("login", [Some(&user.login)])
            .time("expires_at", [Some(record.expires_at)]);
        let answer = Answer::done(row, format!("{}\n", issued.token.reveal()));
        let id = record.token_id;
        let answer = answer.deed(format!("token {id} was issued for {}", user.login));
        let answer = answer.secret(format!(
            "nobody has this token: revoke it with `popug-cli token revoke {id}`"
        ));
        invocation.answer(&answer.in_zone(&store.company.zone))?;
        Ok(Exit::Done)
    }
}

fn list(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    rows: RowArgs,
) -> Result<Exit, Failure> {
    let records = store.app.tokens(&store.caller, &store.index)?;
    let users = store.index.users()?;
    let login = |record: &TokenRecord| {
        users
            .iter()
            .find(|user| user.id == record.user_id)
            .map(|user| user.login.clone())
    };
    let now = invocation.environment.system_now();
    let table = Table::builder()
        .text(
            "token_id",
            records.iter().map(|r| Some(r.token_id.to_string())),
        )
        .text("login", records.iter().map(login))
        .text("kind", records.iter().map(|r| Some(r.kind.name())))
        .time("issued_at", records.iter().map(|r| Some(r.issued_at)))
        .time("expires_at", records.iter().map(|r| Some(r.expires_at)))
        .time("revoked_at", records.iter().map(|r| r.revoked_at))
        .text("state", records.iter().map(|r| Some(r.state(now).name())))
        .build();
    invocation.emit_list(store, rows, "tokens", table)?;
    Ok(Exit::Done)
}

impl Revoke {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let unknown = || {
            Failure::new(
                Exit::NotFound,
                "unknown_token",
                format!("there is no token `{}`", self.id),
            )
            .hint("`popug-cli token list` shows the tokens")
        };
        let found = store.app.token(&store.caller, &store.index, &self.id)?;
        let record = found.ok_or_else(unknown)?;
        if invocation.only_says(|| format!("token {} would be revoked", self.id)) {
            return Ok(Exit::Done);
        }
        store
            .app
            .auth(&store.index)?
            .tokens()
            .revoke(record.token_id, invocation.environment.system_now())?;
        invocation
            .reporter
            .note(&format!("token {} is revoked", self.id));
        Ok(Exit::Done)
    }
}

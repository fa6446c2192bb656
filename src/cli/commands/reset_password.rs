//! `reset-password`

use clap::Args;

use crate::app::command::known_user;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::{prompt, rights};
use crate::credentials::passwords::check_length;

#[derive(Args, Debug)]
#[command(
    after_help = "It needs no login: the account that owns the files of the store could change all of them. The log records it, and all sessions and tokens of the user are ended. With POPUG_PASSWORD or --password-stdin nothing is asked."
)]
pub(crate) struct ResetPassword {
    /// The login of the user
    login: String,
    /// You own the files of the store, and act as their owner
    #[arg(long, required = true)]
    owner: bool,
    /// Read the password from stdin
    #[arg(long)]
    password_stdin: bool,
}

impl ResetPassword {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let app = invocation.app()?;
        let account = rights::owner(&app.directory)?;
        let index = app.index()?;
        let user = known_user(&index, &self.login)?;
        if invocation.only_says(|| format!("the password of {} would be reset", user.login)) {
            return Ok(Exit::Done);
        }
        let new = prompt::new_password(invocation.global, self.password_stdin, &user.login)?;
        check_length(&new)?;
        let manner = invocation.manner();
        let ended = app.reset_password(&index, &user, &account, &new, &manner)?;
        let login = &user.login;
        invocation.reporter.note(&format!(
            "the password of {login} is reset, and the log says so; sessions and tokens that were ended: {ended}"
        ));
        Ok(Exit::Done)
    }
}

//! `user invite`

use clap::Args;

use crate::app::command::known_user;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::credentials::Ttl;
use crate::reports::table::Table;

#[derive(Args, Debug)]
#[command(
    after_help = "The code is printed once; give it to the user. `popug-cli login --code CODE` asks for a new password and logs in. A code works once, and a new one voids the one before. A password that the user has stays valid until then."
)]
pub(crate) struct Invite {
    /// Login or id; the first characters of the id are enough, at least 4
    user: String,
    /// How long the code is good: 45s, 30m, 12h, 3d, 2w
    #[arg(long, default_value = "3d", value_name = "TTL")]
    ttl: String,
}

impl Invite {
    pub(super) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let user = known_user(&store.index, &self.user)?;
        store.app.check_invited(&store.caller, &user)?;
        let ttl: Ttl = self.ttl.parse()?;
        let login = &user.login;
        if invocation.only_says(|| format!("a one-time code would be made for {login}")) {
            return Ok(Exit::Done);
        }
        let (code, expires_at) = store.app.invite(&store.index, user.id, ttl)?;
        let code = code.reveal();
        let row = Table::builder()
            .text("code", [Some(&code)])
            .text("login", [Some(login)])
            .time("expires_at", [Some(expires_at)]);
        let until = store.company.zone.local(expires_at);
        let told = format!(
            "{code}\n\nUntil {until} {login} logs in with it and chooses a password:\n  popug-cli login --code {code}\n"
        );
        let answer = Answer::done(row, format!("{code}\n"))
            .for_people(told)
            .deed(format!("a one-time code was made for {login}"))
            .secret("nobody has this code: make another one, which voids it");
        invocation.answer(&answer.in_zone(&store.company.zone))?;
        Ok(Exit::Done)
    }
}

//! `access grant`, `access list`, `access revoke`

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::app::Environment;
use crate::cli::answer::Answer;
use crate::cli::environment;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::nature::Nature;
use crate::cli::rows::RowArgs;
use crate::credentials::access::{Access as Granted, Accesses};
use crate::credentials::ssh_key::{BadSshKey, SshKey};
use crate::credentials::{TokenId, Ttl};
use crate::domain::id::UserId;
use crate::domain::user::User;
use crate::files::held::shell_word;
use crate::reports::table::Table;

const MORE: &str = "\
The line lets the owner of the key use `ssh popug@SERVER`, and nothing else there: sshd starts the
restricted shell with the token of the access (docs/SERVER.md).";

/// Larger files hold no single key.
const KEY_BYTES_MAX: u64 = 64 << 10;

#[derive(Subcommand, Debug)]
#[command(after_help = MORE)]
pub(crate) enum Access {
    /// Let a user in by an ssh key: print the line for authorized_keys of the store's account
    Grant(Grant),
    /// List who may come in by ssh, and by which key
    List(List),
    /// Revoke an access; its key opens nothing from now on
    Revoke(Revoke),
}

#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct Grant {
    /// The user who acts
    login: String,
    /// The public key of the user, such as id_ed25519.pub (`-`: stdin)
    #[arg(long, value_name = "FILE")]
    ssh_key: PathBuf,
    /// Time to live, such as 365d or 12h
    #[arg(
        long,
        value_name = "TIME",
        default_value = "365d",
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
    /// The access's id or its first characters, as `access list` shows them
    id: String,
}

impl Access {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Access::Grant(_) => Nature::DOES_AND_ANSWERS,
            Access::List(_) => Nature::ASKS,
            Access::Revoke(_) => Nature::DOES,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        match self {
            Access::Grant(command) => command.run(invocation, &store),
            Access::List(List { rows }) => list(invocation, &store, rows),
            Access::Revoke(command) => command.run(invocation, &store),
        }
    }
}

impl Grant {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let (caller, index) = (&store.caller, &store.index);
        let user = store.app.user_for_access(caller, index, &self.login)?;
        if !user.active {
            let message = format!(
                "`{}` is deactivated; the access would be refused",
                user.login
            );
            return Err(Failure::new(Exit::Conflict, "user_deactivated", message));
        }
        let ttl: Ttl = self.ttl.parse()?;
        let key = self.key(invocation)?;
        let place = Place::of(store)?;
        let auth = store.app.auth(index)?;
        let now = invocation.environment.system_now();
        if let Some(other) = auth.accesses().by_key(&key, now)? {
            return Err(in_use(&other, &index.users()?));
        }
        if invocation.only_says(|| {
            format!(
                "{} would get access with the key {}, good for {}",
                user.login,
                key.fingerprint(),
                self.ttl
            )
        }) {
            return Ok(Exit::Done);
        }
        let granted = auth
            .accesses()
            .grant(user.id, &key, ttl, now, caller.user.id)?;
        let id = granted.record.token_id;
        let line = place.line(id, &key, &user.login);
        let row = Table::builder()
            .text("access_id", [Some(id.to_string())])
            .text("login", [Some(&user.login)])
            .text("key", [Some(granted.record.key)])
            .time("expires_at", [Some(granted.token.expires_at)])
            .text("line", [Some(&line)]);
        let deed = format!("access {id} was granted to {}", user.login);
        let answer = Answer::done(row, format!("{line}\n"))
            .deed(deed)
            .remedy(format!(
                "nobody has its line: revoke it with `popug-cli access revoke {id}`"
            ));
        invocation.answer(&answer.in_zone(&store.company.zone))?;
        invocation.reporter.note(&format!(
            "add the line to ~/.ssh/authorized_keys of the account that owns the store; `popug-cli access revoke {id}` ends the access"
        ));
        Ok(Exit::Done)
    }

    fn key(&self, invocation: &Invocation<'_>) -> Result<SshKey, Failure> {
        let shown = self.ssh_key.display();
        let mut text = String::new();
        let read = if self.ssh_key == Path::new("-") {
            invocation.global.refuse_stdin_of_script("`--ssh-key -`")?;
            io::stdin()
                .lock()
                .take(KEY_BYTES_MAX)
                .read_to_string(&mut text)
        } else {
            let file = File::open(&self.ssh_key);
            file.and_then(|file| file.take(KEY_BYTES_MAX).read_to_string(&mut text))
        };
        read.map_err(|error| {
            let message = format!("cannot read the key {shown}: {error}");
            Failure::new(Exit::Failure, "io", message)
                .hint("`--ssh-key - < FILE` reads a file that only you may read")
        })?;
        text.parse().map_err(|why: BadSshKey| {
            let message = format!("{shown} is no public key of ssh: {why}");
            Failure::new(Exit::Rejected, "bad_ssh_key", message).hint(
                "name the file of the user that ends with .pub, such as ~/.ssh/id_ed25519.pub",
            )
        })
    }
}

fn in_use(other: &Granted, users: &[User]) -> Failure {
    let id = other.record.token_id;
    let login = login(users, other.token.user_id).unwrap_or_default();
    let message = format!("this key is the access {id} of {login} already");
    Failure::new(Exit::Conflict, "key_in_use", message).hint(format!(
        "revoke that one first: `popug-cli access revoke {id}`"
    ))
}

/// The program and the store, as words of the command that sshd starts.
struct Place {
    program: PathBuf,
    store: PathBuf,
}

impl Place {
    /// # Errors
    /// If the system does not tell a path, or `authorized_keys` cannot hold it.
    fn of(store: &OpenStore<'_>) -> Result<Place, Failure> {
        let place = Place {
            program: environment::program()?,
            store: std::fs::canonicalize(store.app.directory.root())?,
        };
        for path in [&place.program, &place.store] {
            let can_stand = |text: &str| !text.contains(char::is_control);
            if !path.to_str().is_some_and(can_stand) {
                let message = format!("{} cannot stand in authorized_keys", path.display());
                return Err(Failure::usage(message).hint("give it another name"));
            }
        }
        Ok(place)
    }

    /// The line of `authorized_keys`: sshd runs the command with the shell of the account.
    fn line(&self, id: TokenId, key: &SshKey, login: &str) -> String {
        let command = format!(
            "{} -C {} shell --restrict --ssh --token-file {}",
            shell_word(&self.program),
            shell_word(&self.store),
            shell_word(&self.store.join(Accesses::token_path(id)))
        );
        let command = command.replace('"', "\\\"");
        format!("restrict,pty,command=\"{command}\" {} {login}", key.line())
    }
}

fn login(users: &[User], id: UserId) -> Option<String> {
    let found = users.iter().find(|user| user.id == id);
    found.map(|user| user.login.clone())
}

fn list(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    rows: RowArgs,
) -> Result<Exit, Failure> {
    let all = store.app.accesses(&store.caller, &store.index)?;
    let users = store.index.users()?;
    let now = invocation.environment.system_now();
    let table = Table::builder()
        .text(
            "access_id",
            all.iter().map(|a| Some(a.record.token_id.to_string())),
        )
        .text("login", all.iter().map(|a| login(&users, a.token.user_id)))
        .text("key", all.iter().map(|a| Some(a.record.key.clone())))
        .time("granted_at", all.iter().map(|a| Some(a.record.granted_at)))
        .text(
            "granted_by",
            all.iter().map(|a| login(&users, a.record.granted_by)),
        )
        .time("expires_at", all.iter().map(|a| Some(a.token.expires_at)))
        .time("revoked_at", all.iter().map(|a| a.token.revoked_at))
        .text("state", all.iter().map(|a| Some(a.token.state(now).name())))
        .build();
    invocation.emit_list(store, rows, "accesses", table)?;
    Ok(Exit::Done)
}

impl Revoke {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let found = store.app.access(&store.caller, &store.index, &self.id)?;
        let access = found.ok_or_else(|| {
            let message = format!("there is no access `{}`", self.id);
            Failure::new(Exit::NotFound, "unknown_access", message)
                .hint("`popug-cli access list` shows them")
        })?;
        let id = access.record.token_id;
        if invocation.only_says(|| format!("access {id} would be revoked")) {
            return Ok(Exit::Done);
        }
        let now = invocation.environment.system_now();
        store.app.auth(&store.index)?.accesses().revoke(id, now)?;
        invocation.reporter.note(&format!(
            "access {id} is revoked; its line may be removed from authorized_keys"
        ));
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_line_quotes_paths_for_the_shell_and_for_sshd() {
        let place = Place {
            program: "/opt/popug \"cli\"/popug-cli".into(),
            store: "/srv/anna's store".into(),
        };
        let text =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f x";
        let id = TokenId::from_uuid(Uuid::from_u128(1));
        assert_eq!(
            place.line(id, &text.parse().unwrap(), "anna"),
            format!(
                r#"restrict,pty,command="'/opt/popug \"cli\"/popug-cli' -C '/srv/anna'\''s store' shell --restrict --ssh --token-file '/srv/anna'\''s store/auth/access/{id}'" {} anna"#,
                text.trim_end_matches(" x")
            )
        );
    }
}

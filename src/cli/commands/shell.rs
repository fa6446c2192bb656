//! `shell`

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::environment;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::BY_OPTION;
use crate::cli::invocation::Invocation;
use crate::cli::shell::host::Restriction;
use crate::cli::shell::{self, Manner};
use crate::credentials::TokenText;

const MORE: &str = "\
A line is a command line without `popug-cli`. The global options of the shell apply to each line
that does not give its own. Words are quoted as in a POSIX shell: '…' without escapes, \"…\" with \\\"
and \\\\, a backslash before any character; # starts a comment. Nothing is expanded, and there are no
pipes: `--out FILE` writes a file. `help` (or `?`) and `help COMMAND` show help; `exit`, `quit`,
`q` and Ctrl-D end the shell. Between two lines the shell keeps no file of the store open and holds no lock.

At a terminal TAB completes commands, options, logins, open tasks and paths; `history` shows the
typed lines (`history 20`: the last 20), `clear` clears the screen. Lines are kept in
$XDG_STATE_HOME/popug-cli/history (mode 0600), but for those that begin with a blank. With --as the
password is asked for once. Ctrl-C at the prompt empties the line; it stops `consume --follow` and
`log tail -f`; any other command it ends together with the shell, and as ever nothing is lost that
was acknowledged.

With -c it runs one line. With --restrict it serves people who may use the account of the store for
nothing else: by `sudo`, or by ssh with a forced command, which `access grant` prints. Such a shell
refuses every option that names a file, another store or another user, and every command that
founds, copies or mends a store; it ignores environment variables and keeps no history (docs/SERVER.md).

From a file or pipe it ends at the first line that fails, with its number and exit code. Commands
of such a script cannot read stdin. When nobody reads its output any more, the shell ends.";

#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct Shell {
    /// Run every line of a script, even after a failure; the exit code is that of the first failure
    #[arg(long)]
    keep_going: bool,
    /// Run this line alone; the exit code is that of the line
    #[arg(
        short = 'c',
        value_name = "LINE",
        allow_hyphen_values = true,
        conflicts_with = "keep_going"
    )]
    line: Option<String>,
    /// Serve one user of the store that -C names: no other store or user, no files, no variables
    #[arg(long)]
    restrict: bool,
    /// Run the line that the ssh client asked for, if there is one (SSH_ORIGINAL_COMMAND)
    #[arg(long, requires = "restrict", conflicts_with = "line")]
    ssh: bool,
    /// Act by the token in this file, which only its owner may read
    #[arg(long, requires = "restrict", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Shell {
    pub(crate) const fn is_restricted(&self) -> bool {
        self.restrict
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let restriction = if self.restrict {
            Some(self.restriction(invocation)?)
        } else {
            None
        };
        let line = if self.ssh {
            environment::ssh_line()?
        } else {
            self.line
        };
        let manner = Manner {
            line,
            keep_going: self.keep_going,
            restriction,
        };
        shell::run(invocation, manner)
    }

    fn restriction(&self, invocation: &Invocation<'_>) -> Result<Restriction, Failure> {
        let global = invocation.global;
        if global.store_from != BY_OPTION {
            return Err(Failure::usage("a restricted shell reads no variables")
                .hint("name the store with -C DIR"));
        }
        if global.act_as.is_some() {
            return Err(
                Failure::usage("a restricted shell has one identity, so it takes no --as")
                    .hint("use --token-file FILE, or `login` in the shell"),
            );
        }
        let token = self.token_file.as_deref().map(token_in).transpose()?;
        Ok(Restriction {
            store: global.store.clone(),
            token,
        })
    }
}

/// # Errors
/// If there is no file, because the access was revoked; if it is open to others or holds no token.
fn token_in(path: &Path) -> Result<TokenText, Failure> {
    let token = environment::secret_in(path, "--token-file")?;
    token.map(|text| TokenText::new(&text)).ok_or_else(|| {
        let message = format!("there is no access any more: {} is gone", path.display());
        Failure::new(Exit::NotAllowed, "access_revoked", message)
            .hint("ask an admin for a new one, made with `popug-cli access grant`")
    })
}

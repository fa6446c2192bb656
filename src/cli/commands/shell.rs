//! `shell`

use clap::Args;

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::shell;

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

From a file or pipe it ends at the first line that fails, with its number and exit code. Commands
of such a script cannot read stdin. When nobody reads its output any more, the shell ends.

Examples:
  popug-cli shell --as ada
  popug-cli shell -C ./popug-store < morning.txt
  printf '%s\\n' 'consume' 'report balances' | popug-cli shell --keep-going -o csv";

#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct Shell {
    /// Run every line of a script, even after a failure; the exit code is that of the first failure
    #[arg(long)]
    keep_going: bool,
}

impl Shell {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        shell::run(invocation, self.keep_going)
    }
}

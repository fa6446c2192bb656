//! `restore`

use std::path::PathBuf;

use clap::Args;

use crate::app::backup::restore::{Restorable, Until};
use crate::app::new_store;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::parse_time;
use crate::cli::invocation::Invocation;
use crate::cli::prompt;
use crate::domain::id::Sequence;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The backup
    dir: PathBuf,
    /// End with the last whole batch at or before this event
    #[arg(long, value_name = "N", conflicts_with = "to_time")]
    to_sequence: Option<u64>,
    /// End with the last whole batch at or before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to_time: Option<String>,
    /// Read the new password of the first admin from stdin if the backup has no secrets
    #[arg(long)]
    password_stdin: bool,
}

impl Restore {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        invocation.refuse_dry_run()?;
        let directory = invocation.directory();
        new_store::check_free(directory.root())?;
        let reporter = invocation.reporter;
        let until = self.until()?;
        let restorable = Restorable::examine(&self.dir, until, &|done, total| {
            reporter.progress("checking", done, total)
        })?;
        reporter.finish();
        let admin = &restorable.first_admin.login;
        let password = restorable.needs_password();
        let password =
            password.then(|| prompt::new_password(invocation.global, self.password_stdin, admin));
        let progress = |done, total| reporter.progress("restoring", done, total);
        restorable.restore(directory.root(), password.transpose()?.as_ref(), &progress)?;
        reporter.finish();
        self.tell(invocation, &restorable)?;
        Ok(Exit::Done)
    }

    fn until(&self) -> Result<Until, Failure> {
        Ok(match (self.to_sequence, &self.to_time) {
            (Some(sequence), _) => Until::Sequence(Sequence(sequence)),
            (None, Some(time)) => Until::Time(parse_time(time)?),
            (None, None) => Until::End,
        })
    }

    fn tell(&self, invocation: &Invocation<'_>, restored: &Restorable) -> Result<(), Failure> {
        let (end, time, last) = (
            restored.end,
            restored.end_time,
            restored.manifest.head.sequence,
        );
        let (root, admin) = (
            invocation.directory().root().display().to_string(),
            &restored.first_admin.login,
        );
        let with_secrets = restored.manifest.with_secrets;
        let row = Table::builder()
            .text("store", [Some(&root)])
            .int("sequence", [Some(end.sequence.0)])
            .text("hash", [Some(end.hash.to_string())])
            .time("time", [Some(time)])
            .text("admin", [Some(admin)])
            .bool("with_secrets", [Some(with_secrets)]);
        invocation.answer(&Answer::done(row, ""))?;
        let reporter = invocation.reporter;
        let of = if end.sequence < last {
            format!(" of {last}")
        } else {
            String::new()
        };
        reporter.remark(&format!(
            "restored up to event {}{of}, of {time}, into {root}",
            end.sequence
        ));
        match self.to_sequence {
            Some(wanted) if wanted > last.0 => {
                reporter.remark(&format!(
                    "the backup ends with event {last}: event {wanted} is not in it"
                ));
            }
            _ => {}
        }
        let who = if with_secrets {
            "passwords and tokens are those of the backup".to_owned()
        } else {
            format!(
                "{admin} has the new password, nobody else can log in; new tokens must be issued"
            )
        };
        reporter.remark(&who);
        reporter.remark(
            "pay mails go to the outbox folder only, until `consume notifier --send-imported`",
        );
        reporter.remark(
            "continue with `popug-cli consume` in the new store, then `popug-cli verify --deep`",
        );
        Ok(())
    }
}

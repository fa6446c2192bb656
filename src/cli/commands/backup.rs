//! `backup`

use std::path::PathBuf;

use clap::Args;

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The directory of the backup; created if it is missing. A second backup into it copies only new events
    dir: PathBuf,
    /// Also copy password hashes and records of tokens; keep it as safe as the store
    #[arg(long)]
    with_secrets: bool,
}

impl Backup {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        invocation.refuse_dry_run()?;
        let progress = |done, total| invocation.reporter.progress("backing up", done, total);
        let made = store.app.back_up(
            &store.caller,
            &store.company,
            &self.dir,
            self.with_secrets,
            &progress,
        )?;
        invocation.reporter.finish();
        let table = Table::builder()
            .text("dir", [Some(self.dir.display().to_string())])
            .int("sequence", [Some(made.sequence.0)])
            .text("hash", [Some(made.hash.to_string())])
            .int("files_copied", [Some(made.files_copied)])
            .int("bytes_copied", [Some(made.bytes_copied)])
            .bool("with_secrets", [Some(made.with_secrets)])
            .build();
        invocation.emit_done(&store, "backup", table)?;
        Ok(Exit::Done)
    }
}

//! `backup`, `backup list`, `backup prune`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::backup::generations::{Generation, Judged, finish_removals};
use crate::app::backup::retention::Keep;
use crate::app::doctor::counted;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::nature::Nature;
use crate::cli::rows::RowArgs;
use crate::reports::table::{Table, TableBuilder};
use crate::turn::Notices;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Backup {
    #[command(subcommand)]
    what: Option<What>,
    /// The directory of the backup; created if it is missing. A second backup into it copies only new events
    dir: Option<PathBuf>,
    /// Also copy password hashes, records of tokens and the settings of mails; keep it as safe as the store
    #[arg(long)]
    with_secrets: bool,
}

#[derive(Subcommand, Debug)]
enum What {
    /// List the backups in the directories of DIR, each read and checked
    List(List),
    /// Remove old backups from the directories of DIR
    Prune(Prune),
}

#[derive(Args, Debug)]
struct List {
    /// The directory with a directory for each backup
    dir: PathBuf,
    #[command(flatten)]
    rows: RowArgs,
}

#[derive(Args, Debug)]
#[command(
    after_help = "A backup is removed only if it is a whole one of this log and no option keeps it. The newest whole \
                  backup always stays; so do damaged backups and directories with other files. -n shows the plan. At \
                  a terminal a question comes first; `--yes` answers it."
)]
struct Prune {
    /// The directory with a directory for each backup
    dir: PathBuf,
    #[command(flatten)]
    keep: KeepArgs,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct KeepArgs {
    /// Keep the newest backup of each of the last N days that have one
    #[arg(long, value_name = "N")]
    keep_daily: Option<u32>,
    /// Keep the newest backup of each of the last N weeks that have one; a week begins on Monday
    #[arg(long, value_name = "N")]
    keep_weekly: Option<u32>,
    /// Keep the newest backup of each of the last N months that have one
    #[arg(long, value_name = "N")]
    keep_monthly: Option<u32>,
}

impl Backup {
    pub(crate) const fn nature(&self) -> Nature {
        match &self.what {
            None => Nature::DOES_AND_ANSWERS,
            Some(What::List(_)) => Nature::ASKS,
            Some(What::Prune(_)) => Nature::DOES,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        match (self.what, self.dir) {
            (Some(What::List(list)), _) => list.run(invocation, &store),
            (Some(What::Prune(prune)), _) => prune.run(invocation, &store),
            (None, Some(dir)) => back_up(invocation, &store, &dir, self.with_secrets),
            (None, None) => Err(Failure::usage(
                "name the directory of the backup, or use `backup list` or `backup prune`",
            )),
        }
    }
}

fn back_up(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    dir: &std::path::Path,
    with_secrets: bool,
) -> Result<Exit, Failure> {
    invocation.refuse_dry_run()?;
    let progress = |done, total| invocation.reporter.progress("backing up", done, total);
    let made = store
        .app
        .back_up(&store.caller, &store.company, dir, with_secrets, &progress)?;
    invocation.reporter.finish();
    if invocation.global.is_silent() {
        return Ok(Exit::Done);
    }
    let table = Table::builder()
        .text("dir", [Some(dir.display().to_string())])
        .int("sequence", [Some(made.sequence.0)])
        .text("hash", [Some(made.hash.to_string())])
        .int("files_copied", [Some(made.files_copied)])
        .int("bytes_copied", [Some(made.bytes_copied)])
        .bool("with_secrets", [Some(made.with_secrets)])
        .build();
    invocation.emit_done(store, "backup", table)?;
    Ok(Exit::Done)
}

impl List {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let progress = |done, total| invocation.reporter.progress("reading", done, total);
        let found = store
            .app
            .generations(&store.caller, &store.company, &self.dir, &progress)?;
        invocation.reporter.finish();
        warn_of_faults(invocation, &found);
        let state = |found: &Generation| found.fault.as_ref().map_or("good", |_| "damaged");
        let manifests = || found.iter().map(|found| found.manifest.as_ref());
        let table = common(&found)
            .time(
                "head_time",
                manifests().map(|manifest| Some(manifest?.head.time)),
            )
            .text(
                "hash",
                manifests().map(|manifest| Some(&manifest?.head.hash)),
            )
            .int("bytes", found.iter().map(Generation::bytes))
            .bool(
                "with_secrets",
                manifests().map(|manifest| Some(manifest?.with_secrets)),
            )
            .text("state", found.iter().map(|found| Some(state(found))))
            .text("fault", found.iter().map(|found| found.fault.as_ref()))
            .build();
        invocation.emit_list(store, self.rows, "backups", table)?;
        Ok(Exit::Done)
    }
}

impl Prune {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let KeepArgs {
            keep_daily,
            keep_weekly,
            keep_monthly,
        } = self.keep;
        let keep = Keep {
            daily: keep_daily.unwrap_or(0),
            weekly: keep_weekly.unwrap_or(0),
            monthly: keep_monthly.unwrap_or(0),
        };
        let progress = |done, total| invocation.reporter.progress("reading", done, total);
        let (caller, company) = (&store.caller, &store.company);
        let judged = store
            .app
            .judge_generations(caller, company, &self.dir, keep, &progress)?;
        invocation.reporter.finish();
        warn_of_faults(invocation, judged.iter().map(|judged| &judged.generation));
        let names: Vec<&str> = judged
            .iter()
            .filter(|judged| judged.reasons.is_empty())
            .map(|judged| judged.generation.name.as_str())
            .collect();
        if !names.is_empty() {
            let backups = counted(names.len() as u64, "backup", "backups");
            invocation.ask(&format!("Remove {backups}: {}?", names.join(", ")))?;
        }
        let done = if invocation.global.dry_run {
            "remove"
        } else {
            self.remove(store, &judged)?;
            "removed"
        };
        let action = |judged: &Judged| {
            if judged.reasons.is_empty() {
                done
            } else {
                "keep"
            }
        };
        let table = common(judged.iter().map(|judged| &judged.generation))
            .text("action", judged.iter().map(|judged| Some(action(judged))))
            .text(
                "because",
                judged.iter().map(|judged| Some(judged.reasons.join(", "))),
            )
            .build();
        invocation.emit_list(store, RowArgs::default(), "backups", table)?;
        Ok(Exit::Done)
    }

    fn remove(&self, store: &OpenStore<'_>, judged: &[Judged]) -> Result<(), Failure> {
        finish_removals(&self.dir)?;
        for Judged {
            generation,
            reasons,
        } in judged
        {
            let is_kept = !reasons.is_empty();
            if !is_kept && !store.app.remove_generation(&self.dir, generation)? {
                store.app.notices.warn(&format!(
                    "{} stays: a backup was made into it just now",
                    generation.name
                ));
            }
        }
        Ok(())
    }
}

/// The columns that both lists begin with.
fn common<'g>(found: impl IntoIterator<Item = &'g Generation, IntoIter: Clone>) -> TableBuilder {
    let found = found.into_iter();
    let manifests = || found.clone().map(|found| found.manifest.as_ref());
    Table::builder()
        .text("name", found.clone().map(|found| Some(&found.name)))
        .time(
            "made_at",
            manifests().map(|manifest| Some(manifest?.made_at)),
        )
        .int(
            "sequence",
            manifests().map(|manifest| Some(manifest?.head.sequence.0)),
        )
}

fn warn_of_faults<'g>(
    invocation: &Invocation<'_>,
    found: impl IntoIterator<Item = &'g Generation>,
) {
    for generation in found {
        if let Some(fault) = &generation.fault {
            invocation
                .reporter
                .warn(&format!("{} is kept: {fault}", generation.name));
        }
    }
}

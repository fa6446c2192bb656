//! `export --dir` and `export journal`

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::app::reports::Request;
use crate::cli::commands::report::TablesArgs;
use crate::cli::destination::{Content, Destination};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::one_of;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::nature::Nature;
use crate::cli::output::keep_off;
use crate::cli::{file_modes, own_files};
use crate::domain::id::{CompanyId, Sequence};
use crate::domain::period::Unit;
use crate::domain::time::EventTime;
use crate::files::held::Held;
use crate::reports::journal::Dialect;
use crate::reports::name::ReportName;
use crate::reports::query::Dates;
use crate::reports::render::{Format, Options};
use crate::turn::Notices;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Export {
    #[command(subcommand)]
    what: Option<What>,
    /// Write every report that you may see to a file of this directory, and manifest.json
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Format of the report files
    #[arg(long, default_value = "csv", value_parser = one_of(&Format::EXPORTED, Format::name))]
    format: Format,
    #[command(flatten)]
    tables: TablesArgs,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Write the books for plain-text accounting
    Journal(Journal),
}

#[derive(Args, Debug)]
struct Journal {
    /// The program that reads the journal
    #[arg(long, value_parser = one_of(&Dialect::ALL, Dialect::name))]
    format: Dialect,
    #[command(flatten)]
    tables: TablesArgs,
}

impl Export {
    pub(crate) const fn nature(&self) -> Nature {
        match &self.what {
            Some(What::Journal(journal)) => Nature::tells(journal.format.extensions()),
            None => Nature::ASKS,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        match (self.what, self.dir) {
            (Some(What::Journal(journal)), _) => journal.run(invocation, &store),
            (None, Some(dir)) => {
                keep_off(&invocation.global.store, &dir)?;
                export_all(invocation, &store, &dir, self.format, self.tables)
            }
            (None, None) => Err(Failure::usage(
                "name the place with --dir DIR, or use `export journal`",
            )),
        }
    }
}

impl Journal {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let journal = self.tables.reports(store).journal()?;
        invocation.with_output(|out| Ok(journal.write(self.format, out)?))?;
        invocation.tell_gaps(&journal.standing, journal.head);
        Ok(Exit::Done)
    }
}

/// The files of an export, and the last event that they include.
#[derive(Serialize)]
struct Manifest<'a> {
    company: &'a str,
    company_id: CompanyId,
    time_zone: &'a str,
    currency: &'a str,
    exported_at: EventTime,
    exported_by: &'a str,
    head_sequence: Sequence,
    files: Vec<Exported>,
}

#[derive(Serialize)]
struct Exported {
    file: String,
    report: &'static str,
    rows: usize,
    as_of_sequence: Sequence,
}

const MANIFEST: &str = "manifest.json";

/// The manifest of a former export.
#[derive(Deserialize)]
struct Former {
    #[serde(rename = "exported_at")]
    _exported_at: String,
    files: Vec<FormerFile>,
}

#[derive(Deserialize)]
struct FormerFile {
    file: String,
}

/// The reports that the caller may see, each with the name of its file.
fn planned(store: &OpenStore<'_>, format: Format) -> Vec<(ReportName, String)> {
    let named = |name: ReportName| (name, format!("{}.{}", name.name(), format.name()));
    store.reports().visible().map(named).collect()
}

/// Refuses to replace anything but files of a former export.
fn check_replaceable(dir: &Path, files: &[String]) -> Result<(), Failure> {
    let is_there = |name: &str| std::fs::symlink_metadata(dir.join(name)).is_ok();
    let is_file =
        |name: &str| std::fs::symlink_metadata(dir.join(name)).is_ok_and(|found| found.is_file());
    let manifest = Some(dir.join(MANIFEST))
        .filter(|_| is_file(MANIFEST))
        .and_then(|path| std::fs::read(path).ok());
    let former = manifest.and_then(|bytes| serde_json::from_slice::<Former>(&bytes).ok());
    let is_former = |name: &str| match &former {
        Some(_) if name == MANIFEST => true,
        Some(former) => former.files.iter().any(|former| former.file == name),
        None => false,
    };
    let names = files.iter().map(String::as_str).chain([MANIFEST]);
    let is_foreign = |name: &&str| {
        let is_ours = || is_former(name);
        is_there(name) && !(is_file(name) && own_files::is_replaceable(&dir.join(name), is_ours))
    };
    match names.into_iter().find(is_foreign) {
        None => Ok(()),
        Some(name) => Err(own_files::not_own(&dir.join(name))),
    }
}

fn export_all(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    dir: &Path,
    format: Format,
    tables: TablesArgs,
) -> Result<Exit, Failure> {
    let cannot = |action, error: &std::io::Error| {
        Failure::new(
            Exit::Failure,
            "io",
            format!("cannot {action} {}: {error}", dir.display()),
        )
    };
    let planned = planned(store, format);
    file_modes::make_directory_for_user(dir).map_err(|error| cannot("create", &error))?;
    // All files go into the directory to which the name leads now, even if the name is given to
    // another one.
    let held = Held::open(dir).map_err(|error| cannot("open", &error))?;
    let (dir, name_of_dir) = (held.path(), dir);
    keep_off(&invocation.global.store, dir)?;
    if !invocation.global.force {
        check_replaceable(
            dir,
            &planned
                .iter()
                .map(|(_, file)| file.clone())
                .collect::<Vec<_>>(),
        )?;
    }
    // All files show the same events, unless others consume meanwhile.
    tables.reports(store).bring_to_head()?;
    let (mut files, mut standings) = (Vec::new(), BTreeMap::new());
    for (name, file) in planned {
        let granularity = name.takes_granularity().then_some(Unit::Day);
        // Reports by date cover all dates, not only today.
        let dates = if granularity.is_some() {
            Dates::Range {
                from: None,
                to: None,
            }
        } else {
            Dates::Default
        };
        let (report, standing) = store.reports().load(&Request {
            dates,
            granularity,
            ..Request::of(name)
        })?;
        standings
            .entry(name.reads())
            .or_insert((standing, report.head_sequence));
        replace(&dir.join(&file), |out| {
            invocation.render(&file, &report, format, Options::default(), out)
        })?;
        invocation
            .reporter
            .detail(format_args!("{file}: {} rows", report.height()));
        let (rows, as_of_sequence) = (report.height(), report.as_of_sequence);
        files.push(Exported {
            file,
            report: name.name(),
            rows,
            as_of_sequence,
        });
    }
    let count = files.len();
    write_manifest(store, dir, files)?;
    for (standing, head) in standings.values() {
        invocation.tell_gaps(standing, *head);
    }
    invocation
        .reporter
        .note(&format!("{count} reports are in {}", name_of_dir.display()));
    Ok(Exit::Done)
}

fn write_manifest(store: &OpenStore<'_>, dir: &Path, files: Vec<Exported>) -> Result<(), Failure> {
    let manifest = Manifest {
        company: &store.company.name,
        company_id: store.company.id,
        time_zone: store.company.zone.name(),
        currency: &store.company.currency,
        exported_at: store.app.environment.now(),
        exported_by: &store.caller.user.login,
        head_sequence: store.app.log.head()?.sequence,
        files,
    };
    replace(&dir.join(MANIFEST), |out| {
        serde_json::to_writer_pretty(&mut *out, &manifest).map_err(std::io::Error::from)?;
        Ok(writeln!(out)?)
    })
}

fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut file = Destination::at(path)?;
    file.write(write)?;
    file.finish(Content::Data)
}

//! `repair`

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::app::repair::RepairPlan;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::prompt;
use crate::cli::reporter::Reporter;
use crate::domain::displayed::Displayed;
use crate::event_log::tail::SegmentRange;
use crate::event_log::{HeadFileState, segment};
use crate::files::held::Held;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Repair {
    /// A backup of this store, which replaces damaged bytes of acknowledged events
    #[arg(long, value_name = "BACKUP_DIR")]
    from: Option<PathBuf>,
}

impl Repair {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let app = invocation.app()?;
        // One backup is examined and read, even if its name comes to mean another one.
        let held = self.from.as_deref().and_then(|from| Held::open(from).ok());
        let from = held.as_deref().map(Held::path).or(self.from.as_deref());
        let reporter = invocation.reporter;
        let progress = |done, total| show(reporter, done, total);
        let plan = app.plan_repair(from, &progress)?;
        reporter.finish();
        let mut object = plan.object();
        object["repaired"] = false.into();
        if plan.is_nothing() {
            tell(invocation, &object, "nothing to repair\n")?;
            return Ok(Exit::Done);
        }
        let mut lines = as_lines(&plan);
        if invocation.global.dry_run || !self.is_agreed(invocation, &lines) {
            tell(invocation, &object, &lines)?;
            reporter.remark("nothing was changed; `--yes` carries this out");
            return Ok(Exit::Findings);
        }
        let repaired = app.repair(&plan, from, &progress)?;
        reporter.finish();
        let (kept, report) = (
            repaired.kept.display().to_string(),
            repaired.report.display().to_string(),
        );
        let _ = writeln!(
            lines,
            "repaired; the original bytes are in {kept}\nreport: {report}"
        );
        object["repaired"] = true.into();
        object["kept_in"] = kept.into();
        object["report"] = report.into();
        tell(invocation, &object, &lines)?;
        Ok(Exit::Done)
    }

    fn is_agreed(&self, invocation: &Invocation<'_>, lines: &str) -> bool {
        invocation.global.yes
            || prompt::confirm(invocation.global, &format!("{lines}Do this? [y/N] "))
    }
}

/// Shows no bar for work that takes less than a moment.
fn show(reporter: &Reporter, done: u64, total: u64) {
    if total >= 16 << 20 {
        reporter.progress("bytes", done, total);
    }
}

/// A row for each step; as JSON the report itself.
fn tell(invocation: &Invocation<'_>, object: &Value, lines: &str) -> Result<(), Failure> {
    let steps: Vec<(&str, &str)> = lines
        .lines()
        .map(|line| line.split_once(": ").unwrap_or((line, "")))
        .collect();
    let table = Table::builder()
        .text("step", steps.iter().map(|(step, _)| Some(step)))
        .text("detail", steps.iter().map(|(_, detail)| Some(detail)));
    invocation.answer(&Answer::done(table, lines).with_object(object)?)
}

fn as_lines(plan: &RepairPlan) -> String {
    let mut text = String::new();
    for fault in &plan.damage {
        let _ = writeln!(text, "damaged: {}: {}", fault.place, Displayed(&fault.what));
    }
    for replaced in &plan.replacements {
        let stay = replaced.stay.filter(|bytes| *bytes > 0);
        let stay = stay.map_or_else(String::new, |bytes| {
            format!(", then the {bytes} that follow here")
        });
        let _ = writeln!(
            text,
            "replace: log/{}: {} bytes of the backup{stay}",
            replaced.file_name(),
            replaced.from_backup
        );
    }
    for name in &plan.strays {
        let _ = writeln!(
            text,
            "remove: log/{name}: nothing in it is missing elsewhere"
        );
    }
    let tail = &plan.tail;
    if tail.late_events() > 0 {
        let _ = writeln!(
            text,
            "publish: {} whole events after the head, up to {}",
            tail.late_events(),
            tail.end.sequence
        );
    }
    let acknowledged = match tail.head_file {
        HeadFileState::Sound => "never acknowledged",
        HeadFileState::OneSlot | HeadFileState::Lost => {
            "perhaps acknowledged: a backup may have it (--from)"
        }
    };
    tail.cuts()
        .for_each(|cut| text.push_str(&cut_line(cut, acknowledged)));
    let _ = match tail.head_file {
        HeadFileState::Sound => Ok(()),
        HeadFileState::OneSlot => {
            writeln!(text, "write: log/head: one of its slots cannot be read")
        }
        HeadFileState::Lost => writeln!(
            text,
            "write: log/head: it is lost; the segments end with event {}. It is unknown whether more was acknowledged",
            tail.end.sequence
        ),
    };
    text
}

fn cut_line(cut: &SegmentRange, acknowledged: &str) -> String {
    let lines = match cut.sequences {
        Some((first, last)) if first == last => format!("event {first}"),
        Some((first, last)) => format!("events {first} to {last}"),
        None => "no whole event".to_owned(),
    };
    let name = segment::file_name(cut.segment);
    format!(
        "cut: log/{name} from byte {}: {} bytes, {lines}, {acknowledged}\n",
        cut.bytes.start,
        cut.length()
    )
}

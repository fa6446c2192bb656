//! `verify`

use std::fmt::Write as _;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::app::verify::{Damage, Findings, Phase, Violation};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::reporter::Reporter;
use crate::domain::displayed::Displayed;
use crate::domain::id::Sequence;
use crate::files::held::named;
use crate::reports::table::{Table, TableBuilder};

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Also check every line against its JSON Schema, the rules I1 to I14 of docs/RULES.md, and the tables against a rebuild
    #[arg(long)]
    deep: bool,
}

impl Verify {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let app = invocation.app_to_look()?;
        let began = Instant::now();
        let findings = app.verify(self.deep, &|phase, done, total| {
            show(invocation.reporter, phase, done, total)
        })?;
        let findings = as_people_name(findings);
        invocation.reporter.finish();
        let seconds = began.elapsed().as_secs_f64();
        if findings.is_sound() && invocation.global.is_silent() {
            return Ok(Exit::Done);
        }
        let answer = Answer::done(as_table(&findings), as_lines(&findings, seconds));
        invocation.answer(&answer.with_object(&Shown::of(&findings))?)?;
        Ok(match (findings.damage.is_empty(), findings.is_sound()) {
            (false, _) => Exit::Damaged,
            (true, false) => Exit::Findings,
            (true, true) => Exit::Done,
        })
    }
}

/// The findings with the users' names for paths.
fn as_people_name(mut findings: Findings) -> Findings {
    let texts = findings.notes.iter_mut();
    let texts = texts.chain(
        findings
            .damage
            .iter_mut()
            .flat_map(|damage| [&mut damage.what, &mut damage.remedy]),
    );
    let violations = findings.violations.iter_mut();
    let texts = texts
        .chain(violations.flat_map(|found| [&mut found.place, &mut found.what, &mut found.remedy]));
    texts.for_each(|text| *text = named(text).into_owned());
    findings
}

/// Shows no bar for work that takes less than a moment.
fn show(reporter: &Reporter, phase: Phase, done: u64, total: u64) {
    let (what, least) = match phase {
        Phase::Lines => ("bytes", 16 << 20),
        Phase::History => ("history", 20_000),
    };
    if total >= least {
        reporter.progress(what, done, total);
    }
}

/// The findings as one object.
#[derive(Serialize)]
struct Shown<'a> {
    checked_events: u64,
    checked_bytes: u64,
    head: Option<HeadShown>,
    sound: bool,
    notes: &'a [String],
    damage: &'a [Damage],
    violations: &'a [Violation],
}

#[derive(Serialize)]
struct HeadShown {
    sequence: Sequence,
    hash: String,
}

impl Shown<'_> {
    fn of(findings: &Findings) -> Shown<'_> {
        Shown {
            checked_events: findings.checked_events,
            checked_bytes: findings.checked_bytes,
            head: findings.head.map(|head| HeadShown {
                sequence: head.sequence,
                hash: head.hash.to_string(),
            }),
            sound: findings.is_sound(),
            notes: &findings.notes,
            damage: &findings.damage,
            violations: &findings.violations,
        }
    }
}

/// A row for each finding, damage first.
fn as_table(findings: &Findings) -> TableBuilder {
    let mut rows: Vec<[Option<String>; 4]> = Vec::new();
    for damage in &findings.damage {
        let place = format!(
            "log/{} byte {}, sequence {}",
            damage.segment, damage.byte, damage.sequence
        );
        rows.push(
            [
                "damage".into(),
                place,
                damage.what.clone(),
                damage.remedy.clone(),
            ]
            .map(Some),
        );
    }
    for violation in &findings.violations {
        let Violation {
            invariant,
            place,
            what,
            remedy,
        } = violation.clone();
        rows.push([invariant.to_owned(), place, what, remedy].map(Some));
    }
    rows.extend(
        findings
            .notes
            .iter()
            .map(|note| [Some("note".into()), None, Some(note.clone()), None]),
    );
    ["finding", "place", "what", "remedy"]
        .into_iter()
        .enumerate()
        .fold(Table::builder(), |table, (column, name)| {
            table.text(name, rows.iter().map(|row| row[column].as_deref()))
        })
}

fn as_lines(findings: &Findings, seconds: f64) -> String {
    let mut text = String::new();
    for damage in &findings.damage {
        let (segment, byte, sequence) = (&damage.segment, damage.byte, damage.sequence);
        let what = Displayed(&damage.what);
        let _ = writeln!(
            text,
            "damage: log/{segment} byte {byte}, sequence {sequence}: {what}"
        );
        let _ = writeln!(text, "        {}", Displayed(&damage.remedy));
    }
    for violation in &findings.violations {
        let (place, what) = (Displayed(&violation.place), Displayed(&violation.what));
        let _ = writeln!(text, "{}: {place}: {what}", violation.invariant);
        let _ = writeln!(text, "    {}", Displayed(&violation.remedy));
    }
    if !findings.violations.is_empty() {
        let _ = writeln!(
            text,
            "docs/RULES.md states the rules that findings are named after"
        );
    }
    for note in &findings.notes {
        let _ = writeln!(text, "note: {}", Displayed(note));
    }
    let verdict = if findings.is_sound() {
        "sound"
    } else {
        "NOT sound"
    };
    let mebibytes = findings.checked_bytes as f64 / f64::from(1 << 20);
    let _ = writeln!(
        text,
        "{verdict}: {} events, {mebibytes:.1} MiB, {seconds:.1} s",
        findings.checked_events
    );
    text
}

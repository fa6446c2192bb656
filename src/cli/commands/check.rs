//! `check`: one line, or the numbers, for a monitoring system.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::app::check::{Limits, Measure, Unit};
use crate::app::doctor::Health;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::parse_wait;
use crate::cli::invocation::Invocation;
use crate::cli::metrics::Metrics;
use crate::domain::displayed::Displayed;

/// Tell a monitoring system whether the store is well
///
/// The exit codes are those of Nagios: 0 ok, 1 warning, 2 critical, 3 unknown. A value above its limit
/// is critical; events that are set aside, and a clock that is behind the log, are warnings.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Longest time between the end of a date and its close
    #[arg(long, default_value = "26h", value_parser = parse_wait, value_name = "TIME")]
    close_age: Duration,
    /// Longest time by which a consumer may be behind
    #[arg(long, default_value = "1h", value_parser = parse_wait, value_name = "TIME")]
    lag: Duration,
    /// Number of pay mails that may be given up
    #[arg(long, default_value_t = 0, value_name = "N")]
    mails: u64,
    /// Check the age of the backup in this directory too
    #[arg(long, value_name = "DIR")]
    backup: Option<PathBuf>,
    /// Longest time since the last backup
    #[arg(long, default_value = "26h", value_parser = parse_wait, value_name = "TIME")]
    backup_age: Duration,
    /// Format of the output: a line for Nagios and its relatives, or the numbers
    #[arg(long, value_enum, default_value_t = Form::Nagios)]
    format: Form,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Nagios,
    Json,
    Prometheus,
}

/// The states of a check, by their exit codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl State {
    fn of(measures: &[Measure]) -> State {
        match measures.iter().map(|measure| measure.health).max() {
            None | Some(Health::Ok) => State::Ok,
            Some(Health::Warning) => State::Warning,
            Some(Health::Problem) => State::Critical,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            State::Ok => "OK",
            State::Warning => "WARNING",
            State::Critical => "CRITICAL",
            State::Unknown => "UNKNOWN",
        }
    }

    /// Monitoring systems prescribe these numbers, which have other meanings for other commands.
    const fn exit(self) -> Exit {
        match self {
            State::Ok => Exit::Done,
            State::Warning => Exit::Failure,
            State::Critical => Exit::Usage,
            State::Unknown => Exit::NotFound,
        }
    }
}

impl Check {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        invocation.refuse_dry_run()?;
        if invocation.global.output.is_some() {
            let message = "`check` has formats of its own";
            return Err(Failure::usage(message).hint("use --format nagios, json or prometheus"));
        }
        let measured = self.measured(invocation);
        let (state, text) = match &measured {
            Ok((measures, metrics)) => {
                let state = State::of(measures);
                (
                    state,
                    self.text(state, &findings(measures), measures, metrics.clone()),
                )
            }
            Err(failure) => {
                let said = std::iter::once(&failure.message).chain(&failure.hints);
                let said: Vec<String> = said.cloned().collect();
                let is_damaged = failure.exit == Exit::Damaged;
                let state = if is_damaged {
                    State::Critical
                } else {
                    State::Unknown
                };
                let metrics = Metrics::default();
                (state, self.text(state, &said, &[], metrics))
            }
        };
        invocation.with_output(|out| Ok(out.write_all(text.as_bytes())?))?;
        Ok(state.exit())
    }

    fn measured(&self, invocation: &Invocation<'_>) -> Result<(Vec<Measure>, Metrics), Failure> {
        let store = invocation.store()?;
        let limits = Limits {
            close_age: self.close_age,
            lag: self.lag,
            mails: self.mails,
            backup: self.backup.clone().map(|path| (path, self.backup_age)),
        };
        let status = store.app.status(&store.index)?;
        let measures = store.app.check(&status, &store.company, &limits);
        let mut metrics = Metrics::of(&status);
        let age = measures.iter().find(|measure| measure.name == "backup_age");
        if let Some(age) = age.and_then(|measure| measure.value) {
            metrics.gauge("backup_age_seconds", "Age of the last backup", age);
        }
        Ok((measures, metrics))
    }

    fn text(
        &self,
        state: State,
        findings: &[String],
        measures: &[Measure],
        mut metrics: Metrics,
    ) -> String {
        match self.format {
            Form::Nagios => nagios(state, findings, measures),
            Form::Json => {
                let told: Vec<_> = measures.iter().map(object).collect();
                let state = state.name().to_lowercase();
                format!(
                    "{}\n",
                    json!({"state": state, "findings": findings, "measures": told})
                )
            }
            Form::Prometheus => {
                let help = "Result of the check: 0 ok, 1 warning, 2 critical, 3 unknown";
                metrics.gauge("check_state", help, state as u64);
                metrics.into_text()
            }
        }
    }
}

fn findings(measures: &[Measure]) -> Vec<String> {
    let mut found: Vec<&Measure> = measures
        .iter()
        .filter(|measure| measure.finding.is_some())
        .collect();
    found.sort_by_key(|measure| std::cmp::Reverse(measure.health));
    found
        .into_iter()
        .filter_map(|measure| measure.finding.clone())
        .collect()
}

/// The line that plugins of Nagios print: the state, the findings, and the values with their limits
/// (<https://www.monitoring-plugins.org/doc/guidelines.html>).
fn nagios(state: State, findings: &[String], measures: &[Measure]) -> String {
    let said = if findings.is_empty() {
        "no date is overdue, no consumer is late, no mail was given up".to_owned()
    } else {
        // The bar begins the values.
        findings.join("; ").replace('|', "/")
    };
    let mut line = format!("{} - {}", state.name(), Displayed(&said));
    let values: Vec<String> = measures.iter().filter_map(value).collect();
    if !values.is_empty() {
        let _ = write!(line, " | {}", values.join(" "));
    }
    line.push('\n');
    line
}

/// `name=value[unit];warning;critical`
fn value(measure: &Measure) -> Option<String> {
    let unit = match measure.unit {
        Unit::Count => "",
        Unit::Seconds => "s",
    };
    let mut text = format!("{}={}{unit}", measure.name, measure.value?);
    if let Some(limit) = measure.limit {
        let _ = write!(text, ";;{limit}");
    }
    Some(text)
}

fn object(measure: &Measure) -> serde_json::Value {
    let unit = match measure.unit {
        Unit::Count => "count",
        Unit::Seconds => "seconds",
    };
    json!({
        "name": measure.name, "value": measure.value, "unit": unit, "limit": measure.limit,
        "health": measure.health.name(), "finding": measure.finding,
    })
}

//! An answer that is one object: the answer to a question, or the outcome of a command.
//!
//! It is a table with one row, or a few, so that all list formats can write it. As JSON it is the
//! row itself, with its members in the order of the columns, sometimes with a member that no cell
//! can hold. People get lines instead of a table.

use std::io::Write;

use serde::Serialize;

use crate::cli::emit::rows_in_words;
use crate::cli::failure::Failure;
use crate::cli::invocation::Invocation;
use crate::domain::time::Zone;
use crate::reports::Report;
use crate::reports::render::{Format, Options, render, write_members};
use crate::reports::table::TableBuilder;

pub(super) struct Answer {
    report: Report,
    /// The JSON text, if it contains more than the row.
    object: Option<Vec<u8>>,
    /// The answer for people.
    lines: String,
    /// The text for a pipe, if that is not the row.
    piped: Option<String>,
    is_secret: bool,
    /// The outcome in words, in case that the answer cannot be written; by default the row.
    deed: Option<String>,
    /// The hint in that case.
    remedy: Option<String>,
}

impl Answer {
    /// The answer to a question: people read `lines`, a pipe gets the row.
    pub(super) fn shown(table: TableBuilder, lines: impl Into<String>) -> Answer {
        Answer {
            report: Report::alone(table.build()),
            object: None,
            lines: lines.into(),
            piped: None,
            is_secret: false,
            deed: None,
            remedy: None,
        }
    }

    /// The outcome of a command: `line` is written to a pipe too, unless another format is
    /// requested.
    pub(super) fn done(table: TableBuilder, line: impl Into<String>) -> Answer {
        let line = line.into();
        Answer {
            piped: Some(line.clone()),
            ..Answer::shown(table, line)
        }
    }

    /// People read `lines` instead of the line for a pipe.
    #[must_use]
    pub(super) fn for_people(self, lines: impl Into<String>) -> Answer {
        Answer {
            lines: lines.into(),
            ..self
        }
    }

    /// If the answer cannot be written, the error states `what` instead of the row.
    #[must_use]
    pub(super) fn deed(self, what: impl Into<String>) -> Answer {
        Answer {
            deed: Some(what.into()),
            ..self
        }
    }

    /// The answer contains a secret. If it cannot be written, the secret is lost, and `remedy` is
    /// the hint.
    #[must_use]
    pub(super) fn secret(self, remedy: impl Into<String>) -> Answer {
        Answer {
            is_secret: true,
            ..self.remedy(remedy)
        }
    }

    /// The hint if the answer cannot be written.
    #[must_use]
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Answer {
        Answer {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// The zone in which people read its times.
    #[must_use]
    pub(super) fn in_zone(mut self, zone: &Zone) -> Answer {
        self.report.zone = zone.clone();
        self
    }

    /// The JSON form is `object`.
    pub(super) fn with_object(mut self, object: &impl Serialize) -> Result<Answer, Failure> {
        self.object = Some(json(object)?);
        Ok(self)
    }

    /// The JSON form has one more member than the row and the members before.
    pub(super) fn with_member(
        mut self,
        name: &str,
        value: &impl Serialize,
    ) -> Result<Answer, Failure> {
        let mut object = match self.object.take() {
            Some(mut object) => {
                object.pop();
                object
            }
            None => {
                let mut object = b"{".to_vec();
                write_members(&self.report.table, &mut object)?;
                object
            }
        };
        write!(object, ",\"{name}\":")?;
        object.extend(json(value)?);
        object.push(b'}');
        self.object = Some(object);
        Ok(self)
    }

    fn write(&self, format: Format, options: Options, out: &mut dyn Write) -> Result<(), Failure> {
        match format {
            Format::Table => Ok(out.write_all(self.lines.as_bytes())?),
            Format::Json | Format::Ndjson => {
                let Some(object) = &self.object else {
                    return Ok(render(
                        &self.report,
                        Format::Ndjson,
                        Options::default(),
                        out,
                    )?);
                };
                out.write_all(object)?;
                Ok(out.write_all(b"\n")?)
            }
            Format::Plain if let Some(piped) = &self.piped => Ok(out.write_all(piped.as_bytes())?),
            _ => Ok(render(&self.report, format, options, out)?),
        }
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| std::io::Error::from(error).into())
}

impl Invocation<'_> {
    /// Writes an answer to stdout or to the file of `--out`.
    pub(super) fn answer(&self, answer: &Answer) -> Result<(), Failure> {
        let deed = answer
            .deed
            .clone()
            .unwrap_or_else(|| rows_in_words(&answer.report.table));
        self.remember(&deed, answer.remedy.as_deref());
        if answer.is_secret {
            self.output.hold_secret();
        }
        self.with_pager(|out| answer.write(self.format(), self.options(), out))
    }
}

//! One object as an answer: what was asked for, or what a command has done.
//!
//! It is a table of few rows, mostly one, so that every format of the lists is a format of it as well. As JSON it is
//! the row itself, its members in the order of the columns, sometimes with more than a cell can hold. People read
//! lines instead of a table.

use std::io::Write;

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::invocation::{Invocation, rows_in_words, terminal_width};
use crate::domain::time::Zone;
use crate::reports::error::ReportError;
use crate::reports::render::{Format, Options, render};
use crate::reports::table::{Report, TableBuilder};

pub struct Answer {
    report: Report,
    /// The JSON text, where it is more than the row.
    object: Option<Vec<u8>>,
    lines: String,
    is_deed: bool,
    is_secret: bool,
    /// The outcome in words, in case that the answer gets lost; without it the row tells.
    deed: Option<String>,
    /// The way out in that case.
    remedy: Option<String>,
}

impl Answer {
    /// Something that was asked for: `lines` are for people, a pipe gets the row.
    ///
    /// # Errors
    /// None for columns of one length and different names.
    pub fn shown(table: TableBuilder, lines: impl Into<String>) -> Result<Answer, Failure> {
        let report = Report::alone(table.build().map_err(ReportError::from)?);
        let lines = lines.into();
        Ok(Answer {
            report,
            object: None,
            lines,
            is_deed: false,
            is_secret: false,
            deed: None,
            remedy: None,
        })
    }

    /// What a command has done: `line` is all that it says, in a pipe too, unless another format is asked for.
    ///
    /// # Errors
    /// As [`Answer::shown`].
    pub fn done(table: TableBuilder, line: impl Into<String>) -> Result<Answer, Failure> {
        Ok(Answer {
            is_deed: true,
            ..Answer::shown(table, line)?
        })
    }

    /// If the answer gets lost, `what` is told of it instead of its row.
    #[must_use]
    pub fn deed(self, what: impl Into<String>) -> Answer {
        Answer {
            deed: Some(what.into()),
            ..self
        }
    }

    /// It holds a secret, which is gone if it gets lost: then `remedy` is what to do.
    #[must_use]
    pub fn secret(self, remedy: impl Into<String>) -> Answer {
        Answer {
            is_secret: true,
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// The zone in which people read its times.
    #[must_use]
    pub fn in_zone(mut self, zone: &Zone) -> Answer {
        self.report.zone = zone.clone();
        self
    }

    /// As JSON it is `object`.
    ///
    /// # Errors
    /// If it cannot be JSON.
    pub fn with_object(mut self, object: &impl Serialize) -> Result<Answer, Failure> {
        self.object = Some(json(object)?);
        Ok(self)
    }

    /// As JSON it is the row and one member more.
    ///
    /// # Errors
    /// If `value` cannot be JSON.
    pub fn with_member(mut self, name: &str, value: &impl Serialize) -> Result<Answer, Failure> {
        let mut object = self.row()?;
        // The row's object stays open for what follows.
        object.pop();
        write!(object, ",\"{name}\":")?;
        object.extend(json(value)?);
        object.push(b'}');
        self.object = Some(object);
        Ok(self)
    }

    fn row(&self) -> Result<Vec<u8>, Failure> {
        let mut row = Vec::new();
        render(&self.report, Format::Ndjson, Options::default(), &mut row)?;
        row.truncate(row.trim_ascii_end().len());
        Ok(row)
    }

    fn write(&self, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
        match format {
            Format::Table => Ok(out.write_all(self.lines.as_bytes())?),
            Format::Plain if self.is_deed => Ok(out.write_all(self.lines.as_bytes())?),
            Format::Json | Format::Ndjson => {
                let object = self.object.clone().map_or_else(|| self.row(), Ok)?;
                out.write_all(&object)?;
                Ok(out.write_all(b"\n")?)
            }
            _ => Ok(render(
                &self.report,
                format,
                Options {
                    width: terminal_width(),
                },
                out,
            )?),
        }
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| std::io::Error::from(error).into())
}

impl Invocation<'_> {
    /// Writes an answer where it belongs.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn answer(&self, answer: &Answer) -> Result<(), Failure> {
        let deed = answer
            .deed
            .clone()
            .unwrap_or_else(|| rows_in_words(&answer.report.table));
        self.remember(&deed, answer.remedy.as_deref());
        if answer.is_secret {
            self.output.hold_secret();
        }
        self.with_output(|out| answer.write(self.format(), out))
    }
}

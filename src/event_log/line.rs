//! Parses one line of the log in place.
//!
//! The members have a fixed order, so the envelope is read in one pass; `data` alone is parsed as
//! JSON, and only on demand.

use std::borrow::Cow;

use crate::domain::event::{Actor, Event, EventKind, bounds};
use crate::domain::id::{EventId, Sequence};
use crate::domain::time::EventTime;
use crate::event_log::error::LogError;
use crate::event_log::hash::Hash;
use crate::event_log::upcast;

/// `,"hash":"` + 64 digits + `"}`
pub(super) const HASH_SUFFIX_BYTES: usize = 75;

/// The envelope of one event, borrowed from the bytes of the line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The line without its newline.
    pub text: &'a str,
    pub id: &'a str,
    pub source: &'a str,
    pub type_name: &'a str,
    pub subject: &'a str,
    pub time: &'a str,
    pub sequence: Sequence,
    /// The number of events of the same batch that still follow.
    pub more: u64,
    pub actor: &'a str,
    /// The JSON string literal, quotes included.
    command_id: &'a str,
    pub command_hash: Option<&'a str>,
    pub causation_id: Option<&'a str>,
    pub data: &'a str,
    pub hash: Hash,
}

/// The type of a line, as this version knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineKind {
    /// Readable, perhaps through an upcaster.
    Known(EventKind),
    /// A known name in a version that this program does not know.
    UnknownVersion(EventKind),
    /// A name that this program does not know.
    Unknown,
}

impl<'a> Line<'a> {
    /// Reads the envelope. `bytes` has no newline at its end.
    ///
    /// # Errors
    /// The fault in words.
    pub fn parse(bytes: &'a [u8]) -> Result<Line<'a>, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"))?;
        let mut at = Cursor { text, at: 0 };
        at.expect(r#"{"specversion":"1.0","id":""#)?;
        let id = at.until_quote()?;
        at.expect(r#","source":""#)?;
        let source = at.until_quote()?;
        at.expect(r#","type":""#)?;
        let type_name = at.until_quote()?;
        at.expect(r#","subject":""#)?;
        let subject = at.until_quote()?;
        at.expect(r#","time":""#)?;
        let time = at.until_quote()?;
        at.expect(r#","sequence":""#)?;
        let sequence = at.sequence()?;
        at.expect(r#","more":"#)?;
        let more = at.number()?;
        at.expect(r#","actor":""#)?;
        let actor = at.until_quote()?;
        at.expect(r#","commandid":"#)?;
        let command_id = at.string_literal()?;
        let command_hash = at.optional(r#","commandhash":""#)?;
        let causation_id = at.optional(r#","causationid":""#)?;
        at.expect(r#","data":"#)?;
        let (data, hash) = at.data_and_hash()?;
        Ok(Line {
            text,
            id,
            source,
            type_name,
            subject,
            time,
            sequence,
            more,
            actor,
            command_id,
            command_hash,
            causation_id,
            data,
            hash,
        })
    }

    /// The right hash of this line after a line with the hash `previous`.
    pub fn computed_hash(&self, previous: &Hash) -> Hash {
        let bytes = self.text.as_bytes();
        Hash::of_line(previous, &bytes[..bytes.len() - HASH_SUFFIX_BYTES])
    }

    pub fn kind(&self) -> LineKind {
        if let Some(kind) =
            EventKind::of_type(self.type_name).or_else(|| upcast::target(self.type_name))
        {
            return LineKind::Known(kind);
        }
        let name = self
            .type_name
            .rsplit_once(".v")
            .map_or(self.type_name, |(name, _)| name);
        match EventKind::ALL.iter().find(|kind| kind.name() == name) {
            Some(kind) => LineKind::UnknownVersion(*kind),
            None => LineKind::Unknown,
        }
    }

    /// The event, lifted to its current version, with all values within their bounds.
    ///
    /// # Errors
    /// [`LogError::Undecodable`], [`LogError::UnknownVersion`]
    pub fn event(&self) -> Result<Event, LogError> {
        let event = self.unbounded_event()?;
        bounds::check(&event).map_err(|error| self.undecodable(error))?;
        Ok(event)
    }

    /// The event, without a check of the bounds of its values.
    pub(super) fn unbounded_event(&self) -> Result<Event, LogError> {
        let decoded = match EventKind::of_type(self.type_name) {
            Some(kind) => {
                Event::deserialize_data(kind, &mut serde_json::Deserializer::from_str(self.data))
            }
            None => match upcast::lift(self.type_name, self.data) {
                Some(lifted) => lifted,
                None => {
                    let type_name = self.type_name.to_owned();
                    return Err(LogError::UnknownVersion {
                        sequence: self.sequence,
                        type_name,
                    });
                }
            },
        };
        decoded.map_err(|error| self.undecodable(error))
    }

    /// # Errors
    /// [`LogError::Undecodable`]
    pub fn event_id(&self) -> Result<EventId, LogError> {
        self.id.parse().map_err(|error| self.undecodable(error))
    }

    /// # Errors
    /// [`LogError::Undecodable`]
    pub fn event_time(&self) -> Result<EventTime, LogError> {
        let time = self.time.parse().map_err(|error| self.undecodable(error))?;
        bounds::moment(time).map_err(|error| self.undecodable(error))?;
        Ok(time)
    }

    /// # Errors
    /// [`LogError::Undecodable`]
    pub fn acting(&self) -> Result<Actor, LogError> {
        self.actor
            .parse()
            .map_err(|()| self.undecodable(format!("`{}` is not an actor", self.actor)))
    }

    /// The idempotency key.
    pub fn command_id(&self) -> Cow<'a, str> {
        let inner = &self.command_id[1..self.command_id.len() - 1];
        if memchr::memchr(b'\\', inner.as_bytes()).is_some() {
            Cow::Owned(serde_json::from_str(self.command_id).unwrap_or_else(|_| inner.to_owned()))
        } else {
            Cow::Borrowed(inner)
        }
    }

    /// Whether the key is written in the form in which this program writes it.
    pub(super) fn is_command_id_plain(&self) -> bool {
        let inner = &self.command_id.as_bytes()[1..self.command_id.len() - 1];
        if inner.iter().all(|byte| *byte >= b' ' && *byte != b'\\') {
            return true;
        }
        let key = serde_json::from_str::<String>(self.command_id);
        key.is_ok_and(|key| {
            serde_json::to_string(&key).is_ok_and(|written| written == self.command_id)
        })
    }

    /// An error that names this line.
    pub fn undecodable(&self, reason: impl ToString) -> LogError {
        LogError::Undecodable {
            sequence: self.sequence,
            type_name: self.type_name.to_owned(),
            reason: reason.to_string(),
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    // Inlined, because a comparison of known length needs no call.
    #[inline(always)]
    fn expect(&mut self, literal: &str) -> Result<(), String> {
        if self.rest().starts_with(literal.as_bytes()) {
            self.at += literal.len();
            Ok(())
        } else {
            Err(self.expected(&format!("`{literal}`")))
        }
    }

    #[cold]
    fn expected(&self, what: &str) -> String {
        format!("expected {what} at column {}", self.at + 1)
    }

    /// The value of a member that never needs escapes, up to its closing quote.
    fn until_quote(&mut self) -> Result<&'a str, String> {
        let length =
            memchr::memchr2(b'"', b'\\', self.rest()).filter(|end| self.rest()[*end] == b'"');
        let length =
            length.ok_or_else(|| format!("a text without end at column {}", self.at + 1))?;
        let value = &self.text[self.at..self.at + length];
        self.at += length + 1;
        Ok(value)
    }

    fn optional(&mut self, literal: &str) -> Result<Option<&'a str>, String> {
        if !self.rest().starts_with(literal.as_bytes()) {
            return Ok(None);
        }
        self.at += literal.len();
        self.until_quote().map(Some)
    }

    fn sequence(&mut self) -> Result<Sequence, String> {
        let column = self.at + 1;
        let digits = self.until_quote()?;
        if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!(
                "`{digits}` at column {column} is not a sequence of 20 digits"
            ));
        }
        let sequence = digits
            .parse()
            .ok()
            .map(Sequence)
            .filter(|sequence| *sequence <= Sequence::MAX);
        sequence.ok_or_else(|| format!("the sequence at column {column} is too large"))
    }

    fn number(&mut self) -> Result<u64, String> {
        let digits = self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let value = &self.text[self.at..self.at + digits];
        let plain = !value.starts_with('0') || value.len() == 1;
        let number = value
            .parse()
            .ok()
            .filter(|number| plain && *number <= Sequence::MAX.0);
        self.at += digits;
        number.ok_or_else(|| self.expected("a number"))
    }

    /// A JSON string that may hold escapes, quotes included.
    fn string_literal(&mut self) -> Result<&'a str, String> {
        let start = self.at;
        let unended = || format!("a text without end at column {}", start + 1);
        if self.rest().first() != Some(&b'"') {
            return Err(self.expected("a text"));
        }
        self.at += 1;
        loop {
            let offset = memchr::memchr2(b'"', b'\\', self.rest()).ok_or_else(unended)?;
            match self.rest()[offset] {
                b'"' => {
                    self.at += offset + 1;
                    return Ok(&self.text[start..self.at]);
                }
                // Skips the escaped byte; if this splits a character, no quote follows it.
                _ if self.rest().len() > offset + 2 => self.at += offset + 2,
                _ => return Err(unended()),
            }
        }
    }

    fn data_and_hash(&mut self) -> Result<(&'a str, Hash), String> {
        let end = self
            .text
            .len()
            .checked_sub(HASH_SUFFIX_BYTES)
            .filter(|end| *end > self.at);
        let end = end.ok_or("the line ends too early")?;
        let suffix = &self.text.as_bytes()[end..];
        if !suffix.starts_with(br#","hash":""#) || !suffix.ends_with(br#""}"#) {
            return Err("expected the member `hash` at the end".to_owned());
        }
        let hash = Hash::from_ascii(&suffix[9..73]).expect("64 bytes");
        // `end` is a character boundary, because a comma is there.
        Ok((&self.text[self.at..end], hash))
    }
}

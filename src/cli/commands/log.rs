//! `log tail`, `log show`, `log stats`

mod told;

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::app::command::{known_task, known_user};
use crate::cli::answer::Answer;
use crate::cli::emit::list;
use crate::cli::failure::{Exit, Failure};
use crate::cli::indented::indented;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::rows::RowArgs;
use crate::cli::signals::Signals;
use crate::domain::event::Subject;
use crate::domain::id::Sequence;
use crate::event_log::schema::SCHEMAS;
use crate::event_log::{FileLog, Line, LogError};
use crate::reports::render::Format;
use crate::reports::table::{Table, TableBuilder, Value};
use told::Teller;

const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Subcommand, Debug)]
pub(crate) enum Log {
    /// Show the last events, or all from a sequence on: in words at a terminal, elsewhere as they are in the log
    Tail(Tail),
    /// Show one event
    Show(Show),
    /// Count the events of each type
    Stats(Stats),
}

#[derive(Args, Debug)]
pub(crate) struct Tail {
    /// Continue with new events
    #[arg(short, long)]
    follow: bool,
    /// Only events of this type, with or without its version
    #[arg(long = "type", value_name = "TYPE")]
    type_name: Option<String>,
    /// Only events about this task, user, day/DATE or company
    #[arg(long)]
    subject: Option<String>,
    /// Start at this sequence
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// Largest number of events; by default the last 10, or all from --from on
    #[arg(short = 'n', long = "count", value_name = "COUNT")]
    count: Option<usize>,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The event's sequence
    sequence: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Stats {
    #[command(flatten)]
    rows: RowArgs,
}

impl Log {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        let log = store.app.events(&store.caller)?;
        match self {
            Log::Tail(command) => command.resolved(&store, log)?.run(invocation, &store, log),
            Log::Show(command) => command.run(invocation, &store, log),
            Log::Stats(Stats { rows }) => stats(invocation, &store, log, rows),
        }
    }
}

/// The treatment of the text of a line.
type Visit<'v> = dyn FnMut(&str) -> Result<(), Failure> + 'v;

impl Tail {
    /// The request with type and subject as in the log.
    fn resolved(self, store: &OpenStore<'_>, log: &FileLog) -> Result<Tail, Failure> {
        if let Some(name) = self.type_name.as_deref()
            && !SCHEMAS
                .iter()
                .any(|schema| is_type(&schema.type_name(), name))
            && !self.occurs(log)?
        {
            let failure = Failure::new(
                Exit::NotFound,
                "unknown_type",
                format!("there is no event type `{name}`"),
            );
            return Err(failure.hint("`popug-cli schema list` shows all"));
        }
        let subject = self
            .subject
            .as_deref()
            .map(|name| subject(store, name))
            .transpose()?;
        Ok(Tail { subject, ..self })
    }

    fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
        log: &FileLog,
    ) -> Result<Exit, Failure> {
        let format = invocation.format();
        if matches!(format, Format::Table | Format::Plain | Format::Ndjson) {
            return self.lines(invocation, store, log);
        } else if self.follow {
            return Err(Failure::usage("--follow writes one line after the other")
                .hint("leave -o out, or say -o ndjson"));
        } else {
            let mut lines = Vec::new();
            self.first_lines(log, &mut |line| {
                lines.push(line.to_owned());
                Ok(())
            })?;
            let lines: Vec<_> = lines
                .iter()
                .map(|line| Line::parse(line.as_bytes()).expect("parsed when it was read"))
                .collect();
            let table = rows(&lines)?.build();
            invocation.emit(&list(store, "log-tail", table, vec![])?)?;
        }
        Ok(Exit::Done)
    }

    /// Writes the lines as in the log, for people in words.
    fn lines(
        &self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
        log: &FileLog,
    ) -> Result<Exit, Failure> {
        let is_for_people = invocation.format() == Format::Table;
        let teller = is_for_people.then(|| Teller::new(&store.index, &store.company.zone));
        let write = |out: &mut dyn Write, line: &str| match &teller {
            Some(teller) => {
                let line = Line::parse(line.as_bytes()).expect("parsed when it was read");
                Ok(writeln!(out, "{}", teller.line(&line)?)?)
            }
            None => Ok(writeln!(out, "{line}")?),
        };
        if !self.follow {
            invocation.with_pager(|out| {
                self.first_lines(log, &mut |line| write(out, line))
                    .map(drop)
            })?;
            return Ok(Exit::Done);
        }
        let mut exit = Exit::Done;
        invocation.with_output(|out| {
            let mut next = self.first_lines(log, &mut |line| write(out, line))?;
            // In a process of its own the first signal ends the command. In a shell the shell
            // continues, and a file is completed.
            let listens = invocation.global.host.is_some() || invocation.global.out.is_some();
            let signals = listens.then(Signals::listen).transpose()?;
            loop {
                out.flush()?;
                match signals.as_ref().map(|signals| signals.wait(LOOK_AGAIN)) {
                    None => std::thread::sleep(LOOK_AGAIN),
                    Some(None) => {}
                    Some(Some(signal)) => {
                        exit = signal.exit();
                        return Ok(());
                    }
                }
                // Events of other machines; if the remote is away, they come later.
                let _ = log.follow();
                next = self.lines_from(log, next, &mut |line| write(out, line))?;
            }
        })?;
        Ok(exit)
    }

    /// Checks whether the log has such events; other programs may write types of their own.
    fn occurs(&self, log: &FileLog) -> Result<bool, Failure> {
        let mut found = false;
        log.for_each(Sequence::FIRST, &mut |line| {
            found |= self
                .type_name
                .as_deref()
                .is_some_and(|wanted| is_type(line.type_name, wanted));
            Ok(())
        })?;
        Ok(found)
    }

    fn is_wanted(&self, line: &Line<'_>) -> bool {
        self.type_name
            .as_deref()
            .is_none_or(|wanted| is_type(line.type_name, wanted))
            && self
                .subject
                .as_deref()
                .is_none_or(|wanted| line.subject == wanted)
    }

    /// Visits the requested events. Returns the sequence to continue with.
    fn first_lines(&self, log: &FileLog, visit: &mut Visit<'_>) -> Result<Sequence, Failure> {
        let head = log.head()?.sequence;
        let has_filter = self.type_name.is_some() || self.subject.is_some();
        if let Some(from) = self.from {
            let from = Sequence(from.max(1));
            if from > head.next() {
                return Err(not_there(from.0, head));
            }
            return self.some_lines_from(log, from, self.count.unwrap_or(usize::MAX), visit);
        }
        let count = self.count.unwrap_or(10);
        let from = if has_filter {
            1
        } else {
            (head.0 + 1).saturating_sub(count as u64).max(1)
        };
        let mut last = VecDeque::new();
        log.for_each(Sequence(from), &mut |line| {
            if self.is_wanted(line) {
                last.push_back(line.text.to_owned());
                if last.len() > count {
                    last.pop_front();
                }
            }
            Ok(())
        })?;
        for line in last {
            visit(&line)?;
        }
        Ok(head.next())
    }

    fn some_lines_from(
        &self,
        log: &FileLog,
        from: Sequence,
        count: usize,
        visit: &mut Visit<'_>,
    ) -> Result<Sequence, Failure> {
        let mut reader = log.read(from)?;
        let mut left = count;
        while left > 0 {
            let Some(line) = reader.next_line()? else {
                break;
            };
            if self.is_wanted(&line) {
                left -= 1;
                visit(line.text)?;
            }
        }
        Ok(reader.head().sequence.next())
    }

    fn lines_from(
        &self,
        log: &FileLog,
        from: Sequence,
        visit: &mut Visit<'_>,
    ) -> Result<Sequence, Failure> {
        if log.head()?.sequence < from {
            return Ok(from);
        }
        self.some_lines_from(log, from, usize::MAX, visit)
    }
}

/// Whether a type is the wanted one, which may lack its version.
fn is_type(type_name: &str, wanted: &str) -> bool {
    type_name == wanted
        || type_name
            .rsplit_once(".v")
            .is_some_and(|(name, _)| name == wanted)
}

fn subject(store: &OpenStore<'_>, name: &str) -> Result<String, Failure> {
    if name == "company"
        || ["task/", "user/", "day/"]
            .iter()
            .any(|kind| name.starts_with(kind))
    {
        return Ok(name.to_owned());
    }
    match known_task(&store.index, name) {
        Ok(task) => Ok(Subject::Task(task.id).to_string()),
        Err(no_task) => match known_user(&store.index, name) {
            Ok(user) => Ok(Subject::User(user.id).to_string()),
            Err(_) => Err(no_task.into()),
        },
    }
}

fn not_there(sequence: u64, head: Sequence) -> Failure {
    Failure::new(
        Exit::NotFound,
        "unknown_event",
        format!("there is no event {sequence}; the last is {head}"),
    )
    .hint("`popug-cli log tail` shows the last ones")
}

impl Show {
    fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
        log: &FileLog,
    ) -> Result<Exit, Failure> {
        let head = log.head()?.sequence;
        let line = match log.line(Sequence(self.sequence)) {
            Err(LogError::NotOnChain { .. }) => return Err(not_there(self.sequence, head)),
            other => other?,
        };
        let line = line.line();
        match invocation.format() {
            Format::Plain | Format::Json | Format::Ndjson => {
                invocation.with_output(|out| Ok(writeln!(out, "{}", line.text)?))?;
            }
            _ => {
                let answer = Answer::shown(rows(&[line])?, indented(line.text));
                invocation.answer(&answer.in_zone(&store.company.zone))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The events' envelopes, with their data as JSON.
fn rows(lines: &[Line<'_>]) -> Result<TableBuilder, Failure> {
    let times = lines
        .iter()
        .map(|line| line.event_time().map(Some))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Table::builder()
        .int("sequence", lines.iter().map(|line| Some(line.sequence.0)))
        .time("time", times)
        .text("type", lines.iter().map(|line| Some(line.type_name)))
        .text("source", lines.iter().map(|line| Some(line.source)))
        .text("subject", lines.iter().map(|line| Some(line.subject)))
        .text("actor", lines.iter().map(|line| Some(line.actor)))
        .text(
            "commandid",
            lines.iter().map(|line| Some(line.command_id())),
        )
        .text("causationid", lines.iter().map(|line| line.causation_id))
        .text("id", lines.iter().map(|line| Some(line.id)))
        .text("data", lines.iter().map(|line| Some(line.data))))
}

/// The figures of one type.
#[derive(Default)]
struct Count {
    events: u64,
    bytes: u64,
    first: u64,
    last: u64,
}

fn stats(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    log: &FileLog,
    rows: RowArgs,
) -> Result<Exit, Failure> {
    let mut types: BTreeMap<String, Count> = BTreeMap::new();
    log.for_each(Sequence::FIRST, &mut |line| {
        if !types.contains_key(line.type_name) {
            types.insert(
                line.type_name.to_owned(),
                Count {
                    first: line.sequence.0,
                    ..Count::default()
                },
            );
        }
        let count = types.get_mut(line.type_name).expect("inserted above");
        count.events += 1;
        count.bytes += line.text.len() as u64 + 1;
        count.last = line.sequence.0;
        Ok(())
    })?;
    let table = Table::builder()
        .text("type", types.keys().map(Some))
        .int("events", types.values().map(|count| Some(count.events)))
        .int("bytes", types.values().map(|count| Some(count.bytes)))
        .int(
            "first_sequence",
            types.values().map(|count| Some(count.first)),
        )
        .int(
            "last_sequence",
            types.values().map(|count| Some(count.last)),
        )
        .build();
    let sum = |part: fn(&Count) -> u64| {
        Value::Int(
            types
                .values()
                .map(part)
                .sum::<u64>()
                .try_into()
                .unwrap_or(i64::MAX),
        )
    };
    let totals = vec![
        ("events", sum(|count| count.events)),
        ("bytes", sum(|count| count.bytes)),
    ];
    invocation.emit(&rows.arrange(list(store, "log-stats", table, totals)?)?)?;
    Ok(Exit::Done)
}

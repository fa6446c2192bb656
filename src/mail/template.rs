//! The text of pay mails: a template in the language of Jinja, with the facts of a payout filled in.
//!
//! A template writes the whole mail: `Subject: ...`, an empty line, the text. It is tried out on made-up
//! payouts before it is used, so a template with a fault is refused before any mail goes out.
//!
//! Texts of users are escaped before a template gets them. Amounts stand before the texts of tasks in the
//! templates of this program, so that they line up whatever script a title is in.

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;
use textwrap::core::display_width;
use textwrap::{Options, WordSplitter};

use crate::domain::displayed::Displayed;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::mail::pay_mail::{Line, PayMail};

/// Longer lines are broken.
const COLUMNS: usize = 72;
const NAME: &str = "mail";
const SUBJECT: &str = "Subject: ";
/// A template cannot ask for more.
const PAD_MAX: usize = 200;

/// The languages in which a template is at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    #[default]
    English,
    Russian,
}

impl Language {
    pub const ALL: [Language; 2] = [Language::English, Language::Russian];

    /// ISO 639-1.
    pub const fn name(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Russian => "ru",
        }
    }

    /// The template.
    pub const fn text(self) -> &'static str {
        match self {
            Language::English => include_str!("templates/en.txt"),
            Language::Russian => include_str!("templates/ru.txt"),
        }
    }
}

/// A template that was tried out.
pub struct Template(Environment<'static>);

/// Why a template is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct BadTemplate {
    /// Counted from 1; `None` if the fault is in no single line.
    pub line: Option<usize>,
    pub what: String,
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl From<minijinja::Error> for BadTemplate {
    fn from(error: minijinja::Error) -> BadTemplate {
        let what = match (error.kind(), error.detail()) {
            (ErrorKind::UndefinedError, None) => "there is no such name".to_owned(),
            (kind, None) => kind.to_string(),
            (kind, Some(detail)) => format!("{kind}: {detail}"),
        };
        BadTemplate {
            line: error.line(),
            what: Displayed(&what).to_string(),
        }
    }
}

/// The text of a mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Lines end in a line feed; composing makes them CRLF.
    pub text: String,
}

impl Template {
    /// # Panics
    /// If a template of this program has a fault.
    pub fn in_language(language: Language) -> Template {
        Template::parse(language.text()).expect("the templates of this program are sound")
    }

    /// Parses a template and tries it out.
    ///
    /// # Errors
    /// The first fault with its line.
    pub fn parse(text: &str) -> Result<Template, BadTemplate> {
        let mut environment = Environment::new();
        environment.set_syntax(tags_on_lines_of_their_own());
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.add_filter("left", |text: String, columns: usize| {
            pad(&text, columns, false)
        });
        environment.add_filter("right", |text: String, columns: usize| {
            pad(&text, columns, true)
        });
        environment.add_filter("behind", |text: String, first: String| {
            behind(&first, &text)
        });
        environment.add_template_owned(NAME, text.to_owned())?;
        let template = Template(environment);
        for reply_to in [None, Some("payroll@popug.example")] {
            for mail in PayMail::made_up() {
                template.try_out(&mail, reply_to)?;
            }
        }
        Ok(template)
    }

    /// The text of a mail. `reply_to` is the address to which answers go, if it is not the sender's.
    ///
    /// # Errors
    /// If the template cannot be filled in, or makes no mail.
    pub fn write(&self, mail: &PayMail, reply_to: Option<&str>) -> Result<Letter, BadTemplate> {
        let facts = Value::from(Serde(Facts::of(mail, reply_to)));
        let written = self.0.get_template(NAME)?.render(facts)?;
        let no_mail = |what: &str| BadTemplate {
            line: None,
            what: what.to_owned(),
        };
        let (subject, text) = written
            .split_once("\n\n")
            .ok_or_else(|| no_mail("an empty line must stand between the subject and the text"))?;
        let subject = subject
            .strip_prefix(SUBJECT)
            .filter(|subject| !subject.trim().is_empty() && !subject.contains('\n'))
            .ok_or_else(|| no_mail("the first line must be `Subject: ` and the subject"))?;
        let lines: Vec<String> = text.trim_end().lines().map(broken).collect();
        Ok(Letter {
            subject: subject.trim().to_owned(),
            text: lines.join("\n") + "\n",
        })
    }

    /// Checks that the mail of a made-up payout states everything that rule A9 demands.
    fn try_out(&self, mail: &PayMail, reply_to: Option<&str>) -> Result<(), BadTemplate> {
        let Letter { text, .. } = self.write(mail, reply_to)?;
        let (amount, earned, debt) = (mail.amount, mail.earned, mail.opening);
        let mut demanded = vec![
            ("company", mail.company.clone()),
            ("amount", amount.to_string()),
            ("earned", earned.to_string()),
            ("debt", debt.to_string()),
            ("year", mail.date.civil().year().to_string()),
            ("day", format!("{:02}", mail.date.civil().day())),
        ];
        for line in &mail.lines {
            demanded.push(("line.amount", signed(line.amount)));
            demanded.push(("line.number", line.task_number.to_string()));
            demanded.push(("line.title", line.title.clone()));
        }
        match demanded.iter().find(|(_, part)| !text.contains(part)) {
            None => Ok(()),
            Some((name, _)) => Err(BadTemplate {
                line: None,
                what: format!("every pay mail must state `{name}`, and this text leaves it out"),
            }),
        }
    }
}

/// The names that a template may use.
#[derive(Serialize)]
struct Facts<'a> {
    company: String,
    currency: String,
    zone: String,
    name: String,
    /// `2026-11-22`
    date: String,
    day: String,
    month: String,
    year: String,
    amount: String,
    earned: String,
    debt: String,
    payout_id: String,
    reply_to: Option<&'a str>,
    lines: Vec<LineFacts>,
    /// The width of the widest of `amount`, `earned` and `debt`.
    sum_width: usize,
    /// The width of the widest amount of `lines`.
    line_width: usize,
}

#[derive(Serialize)]
struct LineFacts {
    kind: &'static str,
    amount: String,
    number: u64,
    jira_id: Option<String>,
    title: String,
    /// `T-12 UP-7 Fix the login page`
    task: String,
}

impl<'a> Facts<'a> {
    fn of(mail: &PayMail, reply_to: Option<&'a str>) -> Facts<'a> {
        let shown = |text: &str| Displayed(text).to_string();
        let (date, lines) = (mail.date.civil(), &mail.lines);
        let sums = [
            mail.amount.to_string(),
            signed(mail.earned),
            signed(mail.opening),
        ];
        let sum_width = sums.iter().map(String::len).max().unwrap_or(0);
        let [amount, earned, debt] = sums;
        let amounts = lines.iter().map(|line| signed(line.amount).len());
        Facts {
            company: shown(&mail.company),
            currency: shown(&mail.currency),
            zone: shown(&mail.zone),
            name: shown(mail.to_name.trim()),
            date: mail.date.to_string(),
            day: format!("{:02}", date.day()),
            month: format!("{:02}", date.month()),
            year: date.year().to_string(),
            amount,
            earned,
            debt,
            payout_id: mail.payout_id.to_string(),
            reply_to,
            sum_width,
            line_width: amounts.max().unwrap_or(0),
            lines: lines.iter().map(LineFacts::of).collect(),
        }
    }
}

impl LineFacts {
    fn of(line: &Line) -> LineFacts {
        let jira_id = line.jira_id.as_deref();
        let jira_id = jira_id.map(|id| Displayed(id).to_string());
        let title = Displayed(&line.title).to_string();
        let before = jira_id
            .as_ref()
            .map_or_else(String::new, |id| format!("{id} "));
        LineFacts {
            kind: line.kind.name(),
            amount: signed(line.amount),
            number: line.task_number,
            task: format!("T-{} {before}{title}", line.task_number),
            jira_id,
            title,
        }
    }
}

impl PayMail {
    /// A payout that was never made, to show what a mail looks like.
    pub fn trial() -> PayMail {
        let [trial, _] = PayMail::made_up();
        trial
    }

    /// Payouts that were never made, to try a template out: one with every kind of line, one without
    /// a debt.
    pub(super) fn made_up() -> [PayMail; 2] {
        let line = |kind, task_number, jira_id: Option<&str>, title: &str, amount| Line {
            kind,
            task_number,
            jira_id: jira_id.map(str::to_owned),
            title: title.to_owned(),
            amount: Money::from_minor(amount),
        };
        let (fee, reward) = (EntryKind::Fee, EntryKind::Reward);
        let first = PayMail {
            payout_id: crate::domain::id::PayoutId::from_uuid(uuid::Uuid::nil()),
            company: "UberPopug".to_owned(),
            currency: "EUR".to_owned(),
            zone: "Europe/Moscow".to_owned(),
            date: "2026-11-22".parse().expect("a date"),
            to_name: "Анна Кузнецова".to_owned(),
            to_address: "anna@popug.example".to_owned(),
            amount: Money::from_minor(2_611),
            opening: Money::from_minor(-1_242),
            earned: Money::from_minor(3_853),
            lines: vec![
                line(fee, 417, Some("UP-7"), "Wash", -1_501),
                line(reward, 538, None, "Feed", 4_004),
                line(EntryKind::Correction, 659, None, "Sing", 1_350),
            ],
        };
        let second = PayMail {
            opening: Money::ZERO,
            earned: Money::from_minor(4_004),
            amount: Money::from_minor(4_004),
            lines: vec![first.lines[1].clone()],
            ..first.clone()
        };
        [first, second]
    }
}

/// A line with nothing but a tag leaves no line behind.
fn tags_on_lines_of_their_own() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    syntax.build().expect("the delimiters are those of Jinja")
}

/// `+25.00`, `-12.00`, `0.00`
fn signed(amount: Money) -> String {
    let plus = if amount.is_positive() { "+" } else { "" };
    format!("{plus}{amount}")
}

fn pad(text: &str, columns: usize, is_before: bool) -> String {
    let blanks = " ".repeat(columns.min(PAD_MAX).saturating_sub(display_width(text)));
    if is_before {
        blanks + text
    } else {
        text.to_owned() + &blanks
    }
}

/// The text behind `first`, in lines that begin in the same column.
fn behind(first: &str, text: &str) -> String {
    let rest = " ".repeat(display_width(first).min(COLUMNS / 2));
    textwrap::fill(text, within_columns(&rest).initial_indent(first))
}

/// Words stay whole, dates and ids too, unless they are longer than a line.
fn within_columns(rest: &str) -> Options<'_> {
    Options::new(COLUMNS)
        .subsequent_indent(rest)
        .word_splitter(WordSplitter::NoHyphenation)
}

/// A line in lines that are not too long.
fn broken(line: &str) -> String {
    if display_width(line) <= COLUMNS {
        return line.to_owned();
    }
    let begins = line.len() - line.trim_start().len();
    let indent = " ".repeat(begins.min(COLUMNS / 2));
    textwrap::fill(line, within_columns(&indent))
}

#[cfg(test)]
mod tests;

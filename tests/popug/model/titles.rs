//! Titles as people type them, and how they are parsed.

use super::command::Command;
use super::rules::Refusal;

/// Whether it is an error, and otherwise how a title and a jira id are understood.
type Read = Result<(&'static str, Option<&'static str>), &'static str>;

/// A title as typed, and how it is parsed.
pub const TITLES: [(&str, Option<&str>, Read); 14] = [
    ("Feed the popugs", None, Ok(("Feed the popugs", None))),
    (
        "[UP-7] Fix the perch",
        None,
        Ok(("Fix the perch", Some("UP-7"))),
    ),
    (
        "[UP-8] - Накормить попугов",
        None,
        Ok(("Накормить попугов", Some("UP-8"))),
    ),
    (
        "UP-9 - Clean the cage",
        None,
        Ok(("Clean the cage", Some("UP-9"))),
    ),
    (
        "UP-9 – Clean the cage",
        None,
        Ok(("Clean the cage", Some("UP-9"))),
    ),
    (
        "UP-10 — Open the window",
        None,
        Ok(("Open the window", Some("UP-10"))),
    ),
    ("UTF-8 support", None, Ok(("UTF-8 support", None))),
    ("  Buy seeds ", None, Ok(("Buy seeds", None))),
    (
        "Fix the perch",
        Some("UP-7"),
        Ok(("Fix the perch", Some("UP-7"))),
    ),
    ("[UP-7] Fix the perch", Some("UP-8"), Err("two_jira_ids")),
    ("Fix the [old] perch", None, Err("bracket_in_title")),
    ("Fix the perch", Some("up-7"), Err("bad_jira_id")),
    ("   ", None, Err("empty")),
    ("Two\nlines", None, Err("line_break")),
];

/// Title, jira id and description of a new task.
pub fn titled(
    command: &Command,
) -> Result<(&'static str, Option<&'static str>, Option<String>), Refusal> {
    let Command::AddTask {
        title,
        jira_id,
        description,
    } = command
    else {
        unreachable!("only tasks have titles")
    };
    let is_typed =
        |(typed, id, _): &&(&str, Option<&str>, Read)| typed == title && *id == jira_id.as_deref();
    let (_, _, read) = TITLES.iter().find(is_typed).expect("one of the list");
    let (title, jira_id) = (*read).map_err(|code| (6, code))?;
    Ok((
        title,
        jira_id,
        description.clone().filter(|text| !text.is_empty()),
    ))
}

//! Events as the model expects them.

use super::*;

/// `-12.5` is -1250.
pub fn minor(text: &str) -> i64 {
    let (units, hundredths) = text.split_once('.').unwrap_or((text, "0"));
    let minor = units
        .trim_start_matches('-')
        .parse::<i64>()
        .expect("digits")
        * 100
        + format!("{hundredths:0<2}").parse::<i64>().expect("digits");
    if text.starts_with('-') { -minor } else { minor }
}

/// The content of a command that is compared when its key is used again.
pub fn canonical(command: &Command) -> Value {
    match command {
        Command::AddTask { .. } => match titled(command) {
            Ok((title, jira_id, description)) => json!(["add", title, jira_id, description]),
            Err(_) => json!(command),
        },
        Command::EditTask { task, .. } => edits::canonical_edit(command, task),
        Command::CancelTask {
            task,
            reason,
            keep_fees,
        } => {
            let task = task.trim_start_matches("T-");
            json!(["cancel", task, reason.trim(), keep_fees])
        }
        Command::CompleteTasks { tasks } => {
            json!([
                "complete",
                tasks
                    .iter()
                    .map(|name| name.trim_start_matches("T-"))
                    .collect::<Vec<_>>()
            ])
        }
        Command::CorrectEntry {
            entry,
            amount,
            reason,
        } => {
            json!([
                "correct",
                entry,
                amount.as_deref().map(minor),
                reason.trim()
            ])
        }
        other => json!(other),
    }
}

/// The random value in the found line.
pub fn drawn(found: &[Value], place: usize, member: &str) -> String {
    let drawn = found
        .get(place)
        .and_then(|line| line["data"][member].as_str());
    drawn.unwrap_or("a draw").to_owned()
}

pub fn draft(context: &'static str, kind: &'static str, subject: String, data: Value) -> Draft {
    Draft {
        id: None,
        cause: None,
        context,
        kind,
        subject,
        data,
    }
}

pub fn of_user(kind: &'static str, id: &str, data: Value) -> Draft {
    draft("auth", kind, format!("user/{id}"), data)
}

pub fn of_task(kind: &'static str, id: &str, data: Value) -> Draft {
    draft("tracker", kind, format!("task/{id}"), data)
}

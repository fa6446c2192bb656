//! The product's answers, in the model's words.

use super::*;

/// The closed dates of an answer.
pub fn told_of(closed: &[Closed], lines: &[Value]) -> Checked {
    let days = lines.iter().filter(|line| line["type"] == "day.closed.v1");
    let told = closed
        .iter()
        .map(|closed| (closed.day.business_date.to_string(), closed.sequence.0));
    let wanted = days.map(|line| (text(&line["data"]["business_date"]), sequence(line)));
    same(
        "dates that were closed",
        &told.collect::<Vec<_>>(),
        &wanted.collect(),
    )
}

pub fn ended_by(error: &AppError) -> Result<Ended, String> {
    match error {
        AppError::Rejected(Rejection::DateBlocked { date, sequence }) => Ok(Ended::Blocked(
            date.to_string().parse().expect("a date"),
            sequence.0,
        )),
        other => stopped_at(other)
            .map(Ended::Stopped)
            .ok_or_else(|| format!("the close was refused with {other:?}")),
    }
}

pub fn caller(app: &popug_cli::app::App<'_>, id: &str) -> Result<Caller, AppError> {
    let user = app.index()?.user(id.parse().expect("an id"))?;
    Ok(Caller {
        user: user.expect("somebody who is registered"),
    })
}

/// A line as an event that can be appended.
pub fn fact(line: &Value) -> Fact {
    let kind = EventKind::of_type(line["type"].as_str().expect("a type")).expect("a known type");
    let event = Event::deserialize_data(kind, line["data"].clone()).expect("an event");
    let id = |name: &str| line[name].as_str().map(|id| id.parse().expect("an id"));
    Fact {
        id: id("id").expect("an id"),
        causation: id("causationid"),
        event,
    }
}

pub fn sequence(line: &Value) -> u64 {
    line["sequence"]
        .as_str()
        .expect("a sequence")
        .parse()
        .expect("digits")
}

pub fn sequences_of(outcome: &Outcome) -> Vec<u64> {
    outcome
        .events
        .iter()
        .map(|(sequence, _)| sequence.0)
        .collect()
}

pub fn same_refusal(error: &AppError, expected: Refusal, found: &[Value]) -> Checked {
    let told = refusal(error);
    if !agrees(&told, expected) {
        return Err(format!(
            "refused with {told:?}, which was to be {expected:?}"
        ));
    }
    same("appended by a refusal", &found.len(), &0)
}

pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Checked {
    if found == expected {
        Ok(())
    } else {
        Err(format!(
            "{what}\n   found: {found:?}\nexpected: {expected:?}"
        ))
    }
}

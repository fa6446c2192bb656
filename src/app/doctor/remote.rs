//! Checks the remote: the shared log that the store copies.

use crate::app::App;
use crate::app::doctor::{Check, counted};
use crate::app::error::in_full;
use crate::app::shared_log::RemoteStatus;
use crate::domain::time::EventTime;

const NAME: &str = "remote";
/// A clock that differs by more than this warns; one that is ten minutes ahead cannot write.
const DIFFERENCE_MICROS: i64 = 60_000_000;

/// Nothing if the store is no copy.
pub(super) fn check(app: &App<'_>) -> Option<Check> {
    match app.remote_status() {
        Ok(status) => Some(checked(&status?, app.environment.system_now())),
        Err(error) => Some(Check::problem(
            NAME,
            in_full(&error),
            "`popug-cli remote status` tells more",
        )),
    }
}

fn checked(status: &RemoteStatus, now: EventTime) -> Check {
    let (name, here) = (&status.name, status.here);
    let there = match &status.there {
        Ok(there) => there,
        Err(error) => {
            let hint = "reading works from the copy; writes wait until the server is back";
            return Check::problem(NAME, in_full(error), hint);
        }
    };
    if status.has_ours == Some(false) {
        return Check::problem(
            NAME,
            format!("{name} does not have event {here} of this copy: rolled back or replaced"),
            "`popug-cli remote push URL` appends the events that this copy has again, if nobody wrote since",
        );
    }
    if let Some(time) = there.time
        && time.micros_until(now).abs() > DIFFERENCE_MICROS
    {
        let seconds = time.micros_until(now) / 1_000_000;
        return Check::warning(
            NAME,
            format!("the clock of this machine is {seconds} s ahead of the clock of {name}"),
            "set both clocks right; `date -u` shows this one",
        );
    }
    let behind = there.end.0.0.saturating_sub(here.0);
    let behind = match behind {
        0 => String::new(),
        count => format!(", {} after this copy", counted(count, "event", "events")),
    };
    Check::ok(
        NAME,
        format!("{name} ends with event {}{behind}", there.end.0),
    )
}

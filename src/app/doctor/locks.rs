//! Checks who holds the locks between processes.

use std::error::Error;
use std::io::{self, ErrorKind};

use crate::app::App;
use crate::app::doctor::Check;
use crate::app::error::in_full;
use crate::consumers::process_lock::holder_of;
use crate::domain::event::Consumer;
use crate::files::process::is_gone;

const HELD: &str =
    "find who has the file open (`fuser -v FILE`): a lock ends with the process that holds it";
const IN_THE_WAY: &str = "move the file there away; the next command makes a new one";

pub(super) fn checks(app: &App<'_>) -> Vec<Check> {
    let lock = |consumer: Consumer| holder_of(&app.directory.lock(consumer.name()));
    vec![
        check("writer-lock", app.log.writer_lock_holder()),
        check("accounting-lock", lock(Consumer::Accounting)),
        check("analytics-lock", lock(Consumer::Analytics)),
        check("notifier-lock", lock(Consumer::Notifier)),
    ]
}

fn check<E: Error + 'static>(name: &'static str, holder: Result<Option<String>, E>) -> Check {
    match holder {
        Ok(None) => Check::ok(name, "free"),
        Ok(Some(holder)) => held(name, &holder),
        Err(error) => {
            let is_other = io_error_behind(&error)
                .is_some_and(|error| error.kind() == ErrorKind::AlreadyExists);
            let hint = if is_other {
                IN_THE_WAY
            } else {
                "check that the store is yours and its disk supports locks"
            };
            Check::problem(name, in_full(&error), hint)
        }
    }
}

fn io_error_behind<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    std::iter::successors(Some(error), |error| (*error).source())
        .find_map(|error| error.downcast_ref())
}

/// A held lock is normal. If the recorded process no longer exists, another process has inherited the file.
fn held(name: &'static str, holder: &str) -> Check {
    match process_of(holder) {
        Some(process) if is_gone(process) => {
            let detail = format!("held, but {holder} is not running on this machine any more");
            Check::warning(name, detail, HELD)
        }
        _ => Check::ok(name, format!("held by {holder}")),
    }
}

/// `process 12: popug-cli close`
fn process_of(holder: &str) -> Option<rustix::process::Pid> {
    let number = holder.strip_prefix("process ")?.split(':').next()?;
    rustix::process::Pid::from_raw(number.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::app::doctor::Health;
    use crate::deadline::Child;

    #[test]
    fn a_holder_that_lives_is_fine_and_one_that_is_gone_is_not() {
        let me = format!("process {}: popug-cli close", std::process::id());
        assert_eq!(
            held("writer-lock", &me),
            Check::ok("writer-lock", format!("held by {me}"))
        );
        let mut child = Child::start(&mut Command::new("/bin/true"));
        let gone = format!("process {}: popug-cli close", child.id());
        child.wait();
        assert_eq!(held("writer-lock", &gone).health, Health::Warning);
        assert_eq!(held("writer-lock", "unknown").health, Health::Ok);
    }
}

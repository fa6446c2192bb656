//! One company on several machines: stores that are copies of a log in a real PostgreSQL server.

mod failing;
mod moving;
mod secrets;
mod together;

use crate::helpers::harness::{FOUNDED, REPORTS, World};
use crate::helpers::postgres::Server;

/// Two machines with the company of [`World::new`].
fn two_machines(server: &Server) -> [World; 2] {
    let first = World::founded_in(&server.url());
    let second = World::joined(&server.url(), FOUNDED);
    [first, second]
}

/// Both machines have the same events and give the same answers, and `verify` finds nothing.
fn assert_alike(machines: &[World; 2]) {
    for machine in machines {
        machine.does("ada", &["consume", "accounting", "analytics"]);
    }
    for machine in machines {
        machine.does("ada", &["consume", "accounting", "analytics"]);
        machine.does("ada", &["verify", "--deep"]);
    }
    let [first, second] = machines;
    assert!(first.log_bytes() == second.log_bytes(), "the logs differ");
    for report in REPORTS.into_iter().filter(|report| *report != "statement") {
        let words = ["report", report, "-o", "json"];
        // Whether a mail was sent is known to the notifier's tables of a machine.
        let answer = |machine: &World| {
            let text = machine.answer("ada", &words);
            text.lines()
                .filter(|line| !line.contains("mail_status"))
                .collect::<String>()
        };
        assert_eq!(answer(first), answer(second), "{report}");
    }
}

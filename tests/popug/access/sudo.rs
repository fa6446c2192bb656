//! People who share the store's account: a session belongs to the person who called. The program
//! gets its caller in the environment, as from `sudo`; `server.rs` has the real `sudo`.

use std::os::unix::fs::PermissionsExt;

use crate::helpers::harness::Text::Any;
use crate::helpers::harness::{Output, PASSWORD, World};

const ANNA: u32 = 61_112;
const DIMA: u32 = 61_113;

fn acts_as(output: &Output, login: &str) {
    assert!(
        output.status == 0 && output.stdout.contains(login),
        "{}{}",
        output.stdout,
        output.stderr
    );
}

fn is_nobody(output: &Output) {
    assert_eq!(output.status, 5, "{}{}", output.stdout, output.stderr);
    assert!(
        output.stdout.is_empty() && output.stderr.contains("you are not logged in"),
        "{}",
        output.stderr
    );
}

#[test]
fn people_who_share_an_account_through_sudo_have_a_session_each() {
    let world = World::new();
    let set = world.call("ada", &["user", "set-password", "mara", "--password-stdin"]);
    set.stdin(PASSWORD).expect(0, Any, Any);
    let by_itself = |words: &[&str]| {
        let call = world.anonymous(words).env("POPUG_PASSWORD", PASSWORD);
        call.run()
    };
    let by = |caller: u32, words: &[&str]| {
        let call = world.anonymous(words).env("POPUG_PASSWORD", PASSWORD);
        call.env("SUDO_UID", caller.to_string()).run()
    };
    let whoami = |caller| by(caller, &["whoami"]);
    let logs_in = |output: &Output| assert_eq!(output.status, 0, "{}", output.stderr);
    logs_in(&by(ANNA, &["login", "ada"]));
    acts_as(&whoami(ANNA), "ada");
    is_nobody(&whoami(DIMA));
    is_nobody(&by(DIMA, &["user", "set-role", "dora", "admin"]));
    is_nobody(&by_itself(&["whoami"]));
    logs_in(&by(DIMA, &["login", "mara"]));
    acts_as(&whoami(ANNA), "ada");
    acts_as(&whoami(DIMA), "mara");
    by(DIMA, &["logout"]);
    acts_as(&whoami(ANNA), "ada");
    is_nobody(&whoami(DIMA));
    // The account's own session is separate too.
    logs_in(&by_itself(&["login", "mara"]));
    acts_as(&by_itself(&["whoami"]), "mara");
    acts_as(&whoami(ANNA), "ada");
    is_nobody(&whoami(DIMA));
    let sessions = world
        .home()
        .join(".local/state/popug-cli")
        .join(format!("caller-{ANNA}"));
    let session = std::fs::read_dir(&sessions)
        .expect("a directory")
        .next()
        .expect("a session")
        .expect("an entry");
    for (path, mode) in [(sessions, 0o700), (session.path(), 0o600)] {
        assert_eq!(
            std::fs::metadata(path).expect("there").permissions().mode() & 0o777,
            mode
        );
    }
}

//! Pay mails that could not be sent are reported: to cron, to users who ask, and not again and
//! again.
//!
//! The mail server is a real one, `scripts/mail-server`.

use std::process::Command;

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{PEOPLE, World};
use crate::helpers::mail_server::MailServer;
use crate::helpers::settings::library_path;
use crate::helpers::sources::root;

/// A server that refuses all users of [`World`].
fn refusing() -> MailServer {
    let people = PEOPLE.map(|(login, _)| format!("--refuse={login}@popug.example"));
    MailServer::start(&people)
}

/// A port of this machine without a server.
fn deserted_url() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("smtp://{}", listener.local_addr().expect("its address"))
}

/// A company in which users earn money on the 2nd of March.
pub fn with_payouts() -> World {
    let world = World::new();
    for n in 0..4 {
        let task = world.json("mara", &["task", "add", &format!("Task {n}")]);
        world.does(
            task["assignee"].as_str().expect("a login"),
            &["task", "complete", &task["number"].to_string()],
        );
    }
    world
}

/// The output of `scripts/end-of-day` for cron; its exit code is `exit`.
fn night(world: &mut World, now: &str, url: &str, exit: i32) -> String {
    world.at(now);
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_popug-cli"))
        .parent()
        .expect("a directory");
    let mut job = Command::new(root().join("scripts/end-of-day"));
    job.env_clear()
        .current_dir(world.home())
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    job.envs(library_path());
    job.env("POPUG_STORE", world.store())
        .env("POPUG_TOKEN", world.token("cron"))
        .env("POPUG_SMTP_URL", url);
    job.env("POPUG_NOW", now)
        .env("POPUG_SEED", "1")
        .env("HOME", world.home());
    let output = deadline::output(&mut job);
    let heard = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        output.status.code() == Some(exit) && output.stdout.is_empty(),
        "{}\n{heard}",
        output.status
    );
    heard
}

#[test]
fn mails_that_a_server_refuses_are_heard_of_every_night_until_somebody_deals_with_them() {
    let (mut world, server) = (with_payouts(), refusing());
    let heard = night(&mut world, "2026-03-02T23:05:00Z", &server.url(), 7);
    let mails = world.rows("axel", &["mail", "list"]);
    assert!(
        !mails.is_empty() && mails.iter().all(|mail| mail["state"] == "failed"),
        "{mails:?}"
    );
    let told = if mails.len() == 1 {
        "1 pay mail is".to_owned()
    } else {
        format!("{} pay mails are", mails.len())
    };
    assert!(
        heard.starts_with(&format!("warning: {told} given up (")),
        "{heard}"
    );
    assert!(
        heard.contains("550 ") && heard.contains("No such user here"),
        "why: {heard}"
    );
    assert!(
        heard.contains("`popug-cli mail retry ID`") && heard.contains("`popug-cli mail list`"),
        "{heard}"
    );
    let (_, checked) = heard.split_once('\n').expect("two lines");
    assert!(
        checked.starts_with("end-of-day: CRITICAL - ")
            && checked.contains("given up (`popug-cli mail list`)"),
        "{heard}"
    );
    let heard = night(&mut world, "2026-03-03T23:05:00Z", &server.url(), 7);
    assert_eq!(heard, checked, "why is told once");
    let status = world.json("dora", &["status"]);
    assert_eq!(status["mails"]["failed"], mails.len());
    assert_eq!(
        (&status["mails"]["retrying"], &status["mails"]["untried"]),
        (&0.into(), &0.into())
    );
    assert!(
        status["mails"]["last_error"]
            .as_str()
            .expect("an error")
            .contains("No such user here"),
        "{status}"
    );
    let shown = world
        .call("dora", &["status", "-o", "table"])
        .expect(0, Has("mails "), Nothing)
        .stdout;
    assert!(
        shown.contains(&format!("{} given up", mails.len())),
        "{shown}"
    );
}

#[test]
fn mails_that_wait_for_a_server_are_heard_of_every_night_until_they_are_sent() {
    let mut world = with_payouts();
    let deserted = deserted_url();
    for now in ["2026-03-02T23:05:00Z", "2026-03-03T23:05:00Z"] {
        let heard = night(&mut world, now, &deserted, 0);
        assert!(
            heard.starts_with("warning: ") && heard.contains(" not sent (cannot connect to "),
            "{heard}"
        );
        let day = now[..10].to_owned();
        assert!(
            heard.contains(&format!(
                "`popug-cli consume notifier` tries again from {day}T23:0"
            )),
            "{heard}"
        );
        assert_eq!(heard.lines().count(), 1, "{heard}");
    }
    // Other consumers than the notifier do not mention mails, and a warning is printed under -q
    // too.
    world
        .at("2026-03-04T08:00:00Z")
        .call("ada", &["consume", "analytics"])
        .expect(0, Any, Nothing);
    let quiet = world
        .call("ada", &["consume", "notifier", "-q"])
        .env("POPUG_SMTP_URL", &deserted);
    quiet.expect(0, Any, Has("warning: "));
    let status = world.json("ada", &["status"]);
    assert!(
        status["mails"]["retrying"].as_u64() > Some(0) && status["mails"]["next_try"].is_string(),
        "{status}"
    );
    // Without a server they go to the outbox.
    world
        .at("2026-03-04T12:00:00Z")
        .call("ada", &["consume"])
        .expect(0, Any, Nothing);
    assert!(
        world
            .rows("axel", &["mail", "list"])
            .iter()
            .all(|mail| mail["state"] == "written")
    );
    let mails = &world.json("ada", &["status"])["mails"];
    assert_eq!(
        (&mails["retrying"], &mails["failed"], &mails["last_error"]),
        (&0.into(), &0.into(), &serde_json::Value::Null)
    );
}

//! Pay mails: their settings in the store, mails that were only written, and their text.
//!
//! The mail server is a real one.

use std::os::unix::fs::PermissionsExt;

use mail_parser::{Message, MessageParser};
use serde_json::Value;

use super::undelivered::with_payouts;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{Output, World, last_error};
use crate::helpers::mail_server::MailServer;
use crate::helpers::stores::{back_up, restore};
use crate::helpers::terminal::Terminal;

const PASSWORD: &str = "p/#?%41 ss жираф";

fn read(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).expect("a mail")
}

fn subject(bytes: &[u8]) -> String {
    read(bytes).subject().expect("a subject").to_owned()
}

fn body(bytes: &[u8]) -> String {
    read(bytes)
        .body_text(0)
        .expect("a text")
        .replace("\r\n", "\n")
}

fn states(world: &World) -> Vec<String> {
    let rows = world.rows("axel", &["mail", "list"]);
    let state = |row: &Value| row["state"].as_str().expect("a state").to_owned();
    rows.iter().map(state).collect()
}

fn setup(world: &World, words: &[&str]) -> Value {
    world
        .rows("ada", &[&["mail", "setup"], words].concat())
        .remove(0)
}

/// A company whose mails of the 2nd of March are files, and the number of them.
fn with_written_mails() -> (World, usize) {
    let mut world = with_payouts();
    world.at("2026-03-02T23:05:00Z");
    world.does("ada", &["close"]);
    world.does("ada", &["consume"]);
    let states = states(&world);
    assert!(!states.is_empty() && states.iter().all(|state| state == "written"));
    (world, states.len())
}

#[test]
fn a_written_mail_is_not_a_sent_one_and_can_be_sent_later_once() {
    let (mut world, count) = with_written_mails();
    let payouts = world.rows("axel", &["report", "payouts"]);
    assert!(payouts.iter().all(|row| row["mail_status"] == "written"));
    let error = world.refused("axel", &["mail", "resend"], 4, "no_mail_server");
    assert!(error["hints"].to_string().contains("mail setup"), "{error}");

    let server = MailServer::start(&[]);
    setup(&world, &["--smtp", &server.url()]);
    world.at("2026-03-03T08:00:00Z");
    // What was written is not sent unasked.
    world.does("ada", &["consume"]);
    assert!(server.taken().is_empty());
    let none = world.rows("axel", &["mail", "resend", "--since", "today"]);
    assert!(none.is_empty() && server.taken().is_empty());
    let before = world.log_bytes();
    let shown = world
        .call("axel", &["mail", "resend", "-n", "-o", "json"])
        .expect(0, Any, Has("would be sent again"))
        .json();
    assert_eq!(shown["rows"].as_array().expect("rows").len(), count);
    assert!(server.taken().is_empty() && world.log_bytes() == before);

    let sent = world.rows("axel", &["mail", "resend", "--since", "yesterday"]);
    assert!(sent.len() == count && sent.iter().all(|row| row["state"] == "sent"));
    assert_eq!(sent[0]["attempts"], 2);
    let taken = server.taken();
    assert_eq!(taken.len(), count);
    let written = walk(&world.store().join("outbox"));
    let named = |mails: &[Vec<u8>]| {
        let name = |mail: &Vec<u8>| {
            let id = read(mail).message_id().map(str::to_owned);
            (id, body(mail).trim_end().to_owned())
        };
        let mut named: Vec<_> = mails.iter().map(name).collect();
        named.sort();
        named
    };
    assert_eq!(named(&taken), named(&written));
    assert!(world.rows("axel", &["mail", "resend"]).is_empty());
    assert_eq!(server.taken().len(), count);
    world.does("ada", &["consume"]);
    let payouts = world.rows("axel", &["report", "payouts"]);
    assert!(payouts.iter().all(|row| row["mail_status"] == "sent"));
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound: "), Nothing);

    // A mail that a server lost is sent once more only if somebody says so.
    let again = world.rows("axel", &["mail", "resend", "--state", "sent"]);
    assert_eq!((again.len(), server.taken().len()), (count, 2 * count));
    assert_eq!(again[0]["attempts"], 3);
    world.does("ada", &["consume", "notifier", "--rebuild"]);
    assert_eq!(states(&world), vec!["sent"; count]);
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound: "), Nothing);
}

/// The bytes of every mail of an outbox.
fn walk(outbox: &std::path::Path) -> Vec<Vec<u8>> {
    let inside = |path: &std::path::Path| {
        let entries = std::fs::read_dir(path).expect("a directory");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect::<Vec<_>>()
    };
    let mails = inside(outbox).into_iter().flat_map(|date| inside(&date));
    mails
        .map(|path| std::fs::read(path).expect("a mail"))
        .collect()
}

#[test]
fn one_written_mail_is_sent_by_retry_and_one_that_is_refused_waits_for_it() {
    let (world, count) = with_written_mails();
    let rows = world.rows("axel", &["mail", "list"]);
    let text = |row: &Value, name: &str| row[name].as_str().expect("text").to_owned();
    let (id, to) = (text(&rows[0], "payout_id"), text(&rows[0], "to"));
    let same = world.rows("axel", &["mail", "retry", &id]);
    assert_eq!(
        (&same[0]["state"], &same[0]["attempts"]),
        (&"written".into(), &1.into())
    );
    let server = MailServer::start(&[format!("--refuse={to}")]);
    let failed = world
        .call("axel", &["mail", "resend", "-o", "json"])
        .env("POPUG_SMTP_URL", server.url())
        .expect(1, Any, Any);
    assert!(
        last_error(&failed)["message"]
            .to_string()
            .contains(" were not sent: "),
        "{}",
        failed.stderr
    );
    let refused = rows.iter().filter(|row| row["to"] == to.as_str()).count();
    assert_eq!(server.taken().len(), count - refused);
    let state = |id: &str| {
        let rows = world.rows("axel", &["mail", "list"]);
        let row = rows.into_iter().find(|row| row["payout_id"] == id);
        text(&row.expect("the mail"), "state")
    };
    assert_eq!(state(&id), "failed");
    let patient = MailServer::start(&[]);
    let retried = world.call("axel", &["mail", "retry", &id]);
    retried
        .env("POPUG_SMTP_URL", patient.url())
        .expect(0, Any, Nothing);
    assert_eq!((state(&id).as_str(), patient.taken().len()), ("sent", 1));
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound: "), Nothing);
}

#[test]
fn mails_of_a_restored_store_are_sent_again_only_if_somebody_says_so() {
    let (world, count) = with_written_mails();
    back_up(&world, "backup");
    restore(&world, &["backup", "-C", "restored"]);
    let server = MailServer::start(&[]);
    let at_restored = |words: &[&str], status| {
        let words = [words, &["-C", "restored", "--as", "ada", "-o", "json"]].concat();
        world
            .anonymous(&words)
            .env("POPUG_PASSWORD", crate::helpers::stores::NEW_PASSWORD)
            .env("POPUG_SMTP_URL", server.url())
            .expect(status, Any, Any)
    };
    let held = at_restored(&["mail", "resend"], 0);
    assert_eq!(held.json()["rows"].as_array().map(Vec::len), Some(0));
    assert!(
        held.stderr.contains("stay in the outbox; --send-imported"),
        "{}",
        held.stderr
    );
    assert!(server.taken().is_empty());
    at_restored(&["mail", "resend", "--send-imported"], 0);
    assert_eq!(server.taken().len(), count);
}

#[test]
fn settings_are_kept_in_the_store_for_its_owner_alone_and_tried_out() {
    let world = with_payouts();
    let server = MailServer::start(&[format!("--login=pay@popug:{PASSWORD}")]);
    let url = format!("smtp://pay%40popug@{}", server.address);
    let words = [
        "mail",
        "setup",
        "--smtp",
        &url,
        "--from",
        "Расчёт <pay@popug.example>",
        "--reply-to",
        "hr@popug.example",
        "--password-stdin",
        "-o",
        "json",
        "-v",
    ];
    let hears = |output: &Output| {
        let both = format!("{}{}", output.stdout, output.stderr);
        assert!(
            !both.contains("жираф") && !both.contains("%D0%B6"),
            "{both}"
        );
    };
    let done = world
        .call("ada", &words)
        .stdin(PASSWORD)
        .expect(0, Any, Any);
    hears(&done);
    let row = &done.json()["rows"][0];
    assert_eq!(
        (&row["smtp"], &row["has_password"]),
        (&url.as_str().into(), &true.into())
    );
    assert_eq!(
        (&row["reply_to"], &row["template"]),
        (&"hr@popug.example".into(), &"en".into())
    );
    let file = world.store().join("auth/mail.json");
    let mode = std::fs::metadata(&file)
        .expect("the settings")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let words = ["mail", "test", "dora", "-o", "json", "-v"];
    let tried = world.call("axel", &words).expect(0, Any, Any);
    hears(&tried);
    let row = tried.json()["rows"][0].clone();
    assert_eq!(
        (&row["to"], &row["server"]),
        (
            &"dora@popug.example".into(),
            &server.address.as_str().into()
        )
    );
    assert!(
        row["answer"].as_str().expect("words").starts_with("250 "),
        "{row}"
    );
    world.does("axel", &["mail", "test", "dora"]);
    let taken = server.taken();
    assert_eq!(taken.len(), 2);
    let mail = read(&taken[0]);
    assert!(subject(&taken[0]).starts_with("[test] Payout of "));
    assert!(
        body(&taken[0]).starts_with("This is a test of the settings of mails. Nobody was paid")
    );
    let from = mail.from().and_then(|from| from.first()).expect("a sender");
    assert_eq!(
        (from.name(), from.address()),
        (Some("Расчёт"), Some("pay@popug.example"))
    );
    let reply_to = mail
        .reply_to()
        .and_then(|to| to.first())
        .expect("an address");
    assert_eq!(reply_to.address(), Some("hr@popug.example"));
    assert_eq!(
        mail.header_raw("Auto-Submitted").map(str::trim),
        Some("auto-generated")
    );
    assert_ne!(mail.message_id(), read(&taken[1]).message_id());
    assert!(states(&world).is_empty(), "a test is no pay mail");

    // What is not named stays; a language replaces a template; other settings are checked.
    let row = setup(&world, &["--language", "ru"]);
    assert_eq!(
        (&row["has_password"], &row["template"]),
        (&true.into(), &"ru".into())
    );
    world.does("ada", &["close"]);
    let mut world = world;
    world.at("2026-03-02T23:05:00Z");
    world.does("ada", &["close"]);
    world.does("ada", &["consume"]);
    let sent = server.taken().split_off(2);
    assert!(!sent.is_empty() && states(&world).iter().all(|state| state == "sent"));
    assert!(
        sent.iter()
            .all(|mail| subject(mail).starts_with("Выплата "))
    );
    assert!(
        sent.iter()
            .all(|mail| body(mail).contains("Вопросы: hr@popug.example"))
    );

    // The environment precedes the store.
    let other = MailServer::start(&[]);
    let call = world.call("axel", &["mail", "test", "dora"]);
    let call = call.env("POPUG_MAIL_FROM", "other@popug.example");
    call.env("POPUG_SMTP_URL", other.url())
        .expect(0, Any, Nothing);
    let taken = other.taken();
    let from = read(&taken[0]);
    assert_eq!(
        from.from()
            .and_then(|from| from.first())
            .and_then(|from| from.address()),
        Some("other@popug.example")
    );
    let row = setup(&world, &["--files", "--reply-to", ""]);
    assert!(row["smtp"].is_null() && row["reply_to"].is_null() && row["has_password"] == false);
    world.refused("axel", &["mail", "test", "dora"], 4, "no_mail_server");
}

#[test]
fn settings_that_cannot_work_are_refused_and_change_nothing() {
    let world = World::new();
    setup(&world, &["--from", "pay@popug.example"]);
    let file = world.store().join("auth/mail.json");
    let before = std::fs::read(&file).expect("the settings");
    world.refused("axel", &["mail", "setup", "--files"], 5, "role_may_not");
    world.refused("dora", &["mail", "test", "dora"], 5, "role_may_not");
    let secret = world.home().join("secret");
    std::fs::write(&secret, PASSWORD).expect("written");
    let secret = secret.to_str().expect("UTF-8");
    for (words, exit, code) in [
        (&["--smtp", "http://mail.example"][..], 2, "bad_setting"),
        (
            &["--smtp", "smtp://pay:hunter2@mail.example?tls=required"],
            2,
            "usage",
        ),
        (&["--smtp", "smtp://pay@mail.example"], 2, "bad_setting"),
        (&["--smtp", "smtps://pay@mail.example"], 2, "usage"),
        (
            &[
                "--smtp",
                "smtps://pay@mail.example",
                "--password-file",
                "nowhere",
            ],
            3,
            "secret_file",
        ),
        (
            &[
                "--smtp",
                "smtps://pay@mail.example",
                "--password-file",
                secret,
            ],
            5,
            "open_to_others",
        ),
        (
            &["--smtp", "smtps://mail.example", "--password-stdin"],
            2,
            "usage",
        ),
        (&["--from", "payroll"], 2, "bad_setting"),
        (&["--reply-to", "payroll"], 2, "bad_setting"),
        (&["--template", "nowhere"], 2, "usage"),
        (&[], 2, "usage"),
    ] {
        let said = world.refused("ada", &[&["mail", "setup"], words].concat(), exit, code);
        assert!(!said.to_string().contains("hunter2"), "{said}");
    }
    world.refused("axel", &["mail", "test", "nobody"], 4, "no_mail_server");
    assert_eq!(std::fs::read(&file).expect("the settings"), before);
    // A file that others can read may have been read.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    world.refused("ada", &["consume"], 5, "open_to_others");
}

#[test]
fn a_template_is_shown_changed_and_refused_with_its_place_before_any_mail_goes_out() {
    let mut world = with_payouts();
    world.at("2026-03-02T23:05:00Z");
    world.does("ada", &["close"]);
    let english = world.answer("axel", &["mail", "template"]);
    assert_eq!(
        english,
        world.answer("axel", &["mail", "template", "--language", "en"])
    );
    let nobody = ["mail", "template", "--language", "ru", "--out", "ru.txt"];
    world.anonymous(&nobody).expect(0, Nothing, Nothing);
    let russian = std::fs::read_to_string(world.home().join("ru.txt")).expect("a template");
    assert!(russian.contains("Subject: Выплата {{ amount }}"));

    let own = english.replace("Hello {{ name }},", "Чик-чирик, {{ name }}!");
    std::fs::write(world.home().join("own.txt"), &own).expect("written");
    assert_eq!(setup(&world, &["--template", "own.txt"])["template"], "own");
    assert_eq!(world.answer("axel", &["mail", "template"]), own);
    let bad = own.replace("{{ name }}", "{{ nmae }}");
    std::fs::write(world.home().join("bad.txt"), bad).expect("written");
    let words = ["mail", "setup", "--template", "bad.txt"];
    let said = world.refused("ada", &words, 6, "bad_template");
    assert!(
        said["message"]
            .to_string()
            .contains("bad.txt: line 5: there is no such name"),
        "{said}"
    );

    // Somebody edited the settings by hand.
    let file = world.store().join("auth/mail.json");
    let sound = std::fs::read_to_string(&file).expect("the settings");
    std::fs::write(&file, sound.replace("{{ name }}", "{{ nmae }}")).expect("written");
    let said = world.refused("ada", &["consume", "notifier"], 6, "bad_template");
    assert!(said["message"].to_string().contains("line 5"), "{said}");
    assert!(!world.store().join("outbox").exists());
    std::fs::write(&file, sound).expect("written");
    world.does("ada", &["consume"]);
    let mails = walk(&world.store().join("outbox"));
    assert!(
        !mails.is_empty()
            && mails
                .iter()
                .all(|mail| body(mail).starts_with("Чик-чирик, "))
    );
}

#[test]
fn at_a_terminal_settings_are_asked_for_and_many_mails_are_not_sent_unasked() {
    let (world, count) = with_written_mails();
    let server = MailServer::start(&["--login=pay:a secret of mails".to_owned()]);
    let terminal = Terminal::with(&world, world.call("ada", &["mail", "setup"]));
    terminal.has("Mail server, like smtps://user@mail.example [none]:");
    terminal.types(&format!("smtp://pay@{}\n", server.address));
    terminal.has("Sender, like Payroll <pay@example.com> [popug-cli@localhost]:");
    terminal.types("pay@popug.example\n");
    terminal.has("Answers go to [pay@popug.example]:");
    terminal.types("\n");
    terminal.has("Language, en or ru [en]:");
    terminal.types("ru\n");
    terminal.answers("Password at the mail server:", "a secret of mails");
    assert_eq!(terminal.ended(), 0);
    let terminal = Terminal::with(&world, world.call("axel", &["mail", "resend"]));
    terminal.has("again? [y/N]");
    terminal.types("n\n");
    assert_eq!((terminal.ended(), server.taken().len()), (1, 0));
    let terminal = Terminal::with(&world, world.call("axel", &["mail", "resend"]));
    terminal.has("again? [y/N]");
    terminal.types("y\n");
    assert_eq!((terminal.ended(), server.taken().len()), (0, count));
    assert!(
        server
            .taken()
            .iter()
            .all(|mail| subject(mail).starts_with("Выплата "))
    );
}

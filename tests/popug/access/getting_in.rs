//! Ways to a password: one-time codes, and the owner of the store's files.

use std::os::unix::fs::PermissionsExt;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{Call, PASSWORD, World, last_error};
use crate::helpers::terminal::Terminal;

const NEW: &str = "a password of my own";

fn invite(world: &World, login: &str) -> String {
    let code = world.answer("ada", &["user", "invite", login]);
    code.trim().to_owned()
}

fn by_code<'w>(world: &'w World, code: &str) -> Call<'w> {
    world
        .anonymous(&["login", "--code", code, "-o", "json"])
        .stdin(&format!("{NEW}\n"))
}

fn refused(call: Call<'_>, exit: i32) -> String {
    let error = last_error(&call.expect(exit, Nothing, Any));
    error["code"].as_str().expect("a code").to_owned()
}

#[test]
fn a_code_sets_a_password_logs_in_and_works_once() {
    let world = World::new();
    let code = invite(&world, "dora");
    assert_eq!((code.len(), code.matches('-').count()), (23, 3), "{code}");
    // Nothing was asked and nothing changed yet.
    let short = world
        .anonymous(&["login", "--code", &code, "-o", "json"])
        .stdin("short\n");
    assert_eq!(refused(short, 6), "bad_password");
    by_code(&world, &code.to_lowercase()).expect(0, Nothing, Nothing);
    world.anonymous(&["whoami"]).expect(0, Has("dora"), Nothing);
    world
        .anonymous(&["whoami", "--as", "dora"])
        .env("POPUG_PASSWORD", NEW)
        .expect(0, Has("dora"), Nothing);
    assert_eq!(refused(by_code(&world, &code), 5), "invite_refused");
    // The token of before is ended, as after every new password.
    world
        .call("dora", &["whoami"])
        .expect(5, Nothing, Has("was revoked"));
    let kept = std::fs::read_to_string(world.store().join("auth/invites.json")).expect("a file");
    assert!(!kept.contains(&code.replace('-', "")), "{kept}");
    let mode = std::fs::metadata(world.store().join("auth/invites.json")).expect("a file");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_code_is_void_after_a_newer_one_after_its_time_and_for_the_deactivated() {
    let world = World::new();
    let first = invite(&world, "dora");
    let second = invite(&world, "dora");
    assert_eq!(refused(by_code(&world, &first), 5), "invite_refused");
    let other = world
        .anonymous(&["login", "dan", "--code", &second, "-o", "json"])
        .stdin(NEW);
    assert_eq!(refused(other, 5), "invite_refused");
    let short = world.answer("ada", &["user", "invite", "dan", "--ttl", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(refused(by_code(&world, short.trim()), 5), "invite_refused");
    world.does("ada", &["user", "deactivate", "dora", "--keep-tasks"]);
    assert_eq!(refused(by_code(&world, &second), 5), "actor_deactivated");
    world.refused("ada", &["user", "invite", "dora"], 5, "actor_deactivated");
    let guess = by_code(&world, "00000-00000-00000-00000");
    assert_eq!(refused(guess, 5), "invite_refused");
}

#[test]
fn only_admins_make_codes_and_none_for_themselves() {
    let world = World::new();
    for login in ["mara", "axel", "dora", "cron"] {
        world.refused(login, &["user", "invite", "dan"], 5, "role_may_not");
        world.refused(login, &["user", "invite", login], 5, "role_may_not");
    }
    world.refused("ada", &["user", "invite", "ada"], 2, "usage");
    let dry = world.call("ada", &["user", "invite", "dan", "-n"]);
    dry.expect(0, Nothing, Has("would be made for dan"));
    assert!(!world.store().join("auth/invites.json").exists());
}

#[test]
fn a_token_alone_sets_no_password_for_a_user_who_has_none() {
    let world = World::new();
    let words = ["user", "set-password", "--password-stdin", "-o", "json"];
    let set = world.call("dora", &words).stdin(NEW);
    assert_eq!(refused(set, 5), "no_password");
}

#[test]
fn the_owner_of_the_files_resets_a_password_and_the_log_says_so() {
    let world = World::new();
    let before = world.log_lines().len();
    world
        .anonymous(&["reset-password", "ada"])
        .expect(2, Nothing, Has("--owner"));
    let words = [
        "reset-password",
        "ada",
        "--owner",
        "--password-stdin",
        "-o",
        "json",
    ];
    let short = world.anonymous(&words).stdin("short");
    assert_eq!(refused(short, 6), "bad_password");
    let nobody = ["reset-password", "nobody", "--owner", "-o", "json"];
    assert_eq!(refused(world.anonymous(&nobody), 3), "unknown_user");
    let lent = world.anonymous(&words).env("SUDO_UID", "4000000001");
    assert_eq!(refused(lent.stdin(NEW), 5), "not_the_owner");
    let dry = ["reset-password", "ada", "--owner", "-n"];
    world.anonymous(&dry).expect(0, Any, Any);
    assert_eq!(world.log_lines().len(), before);
    world
        .anonymous(&words)
        .stdin(NEW)
        .expect(0, Nothing, Nothing);
    let events = world.events();
    assert_eq!(events.len(), before + 1);
    let reset = events.last().expect("an event");
    assert_eq!(reset["type"], "user.password_reset.v1");
    let ada = &events[0]["actor"];
    assert_eq!(&reset["actor"], ada);
    assert!(reset["data"]["account"].is_string(), "{reset}");
    assert!(!world.log_lines().concat().contains(NEW));
    let whoami = ["whoami", "--as", "ada"];
    let whoami = |password: &str| world.anonymous(&whoami).env("POPUG_PASSWORD", password);
    whoami(NEW).expect(0, Has("ada"), Nothing);
    whoami(PASSWORD).expect(5, Nothing, Has("wrong login or password"));
    world
        .call("ada", &["whoami"])
        .expect(5, Nothing, Has("was revoked"));
    world
        .anonymous(&["consume", "--as", "ada"])
        .env("POPUG_PASSWORD", NEW)
        .expect(0, Any, Nothing);
    world.anonymous(&["verify", "--deep"]).expect(0, Any, Any);
}

#[test]
fn at_a_terminal_a_newcomer_is_led_from_the_code_to_the_password() {
    let world = World::new();
    let admin = Terminal::with(&world, world.call("ada", &["user", "invite", "dora"]));
    let screen = admin.has("popug-cli login --code ");
    assert_eq!(admin.ended(), 0);
    let code = screen.lines().next().expect("a code").trim().to_owned();
    drop(admin);
    let words = ["login", "--code", &code];
    let newcomer = Terminal::with(&world, world.anonymous(&words));
    newcomer.answers("New password of dora:", NEW);
    newcomer.answers("The same again:", NEW);
    newcomer.has("dora is logged in until");
    assert_eq!(newcomer.ended(), 0);
    drop(newcomer);
    let whoami = Terminal::with(&world, world.anonymous(&["whoami"]));
    whoami.has("(dora), developer; balance 0.00 EUR");
}

#[test]
fn an_own_password_needs_the_present_one_in_a_shell_that_was_begun_with_it() {
    let world = World::new();
    let terminal = Terminal::with(&world, world.anonymous(&["shell", "--as", "ada"]));
    terminal.answers("Password of ada:", PASSWORD);
    terminal.ends_with("UberPopug Inc.:ada>");
    terminal.enters("user set-password");
    terminal.answers("Present password of ada:", "a wrong guess");
    terminal.answers("New password of ada:", NEW);
    terminal.answers("The same again:", NEW);
    terminal.has("wrong login or password");
    terminal.ends_with("UberPopug Inc.:ada>");
    world
        .anonymous(&["whoami", "--as", "ada"])
        .env("POPUG_PASSWORD", PASSWORD)
        .expect(0, Has("ada"), Nothing);
}

#[test]
fn a_list_shows_admins_who_has_no_password_and_machines_see_no_new_column() {
    let world = World::new();
    let list = |login: &str, format: &str| world.answer(login, &["user", "list", "-o", format]);
    let table = list("ada", "table");
    let has = |login: &str, what: &str| {
        let mut lines = table.lines();
        lines.any(|line| line.contains(&format!("{login} ")) && line.contains(what))
    };
    assert!(table.contains("Password") && has("dora", "none"), "{table}");
    assert!(!has("ada@", "none"), "{table}");
    assert!(!list("mara", "table").contains("none"));
    assert!(!list("ada", "csv").contains("password"));
    assert!(!list("ada", "json").contains("password"));
}

#[test]
fn an_address_or_name_of_two_users_is_a_warning_and_no_refusal() {
    let world = World::new();
    let register = |login: &str, name: &str, email: &str| {
        let words = ["user", "register", "--role", "worker"];
        let more = ["--login", login, "--name", name, "--email", email];
        world.call("ada", &[&words[..], &more].concat()).run()
    };
    let first = register("anna", "Anna", "anna@dvor.example");
    assert_eq!((first.status, first.stderr.as_str()), (0, ""));
    let second = register("manya", "Manya", "Anna@dvor.example");
    assert_eq!(second.status, 0);
    assert_eq!(
        second.stderr,
        "warning: anna has `Anna@dvor.example` too; is that a mistake?\n"
    );
    let update = ["user", "update", "manya", "--email", "m@dvor.example"];
    world.call("ada", &update).expect(0, Any, Nothing);
    let update = ["user", "update", "manya", "--name", "ANNA"];
    world
        .call("ada", &update)
        .expect(0, Any, Has("warning: anna has `ANNA` too"));
}

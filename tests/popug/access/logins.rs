//! Passwords and tokens, for people who guess, steal or keep them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::helpers::harness::Text::{Any, Has, Is, Nothing};
use crate::helpers::harness::{Call, PASSWORD, World, copy, last_error};

fn login<'w>(world: &'w World, who: &str, password: &str) -> Call<'w> {
    world
        .anonymous(&["login", who, "-o", "json"])
        .env("POPUG_PASSWORD", password)
}

/// The numbers of wrong passwords in a row in the store.
fn counted(world: &World) -> Vec<u64> {
    let text = std::fs::read_to_string(world.store().join("auth/attempts.json")).expect("counts");
    let counts: Value = serde_json::from_str(&text).expect("JSON");
    let failures = counts["failures"].as_object().expect("an object");
    failures
        .values()
        .map(|failure| failure["count"].as_u64().expect("a count"))
        .collect()
}

/// The number of seconds to wait in a refusal.
fn told_to_wait(error: &Value) -> u64 {
    let message = error["message"].as_str().expect("words");
    let (_, rest) = message
        .split_once("the next attempt is possible in ")
        .unwrap_or_else(|| panic!("{message}"));
    rest.trim_end_matches(" s").parse().expect("a number")
}

#[test]
fn guesses_at_once_are_counted_one_by_one_and_the_right_password_is_taken_after_the_wait() {
    let world = World::new();
    let children: Vec<_> = (0..12)
        .map(|_| login(&world, "ada", "wrong guess").spawn())
        .collect();
    let ends = children.into_iter().map(|child| child.output());
    let codes: Vec<String> = ends
        .map(|end| {
            let text = String::from_utf8(end.stderr).expect("UTF-8");
            let error: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            error["error"]["code"].as_str().expect("a code").to_owned()
        })
        .collect();
    let wrong = codes
        .iter()
        .filter(|code| *code == "wrong_password")
        .count();
    assert!(
        codes
            .iter()
            .all(|code| code == "wrong_password" || code == "too_many_attempts"),
        "{codes:?}"
    );
    // Five are free; on a slow machine a second or two may pass meanwhile.
    assert!((5..9).contains(&wrong), "{codes:?}");
    assert_eq!(counted(&world), [wrong as u64]);
    let refused = last_error(&login(&world, "ada", "wrong guess").expect(5, Nothing, Any));
    if refused["code"] == "too_many_attempts" {
        let wait = told_to_wait(&refused);
        assert!((1..=8).contains(&wait), "{refused}");
        std::thread::sleep(Duration::from_secs(wait));
    }
    let wait = loop {
        let early = login(&world, "ada", "wrong guess").expect(5, Nothing, Any);
        if last_error(&early)["code"] == "too_many_attempts" {
            break told_to_wait(&last_error(&early));
        }
    };
    assert_eq!(
        last_error(&login(&world, "ada", PASSWORD).expect(5, Nothing, Any))["code"],
        "too_many_attempts"
    );
    std::thread::sleep(Duration::from_secs(wait));
    login(&world, "ada", PASSWORD).expect(0, Nothing, Nothing);
    assert_eq!(counted(&world), [0; 0], "a success starts afresh");
    login(&world, "ada", "wrong guess").expect(5, Nothing, Has("wrong_password"));
}

#[test]
fn act_as_counts_like_a_login_and_tokens_and_others_are_not_slowed_down() {
    let world = World::new();
    for who in ["ada", "nobody", "dora"] {
        for _ in 0..5 {
            let call = world
                .anonymous(&["whoami", "--as", who, "-o", "json"])
                .env("POPUG_PASSWORD", "wrong guess");
            assert_eq!(
                last_error(&call.expect(5, Nothing, Any))["code"],
                "wrong_password",
                "{who}"
            );
        }
    }
    assert_eq!(
        counted(&world),
        [5, 5, 5],
        "known, unknown and without a password alike"
    );
    world
        .call("ada", &["whoami"])
        .expect(0, Has("ada"), Nothing);
    world
        .call("ada", &["user", "set-password", "dora", "--password-stdin"])
        .stdin("another one")
        .expect(0, Any, Any);
    login(&world, "dora", "another one").expect(0, Nothing, Nothing);
}

#[test]
fn a_login_that_nobody_has_takes_as_long_as_one_with_a_wrong_password() {
    // A busy machine may slow one of them down, but hardly the same one every time.
    let attempts: Vec<_> = (0..4)
        .map(|_| slowest_against_fastest())
        .take_while(|ratio| *ratio > 2.0)
        .collect();
    assert!(attempts.len() < 4, "{attempts:?}");
}

/// The ratio of the slowest to the fastest of three failing logins: wrong password, no such login,
/// no password.
fn slowest_against_fastest() -> f64 {
    let world = World::new();
    let fastest = |who: &str| {
        let once = || {
            let began = Instant::now();
            let output = login(&world, who, "wrong guess").expect(5, Nothing, Any);
            (began.elapsed(), output.stderr)
        };
        let times: Vec<_> = (0..4).map(|_| once()).collect();
        times.into_iter().min().expect("four")
    };
    let [known, unknown, without] = ["ada", "nobody", "walt"].map(fastest);
    assert!(
        known.1 == unknown.1 && known.1 == without.1,
        "{known:?} {unknown:?} {without:?}"
    );
    let times = [known, unknown, without].map(|(time, _)| time.as_secs_f64());
    times.iter().copied().fold(0.0, f64::max) / times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn refused_token(world: &World, token: &str) -> String {
    let call = world
        .anonymous(&["whoami", "-o", "json"])
        .env("POPUG_TOKEN", token);
    let output = call.expect(5, Nothing, Any);
    assert!(!output.stderr.contains(token), "{}", output.stderr);
    let error = last_error(&output);
    assert_eq!(error["code"], "token_refused", "{error}");
    error["message"].as_str().expect("words").to_owned()
}

#[test]
fn a_token_ends_when_it_expires_whatever_the_pinned_clock_says() {
    let world = World::new();
    let token = world.answer("dora", &["token", "issue", "dora", "--ttl", "1s"]);
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(refused_token(&world, token.trim()).starts_with("the token expired at "));
    let earlier = world
        .anonymous(&["whoami"])
        .env("POPUG_TOKEN", token.trim())
        .env("POPUG_NOW", "2020-01-01T00:00:00Z");
    earlier.expect(5, Nothing, Has("the token expired at "));
}

#[test]
fn a_token_is_refused_from_the_moment_it_is_revoked() {
    let world = World::new();
    let issued = world.json("dora", &["token", "issue", "dora"]);
    let (token, id) = (
        issued["token"].as_str().expect("a token"),
        issued["token_id"].as_str().expect("an id"),
    );
    world
        .anonymous(&["whoami"])
        .env("POPUG_TOKEN", token)
        .expect(0, Has("dora"), Nothing);
    world.does("dora", &["token", "revoke", id]);
    assert!(refused_token(&world, token).starts_with("the token was revoked at "));
    world.does("dora", &["whoami"]);
}

#[test]
fn a_token_whose_record_is_gone_is_refused() {
    let world = World::new();
    std::fs::remove_dir_all(world.store().join("auth/tokens")).expect("removed");
    assert!(refused_token(&world, world.token("dora")).contains("not one that this store issued"));
}

#[test]
fn tokens_that_nobody_issued_are_refused() {
    let world = World::new();
    let base64 = "eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9";
    for token in [
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{base64}."),
        format!("eyJhbGciOiJIUzI1NiJ9.{base64}.c2ln"),
        format!("v4.none.{base64}"),
        format!("v4.local.{base64}"),
        format!("popug_token_{base64}"),
        format!("popug_token_{}_{}", "0".repeat(32), "0".repeat(64)),
        format!("{}0", world.token("ada")),
    ] {
        refused_token(&world, &token);
    }
    let signed = refused_token(&world, &format!("v4.public.{}", "A".repeat(250)));
    assert!(signed.contains("earlier version"), "{signed}");
}

#[test]
fn a_deactivated_user_gets_in_by_no_way_until_they_are_active_again() {
    let mut world = World::new();
    world
        .call("ada", &["user", "set-password", "dora", "--password-stdin"])
        .stdin(PASSWORD)
        .expect(0, Any, Any);
    world.issue_token("dora");
    login(&world, "dora", PASSWORD).expect(0, Nothing, Nothing);
    let ways = || {
        let whoami = || world.anonymous(&["whoami", "-o", "json"]);
        let by_password = world
            .anonymous(&["whoami", "--as", "dora", "-o", "json"])
            .env("POPUG_PASSWORD", PASSWORD);
        [
            whoami().env("POPUG_TOKEN", world.token("dora")),
            whoami(),
            by_password,
            login(&world, "dora", PASSWORD),
        ]
    };
    ways()
        .into_iter()
        .for_each(|way| drop(way.expect(0, Any, Nothing)));
    world.does("ada", &["user", "deactivate", "dora"]);
    for way in ways() {
        assert_eq!(
            last_error(&way.expect(5, Nothing, Any))["code"],
            "actor_deactivated"
        );
    }
    world.does("ada", &["user", "reactivate", "dora"]);
    ways()
        .into_iter()
        .for_each(|way| drop(way.expect(0, Any, Nothing)));
}

fn session_file(world: &World) -> PathBuf {
    let sessions =
        std::fs::read_dir(world.home().join(".local/state/popug-cli")).expect("a directory");
    sessions
        .map(|entry| entry.expect("an entry").path())
        .next()
        .expect("a session")
}

#[test]
fn a_session_that_was_stolen_ends_with_the_logout() {
    let world = World::new();
    login(&world, "ada", PASSWORD).expect(0, Nothing, Nothing);
    let file = session_file(&world);
    let stolen = std::fs::read_to_string(&file).expect("a token");
    world.anonymous(&["whoami"]).expect(0, Has("ada"), Nothing);
    world.anonymous(&["logout"]).expect(0, Nothing, Nothing);
    assert!(!file.exists());
    assert!(refused_token(&world, stolen.trim()).starts_with("the token was revoked at "));
}

#[test]
fn a_token_of_the_environment_that_goes_before_the_session_is_told_of() {
    let world = World::new();
    let ada = || ("POPUG_TOKEN", world.token("ada"));
    let by_token = |words: &[&str]| world.anonymous(words).env(ada().0, ada().1);
    for who in ["mara", "ada"] {
        let set = world
            .call("ada", &["user", "set-password", who, "--password-stdin"])
            .env("POPUG_PASSWORD", PASSWORD)
            .stdin(PASSWORD);
        set.expect(0, Any, Any);
    }
    let logs_in = |who: &str| by_token(&["login", who]).env("POPUG_PASSWORD", PASSWORD);
    logs_in("ada").expect(0, Nothing, Nothing);
    by_token(&["whoami"]).expect(0, Has("ada"), Nothing);
    let told = "logged in, but the token of POPUG_TOKEN or POPUG_TOKEN_FILE takes precedence over the session: unset it to act as mara\n";
    logs_in("mara").expect(0, Nothing, Is(told));
    let told = "the token of POPUG_TOKEN or POPUG_TOKEN_FILE takes precedence over the session of mara: unset it to act as mara\n";
    by_token(&["whoami"]).expect(0, Has("ada"), Is(told));
    by_token(&["whoami", "-q"]).expect(0, Has("ada"), Nothing);
    world.anonymous(&["whoami"]).expect(0, Has("mara"), Nothing);
    let named = by_token(&["whoami", "--as", "ada"]).env("POPUG_PASSWORD", PASSWORD);
    named.expect(0, Has("ada"), Nothing);
    by_token(&["logout"]).expect(
        0,
        Nothing,
        Has("the token of POPUG_TOKEN or POPUG_TOKEN_FILE still lets you act: unset it too"),
    );
    by_token(&["logout"]).expect(0, Nothing, Nothing);
    by_token(&["whoami"]).expect(0, Has("ada"), Nothing);
    world
        .anonymous(&["whoami"])
        .expect(5, Nothing, Has("you are not logged in"));
    // An invalid token takes precedence too.
    let broken = world
        .anonymous(&["login", "mara"])
        .env("POPUG_TOKEN", "popug_token_x")
        .env("POPUG_PASSWORD", PASSWORD);
    broken.expect(0, Nothing, Has("unset it to act as mara"));
}

#[test]
fn a_token_does_not_open_the_store_of_another_company_that_has_the_same_records() {
    let (world, other) = (World::new(), World::founded("UTC", "2026-03-02T09:00:00Z"));
    std::fs::remove_dir_all(other.store().join("auth")).expect("removed");
    copy(&world.store().join("auth"), &other.store().join("auth"));
    refused_token(&other, world.token("ada"));
}

#[test]
fn no_secret_stands_in_the_list_of_processes_or_in_a_lock() {
    let world = World::new();
    let running = world
        .call("ada", &["consume", "--follow", "-v"])
        .env("POPUG_PASSWORD", PASSWORD)
        .spawn();
    let (line, deadline) = (
        format!("/proc/{}/cmdline", running.id()),
        Instant::now() + Duration::from_secs(20),
    );
    let is_held = || {
        let held = std::fs::read(world.store().join("notifier.lock"));
        held.is_ok_and(|holder| !holder.is_empty())
    };
    while !is_held() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let words = String::from_utf8_lossy(&std::fs::read(line).expect("a process")).into_owned();
    running.kill();
    let output = running.output();
    let locks = ["notifier.lock", "accounting.lock", "log/head"].map(|name| {
        String::from_utf8_lossy(&std::fs::read(world.store().join(name)).unwrap_or_default())
            .into_owned()
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        words.contains("consume") && locks[0].contains("popug-cli consume"),
        "{words} {locks:?}"
    );
    for text in locks.iter().chain([&words, &said]) {
        assert!(
            !text.contains(PASSWORD) && !text.contains(world.token("ada")),
            "{text}"
        );
    }
}

#[test]
fn a_password_is_not_read_from_a_pipe_that_was_not_named_for_it() {
    let world = World::new();
    let call = world.anonymous(&["login", "ada"]).stdin(PASSWORD);
    call.expect(
        2,
        Is(""),
        Has("a password is needed, but there is no terminal to ask for it"),
    );
    let mut child = world.anonymous(&["login", "ada", "--no-input"]).spawn();
    drop(child.stdout.take());
    assert_eq!(child.wait().code(), Some(2));
}

#[test]
fn ones_own_password_is_set_only_with_the_present_one() {
    let world = World::new();
    let set = || {
        let words = ["user", "set-password", "--password-stdin", "-o", "json"];
        world.call("ada", &words).stdin("another one")
    };
    let refused =
        |call: Call<'_>, exit: i32| last_error(&call.expect(exit, Nothing, Any))["code"].clone();
    assert_eq!(refused(set(), 2), "usage");
    assert_eq!(
        refused(set().env("POPUG_PASSWORD", "wrong guess"), 5),
        "wrong_password"
    );
    login(&world, "ada", PASSWORD).expect(0, Nothing, Nothing);
    set()
        .env("POPUG_PASSWORD", PASSWORD)
        .expect(0, Nothing, Any);
    login(&world, "ada", "another one").expect(0, Nothing, Nothing);
}

#[test]
fn a_new_password_ends_the_sessions_and_tokens_of_the_user_but_the_one_in_use() {
    let world = World::new();
    let set = |who: &str| {
        let words = ["user", "set-password", who, "--password-stdin"];
        let call = world.call("ada", &words).env("POPUG_PASSWORD", PASSWORD);
        call.stdin(PASSWORD)
    };
    set("mara").expect(0, Nothing, Nothing);
    let told = world.call("mara", &["whoami"]).expect(5, Nothing, Any);
    assert!(told.stderr.contains("was revoked"), "{}", told.stderr);
    login(&world, "mara", PASSWORD).expect(0, Nothing, Nothing);
    world.anonymous(&["whoami"]).expect(0, Has("mara"), Nothing);
    login(&world, "ada", PASSWORD).expect(0, Nothing, Nothing);
    set("ada").expect(0, Nothing, Nothing);
    world
        .anonymous(&["whoami"])
        .expect(5, Nothing, Has("was revoked"));
    world
        .call("ada", &["whoami"])
        .expect(0, Has("ada"), Nothing);
    world
        .call("dan", &["whoami"])
        .expect(0, Has("dan"), Nothing);
}

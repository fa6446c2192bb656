//! Stores whose names have a meaning for a shell, a URI or SQL, and very long names: everything
//! works there.

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{INIT, PASSWORD, World};

/// A day of work in a store of this name.
fn works_in(directory: &str) {
    let world = World::empty();
    let store = world.home().join(directory).join("a store");
    std::fs::create_dir_all(store.parent().expect("a parent")).expect("a directory");
    let init = world
        .anonymous(&INIT)
        .arg("--password-stdin")
        .stdin(PASSWORD)
        .env("POPUG_STORE", &store);
    init.expect(0, Nothing, Nothing);
    let does = |store: &std::path::Path, now: &str, words: &[&str]| {
        let call = world
            .anonymous(words)
            .env("POPUG_STORE", store)
            .env("POPUG_PASSWORD", PASSWORD);
        let call = call.env("POPUG_NOW", now).arg("--as").arg("ada");
        call.expect(0, Any, Any).stdout
    };
    let (today, tomorrow) = ("2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z");
    let register =
        "user register --login dora --name Dora --email dora@popug.example --role developer";
    does(&store, today, &register.split(' ').collect::<Vec<_>>());
    does(&store, today, &["task", "add", "One"]);
    does(&store, today, &["consume"]);
    does(&store, tomorrow, &["close"]);
    does(&store, tomorrow, &["consume", "--rebuild"]);
    assert!(does(&store, tomorrow, &["report", "balances"]).contains("dora"));
    does(&store, tomorrow, &["verify", "--deep"]);
    let (copy, new) = (
        store.with_file_name("a copy"),
        store.with_file_name("a new store"),
    );
    does(
        &store,
        tomorrow,
        &["backup", copy.to_str().expect("UTF-8"), "--with-secrets"],
    );
    does(&new, tomorrow, &["restore", copy.to_str().expect("UTF-8")]);
    does(&new, tomorrow, &["consume"]);
    assert_eq!(
        does(&new, tomorrow, &["report", "balances"]),
        does(&store, tomorrow, &["report", "balances"])
    );
}

#[test]
fn a_store_works_below_a_directory_of_whatever_name() {
    for name in [
        "#1",
        "100%",
        "%41",
        "it's",
        "two  \"quoted\" words ",
        "a;b",
        "ü",
        "new\nline",
    ] {
        works_in(name);
    }
}

#[test]
fn a_store_works_below_a_very_long_path() {
    let long = [
        "x".repeat(100),
        "y".repeat(100),
        "z".repeat(100),
        "v".repeat(100),
        "w".repeat(100),
    ]
    .join("/");
    works_in(&long);
}

#[test]
fn no_store_is_made_below_a_directory_whose_name_is_not_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::empty();
    let place = world
        .home()
        .join(std::ffi::OsStr::from_bytes(b"bad\xff"))
        .join("a store");
    let init = world
        .anonymous(&INIT)
        .arg("--password-stdin")
        .stdin(PASSWORD)
        .env("POPUG_STORE", &place);
    init.expect(1, Nothing, Has("below a directory whose name is not UTF-8"));
    assert!(!place.exists());
}

/// DuckDB takes what follows a `?` for parameters of a URL.
#[test]
fn no_store_is_made_below_a_directory_with_a_question_mark_in_its_name() {
    let said = "tables cannot be kept below a directory with a `?` in its name";
    for name in ["what?/a store", "a?mode=ro", "plain/a store?"] {
        let world = World::empty();
        let init = world
            .anonymous(&INIT)
            .arg("--password-stdin")
            .stdin(PASSWORD);
        init.env("POPUG_STORE", world.home().join(name))
            .expect(1, Nothing, Has(said));
        let first = name.split('/').next().expect("a part");
        assert!(
            !world.home().join(first).exists(),
            "an empty directory stays"
        );
        let world = World::new();
        let copy = world.home().join("copy");
        world
            .call("ada", &["backup"])
            .arg(&copy)
            .expect(0, Any, Any);
        let restore = world
            .anonymous(&["restore"])
            .arg(copy)
            .arg("--password-stdin")
            .stdin(PASSWORD);
        restore
            .env("POPUG_STORE", world.home().join(name))
            .expect(1, Nothing, Has(said));
        assert!(!world.home().join(name).exists());
        // One that was moved there says so too.
        let moved = world.home().join("moved?");
        std::fs::rename(world.store(), &moved).expect("moved");
        world
            .call("ada", &["consume"])
            .env("POPUG_STORE", moved)
            .expect(1, Any, Has(said));
    }
}

//! Idempotency keys: a repeated command is carried out once.

use serde_json::json;

use crate::helpers::harness::World;

#[test]
fn the_same_key_and_content_give_the_first_result_again() {
    let world = World::new();
    let add = ["task", "add", "Once", "--key", "monday/1"];
    let first = world.json("mara", &add);
    let before = world.log_bytes();
    let mut again = world.json("mara", &add);
    assert_eq!(again["replayed"], true);
    again["replayed"] = json!(false);
    assert_eq!(first, again);
    assert!(world.log_bytes() == before);
    // Keys survive the loss of the index.
    std::fs::remove_file(world.store().join("state.sqlite")).expect("removed");
    assert_eq!(world.json("mara", &add)["number"], first["number"]);
    assert!(world.log_bytes() == before);
}

#[test]
fn every_write_can_be_replayed() {
    let world = World::new();
    let task = world.json("mara", &["task", "add", "Replay"]);
    let assignee = task["assignee"].as_str().expect("a login").to_owned();
    world.does("ada", &["consume"]);
    let fee = world.rows("ada", &["report", "entries"])[0]["entry_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let writes: [(&str, &[&str]); 9] = [
        (
            "ada",
            &[
                "user",
                "register",
                "--login",
                "r",
                "--name",
                "R",
                "--email",
                "r@popug.example",
                "--role",
                "worker",
            ],
        ),
        ("ada", &["user", "update", "r", "--name", "S"]),
        ("ada", &["user", "set-role", "r", "developer"]),
        ("ada", &["user", "deactivate", "r"]),
        ("ada", &["user", "reactivate", "r"]),
        ("mara", &["task", "edit", "1", "--title", "Replayed"]),
        (&assignee, &["task", "complete", "1"]),
        ("mara", &["task", "reshuffle"]),
        (
            "ada",
            &[
                "account", "correct", &fee, "--amount", "1.00", "--reason", "slip",
            ],
        ),
    ];
    for (place, (login, words)) in writes.into_iter().enumerate() {
        let key = format!("key/{place}");
        let keyed = [words, &["--key", &key]].concat();
        let first = world.json(login, &keyed);
        let before = world.log_bytes();
        let again = world.json(login, &keyed);
        assert_eq!(
            (&first["replayed"], &again["replayed"]),
            (&json!(false), &json!(true)),
            "{words:?}"
        );
        assert_eq!(first["sequence"], again["sequence"], "{words:?}");
        assert!(world.log_bytes() == before, "{words:?}");
        let other = ["task", "add", "Something else", "--key", &key];
        assert_eq!(world.refused("mara", &other, 4, "key_reused")["exit"], 4);
    }
}

#[test]
fn a_key_belongs_to_whoever_used_it_first() {
    let world = World::new();
    let add = ["task", "add", "Mine", "--key", "shared"];
    world.does("mara", &add);
    world.refused("dora", &add, 4, "key_reused");
    world.refused(
        "mara",
        &["task", "add", "x", "--key", "import/1"],
        6,
        "reserved_key",
    );
    world.refused("mara", &["task", "add", "x", "--key", " "], 6, "empty");
    world.refused(
        "mara",
        &["task", "add", "x", "--key", &"k".repeat(513)],
        6,
        "too_long",
    );
}

#[test]
fn a_key_with_a_token_in_it_is_refused_and_not_repeated() {
    let world = World::new();
    world.does("ada", &["task", "add", "Posted"]);
    world.does("ada", &["consume"]);
    let entry = world.rows("ada", &["report", "entries"])[0]["entry_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let secret = world
        .token("mara")
        .strip_prefix("popug_token_")
        .expect("a token")
        .to_owned();
    for key in [
        world.token("mara").to_owned(),
        format!("import/ today {}", world.token("mara")),
    ] {
        for words in [
            &["task", "add", "x"][..],
            &["account", "correct", &entry, "--reason", "slip"],
        ] {
            let refused = world.refused(
                "ada",
                &[words, &["--key", &key]].concat(),
                6,
                "token_in_key",
            );
            assert!(!refused.to_string().contains(&secret), "{refused}");
        }
    }
}

#[test]
fn a_correction_that_is_refused_or_dry_posts_nothing_that_others_are_owed() {
    let world = World::new();
    world.does("mara", &["task", "add", "Posted"]);
    world.does("ada", &["consume"]);
    let entry = world.rows("ada", &["report", "entries"])[0].clone();
    let fee = entry["entry_id"].as_str().expect("an id");
    world.does("mara", &["task", "add", "Not posted yet"]);
    let before = world.log_bytes();
    world.refused(
        "mara",
        &["account", "correct", fee, "--reason", "slip"],
        5,
        "role_may_not",
    );
    world.refused(
        "ada",
        &[
            "account", "correct", fee, "--amount", "99.00", "--reason", "slip",
        ],
        4,
        "correction_too_large",
    );
    assert_eq!(
        world
            .answer(
                "ada",
                &["account", "correct", fee, "--reason", "slip", "-n"]
            )
            .lines()
            .count(),
        1
    );
    assert!(world.log_bytes() == before);
    world.does("ada", &["account", "correct", fee, "--reason", "slip"]);
    world.does("ada", &["consume"]);
    assert_eq!(world.rows("ada", &["report", "entries"]).len(), 3);
    crate::helpers::chain::check(&world.log_lines());
}

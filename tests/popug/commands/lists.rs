//! `task list` with words and filters, `task board`, and the columns, order and number of rows of lists.

use serde_json::{Value, json};

use crate::helpers::harness::Text::Nothing;
use crate::helpers::harness::World;
use crate::model::books::Books;

fn numbers(world: &World, words: &[&str]) -> Vec<u64> {
    let rows = world.rows("dora", &[&["task", "list"], words].concat());
    let number = |row: &Value| row["number"].as_u64().expect("a number");
    rows.iter().map(number).collect()
}

/// Tasks 1 to 4; 1 is done on Monday, 2 on Tuesday.
fn company() -> World {
    let mut world = World::new();
    let add = |world: &World, by: &str, words: &[&str]| {
        world.json(by, &[&["task", "add", "-q"], words].concat())["assignee"]
            .as_str()
            .expect("a login")
            .to_owned()
    };
    let first = add(&world, "mara", &["[UP-7] Починить Жёрдочку"]);
    let second = add(
        &world,
        "dora",
        &["Feed the popugs", "--description", "Seeds, and a PERCH."],
    );
    add(&world, "mara", &["Fix the perch"]);
    add(&world, "dora", &["Open 100% of the _windows_"]);
    world.does(&first, &["task", "complete", "1"]);
    // Local midnight of the company.
    world
        .at("2026-03-02T23:30:00Z")
        .does(&second, &["task", "complete", "2"]);
    world.does("mara", &["task", "cancel", "4", "--reason", "x"]);
    world
}

#[test]
fn words_match_title_description_and_jira_id_in_any_case() {
    let world = company();
    for (words, expected) in [
        (&["жёрдочку", "--all"][..], &[1][..]),
        (&["up-7", "ПОЧИНИТЬ", "--all"], &[1]),
        (&["perch", "--all"], &[2, 3]),
        (&["perch"], &[3]),
        (&["perch", "windows", "--all"], &[]),
        (&["100%", "_", "--all"], &[4]),
        (&["", "--all"], &[1, 2, 3, 4]),
    ] {
        assert_eq!(numbers(&world, words), expected, "{words:?}");
    }
}

#[test]
fn a_list_is_of_an_assignee_by_a_creator_with_a_status_or_done_in_a_period() {
    let world = company();
    let all = world.rows("dora", &["task", "list", "--all"]);
    let holder = all[2]["assignee"].as_str().expect("a login");
    let of_holder: Vec<u64> = all
        .iter()
        .filter(|row| row["assignee"] == holder)
        .map(|row| row["number"].as_u64().expect("a number"))
        .collect();
    assert_eq!(numbers(&world, &["--of", holder, "--all"]), of_holder);
    for (words, expected) in [
        (&["--by", "dora", "--all"][..], &[2, 4][..]),
        (&["--by", "mara"], &[3]),
        (&["--status", "cancelled"], &[4]),
        (&["--status", "completed"], &[1, 2]),
        (&["--done", "2026-03-02"], &[1]),
        (&["--done", "today"], &[2]),
        (&["--done", "2026-03-01..2026-03-03"], &[1, 2]),
        (&["--done", "2026-03-02", "--by", "dora"], &[]),
    ] {
        assert_eq!(numbers(&world, words), expected, "{words:?}");
    }
    world.refused(
        "dora",
        &["task", "list", "--of", "nobody"],
        3,
        "unknown_user",
    );
    world.refused(
        "dora",
        &["task", "list", "--mine", "--of", "dan"],
        2,
        "usage",
    );
    world.refused(
        "dora",
        &["task", "list", "--all", "--done", "today"],
        2,
        "usage",
    );
    world.refused("dora", &["task", "list", "--done", "soon"], 2, "usage");
    world.refused("cron", &["task", "list", "perch"], 5, "role_may_not");
}

#[test]
fn the_board_counts_the_open_tasks_of_each_holder_and_what_is_at_stake() {
    let mut world = company();
    for number in 0..12 {
        world.does("mara", &["task", "add", &format!("More {number}")]);
    }
    let leaver = world.rows("dora", &["task", "list"])[0]["assignee"].clone();
    let leaver = leaver.as_str().expect("a login").to_owned();
    world.does("ada", &["user", "deactivate", &leaver, "--keep-tasks"]);
    world.at("2026-03-05T08:00:00Z");
    let books = Books::of_log(&{
        world.does("ada", &["consume", "accounting"]);
        world.events()
    });
    let board = world.rows("mara", &["task", "board"]);
    let open = |login: &str| {
        let id = books
            .users
            .iter()
            .find(|user| user.login == login)
            .expect("a user")
            .id
            .clone();
        books
            .tasks
            .iter()
            .filter(move |task| task.is_open() && task.assignee == id)
    };
    for row in &board {
        let login = row["login"].as_str().expect("a login");
        let at_stake: i64 = open(login).map(|task| task.reward).sum();
        let cents = row["at_stake"].as_str().expect("money").replace('.', "");
        assert_eq!(row["open"], open(login).count());
        assert_eq!(cents, at_stake.to_string());
        assert_eq!(row["active"], login != leaver);
        // Task 3 is of Monday the 2nd, the others of Tuesday, by the company's clock.
        let days = if open(login).any(|task| task.number == 3) {
            3
        } else {
            2
        };
        assert_eq!(row["oldest_days"], days, "{login}");
    }
    let counted: u64 = board
        .iter()
        .map(|row| row["open"].as_u64().expect("a number"))
        .sum();
    assert_eq!(counted, 13);
    let counts: Vec<_> = board.iter().map(|row| row["open"].as_u64()).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    assert!(board.iter().any(|row| row["login"] == json!(leaver)));
    world.refused("cron", &["task", "board"], 5, "role_may_not");
    World::new()
        .call("dora", &["task", "board"])
        .expect(0, Nothing, Nothing);
}

#[test]
fn every_list_has_the_columns_the_order_and_the_number_of_rows_that_are_asked_for() {
    let world = company();
    world.does("ada", &["consume"]);
    let shown = |words: &[&str]| world.answer("ada", words);
    let numbers = shown(&[
        "task",
        "list",
        "--all",
        "--columns",
        "number",
        "--sort",
        "-number",
    ]);
    assert_eq!(numbers, "4\n3\n2\n1\n");
    let words = [
        "task",
        "list",
        "--all",
        "--sort=status,-number",
        "--columns=status,number",
    ];
    assert_eq!(
        shown(&[&words[..], &["--limit", "3", "-o", "csv"]].concat()),
        "status,number\ncancelled,4\ncompleted,2\ncompleted,1\n"
    );
    let users = shown(&[
        "user",
        "list",
        "--columns",
        "login",
        "--sort",
        "-login",
        "--limit",
        "2",
    ]);
    let mut logins: Vec<&str> = users.lines().collect();
    assert_eq!(logins.len(), 2);
    logins.reverse();
    assert!(logins.is_sorted(), "{logins:?}");
    for (list, column) in [
        (&["task", "board"][..], "login"),
        (&["token", "list"], "state"),
        (&["mail", "list"], "state"),
        (&["dlq", "list"], "sequence"),
        (&["log", "stats"], "type"),
        (&["schema", "list"], "type"),
        (&["report", "balances"], "login"),
        (&["report", "trial-balance"], "account"),
    ] {
        let words = [list, &["--columns", column, "--sort", column, "-o", "csv"]].concat();
        let csv = shown(&words);
        let (heading, rows) = csv.split_once('\n').expect("a heading");
        assert_eq!(heading, column);
        assert!(rows.lines().is_sorted(), "{rows}");
        let unknown = [list, &["--sort", "colour"]].concat();
        let failure = world.refused("ada", &unknown, 2, "usage");
        let message = failure["message"].as_str().expect("a message");
        assert!(
            message.contains("no column `colour`") && message.contains(column),
            "{message}"
        );
    }
}

#[test]
fn a_table_tells_how_many_rows_a_limit_left_out_and_a_wrong_column_what_was_meant() {
    let world = company();
    let table = world.answer(
        "ada",
        &["task", "list", "--all", "--limit", "1", "-o", "table"],
    );
    assert!(table.contains("\nand 3 more rows\n"), "{}", table);
    for (typed, meant) in [
        ("titel", "title"),
        ("task", "number"),
        ("Created", "created_at"),
    ] {
        let failure = world.refused("ada", &["task", "list", "--columns", typed], 2, "usage");
        assert_eq!(
            failure["hints"],
            json!([format!("did you mean `{meant}`?")])
        );
    }
    let failure = world.refused(
        "ada",
        &["task", "list", "--columns", "title,title"],
        2,
        "usage",
    );
    assert_eq!(failure["message"], "column `title` is named twice");
}

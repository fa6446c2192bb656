//! Files from real life: from spreadsheets, from Jira, with wrong quotes, week by week.

use serde_json::Value;

use crate::helpers::harness::Text::{Any, Has, Is, Nothing};
use crate::helpers::harness::{INIT, PASSWORD, World};

const COLUMNS: [(&str, &str); 3] = [
    (
        "users",
        "login,name,email,role\nnora,%,nora@popug.example,worker\nolga,Olga,olga@popug.example,worker\n",
    ),
    (
        "tasks",
        "key,title,jira_id,description\nA,First,,%\nB,Second,,\n",
    ),
    (
        "activity",
        "at,action,key,title,description\n2026-03-02T08:00:00Z,create,A,First,%\n2026-03-02T08:00:00Z,create,B,Second,\n",
    ),
];

fn import(world: &World, words: &[&str], file: &[u8]) -> crate::helpers::harness::Output {
    std::fs::write(world.home().join("file.csv"), file).expect("written");
    world
        .call(
            "ada",
            &[&["import", words[0], "file.csv"], &words[1..]].concat(),
        )
        .run()
}

/// The import is refused with all of these words, and nothing is appended.
fn assert_refused(world: &World, words: &[&str], file: &[u8], told: &[&str]) {
    let before = world.log_bytes();
    let output = import(world, words, file);
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (6, ""),
        "{}",
        output.stderr
    );
    for part in told {
        assert!(
            output.stderr.contains(part),
            "{part:?} is not in\n{}",
            output.stderr
        );
    }
    assert!(world.log_bytes() == before, "something was appended");
}

fn titles(world: &World) -> Vec<String> {
    let rows = world.rows("ada", &["task", "list", "--all"]);
    rows.iter()
        .map(|row| row["title"].as_str().expect("a title").to_owned())
        .collect()
}

#[test]
fn a_text_behind_a_closing_quote_makes_its_row_bad_in_every_import() {
    let world = World::new();
    for (kind, file) in COLUMNS {
        for cell in ["\"first\" part", r#""say \"hi\"""#] {
            let file = file.replace('%', cell);
            assert_refused(
                &world,
                &[kind],
                file.as_bytes(),
                &["line 2: ", "follows the closing quote of a cell"],
            );
        }
        // The quote of the last row would close it, and the row in between would be gone.
        let file = file.replace('%', "\"never closed") + "C,\"quoted\",,\n";
        let told = [
            "line 2: ",
            "begins in line 2 and ends in line 4",
            "a quote inside a quoted cell is written twice",
        ];
        assert_refused(&world, &[kind], file.as_bytes(), &told);
    }
}

#[test]
fn a_quote_inside_an_unquoted_cell_is_a_character_in_the_last_row_too() {
    let world = World::new();
    for end in ["\n", ""] {
        let file = format!(
            "key,title\nA{0},Cut a 4\" pipe\nB{0},Buy a 6\" pipe{end}",
            end.len()
        );
        world
            .call("ada", &["import", "tasks", "-"])
            .stdin(&file)
            .expect(0, Any, Nothing);
    }
    assert_eq!(
        titles(&world),
        ["Cut a 4\" pipe", "Buy a 6\" pipe"].repeat(2)
    );
    let open = "key,title\nC,One\nD,\"Two\nE,Three\n";
    let told = [
        "line 3: ",
        "begins with a quote in line 3 has no closing quote",
    ];
    assert_refused(&world, &["tasks"], open.as_bytes(), &told);
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(bytes)
        .collect()
}

/// The files that Excel saves as "Unicode Text" (tabs, UTF-16) and, if the comma is the decimal
/// separator, as "CSV UTF-8" (a mark and semicolons); with two columns that were once used and an
/// emptied row.
#[test]
fn people_are_imported_from_what_excel_saves() {
    let sheet = |login: &str| {
        let row =
            format!(" {login}\t\"Нора \"\"Н\"\" Лори\"\t{login}@popug.example\tworker \t\t\r\n");
        format!("Login\tName\tEmail\tRole\t\t\r\n{row}\t\t\t\t\t\r\n")
    };
    let semicolons = |login: &str| sheet(login).replace('\t', ";");
    let files = [
        (
            utf16(&sheet("le"), u16::to_le_bytes),
            "read as UTF-16, separated by tabs\n",
        ),
        (
            utf16(&sheet("be"), u16::to_be_bytes),
            "read as UTF-16, separated by tabs\n",
        ),
        (
            format!("\u{feff}{}", semicolons("csv")).into_bytes(),
            "read as UTF-8, separated by `;`\n",
        ),
        (
            format!("sep=;\r\n{}", semicolons("sep")).into_bytes(),
            "read as UTF-8, separated by `;` as its first line says\n",
        ),
        (
            semicolons("mac").replace("\r\n", "\r").into_bytes(),
            "read as UTF-8, separated by `;`, with lines that end in CR\n",
        ),
    ];
    let world = World::new();
    for (file, remark) in files {
        let output = import(&world, &["users"], &file);
        assert_eq!((output.status, output.stderr.as_str()), (0, remark));
    }
    for login in ["le", "be", "csv", "sep", "mac"] {
        let user = world.json("ada", &["user", "show", login]);
        assert!(user.to_string().contains("Нора \\\"Н\\\" Лори"), "{user}");
    }
}

#[test]
fn a_file_with_another_separator_is_refused_with_the_way_to_name_it() {
    let world = World::new();
    let file = "key|title\nA|Feed the cat\n";
    let told = [
        "the columns `key`, `title` are missing",
        "the header was read as one cell",
        "like sep=|",
    ];
    assert_refused(&world, &["tasks"], file.as_bytes(), &told);
    let named = import(&world, &["tasks"], format!("sep=|\n{file}").as_bytes());
    assert_eq!(named.status, 0, "{}", named.stderr);
    assert_eq!(titles(&world), ["Feed the cat"]);
}

#[test]
fn of_many_bad_rows_a_few_are_shown_and_the_others_counted() {
    let world = World::new();
    let file = format!("key,title\n{}", "A,\n".repeat(40));
    let output = import(&world, &["tasks"], file.as_bytes());
    assert_eq!(output.status, 6);
    assert_eq!(
        output.stderr.matches("line ").count(),
        10,
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("30 more rows are bad"));
}

const JIRA: &str = "\
Summary,Issue key,Issue id,Status,Labels,Labels,Description
Feed the parrots,UP-1,10001,To Do,a,b,\"Twice a day.
And water.\"
[UP-2]: Clean the cage,UP-2,10002,Done,,,
";

#[test]
fn tasks_are_imported_from_what_jira_exports() {
    let world = World::new();
    let told = [
        "the columns `Summary`, `Issue key`, `Issue id`, `Status`, `Labels` are not known; the columns `key`, `title` are missing",
        "--map title=Summary",
        "--ignore-unknown",
    ];
    assert_refused(&world, &["tasks"], JIRA.as_bytes(), &told);
    let map = [
        "tasks",
        "--map",
        "title=Summary",
        "--map",
        "key=Issue key",
        "--ignore-unknown",
    ];
    let output = import(&world, &map, JIRA.as_bytes());
    assert_eq!(
        (output.status, output.stderr.as_str()),
        (0, "passed over: Issue id, Status, Labels\n")
    );
    assert_eq!(titles(&world), ["Feed the parrots", "Clean the cage"]);
    let rows = world.rows("ada", &["task", "list", "--all"]);
    assert_eq!(
        (&rows[0]["description"], &rows[1]["jira_id"]),
        (&"Twice a day.\nAnd water.".into(), &"UP-2".into())
    );
    let again = import(&world, &map, JIRA.as_bytes());
    assert_eq!(again.status, 0);
    assert_eq!(titles(&world).len(), 2);
    world
        .call("ada", &["import", "tasks", "file.csv", "--map", "Summary"])
        .expect(2, Nothing, Has("title=Summary"));
    world
        .call(
            "ada",
            &["import", "tasks", "file.csv", "--map", "name=Summary"],
        )
        .expect(2, Nothing, Has("there is no column `name`"));
}

#[test]
fn all_faults_of_a_row_are_told_at_once_with_the_line_it_begins_in() {
    let world = World::new();
    let file = "login,name,email,role\rfine,\"Two\rlines\",fine@popug.example,worker\rBAD,,nowhere,plumer\r";
    let told = [
        "line 2, column name: the name has a line break",
        "line 4, column login: `BAD` is not a login",
        "line 4, column name: the name is empty",
        "line 4, column email: `nowhere` is not an e-mail address",
        "line 4, column role: `plumer` is not a role",
    ];
    assert_refused(&world, &["users"], file.as_bytes(), &told);
    let file = "at,action,actor,title,jira_id\n2026-03-01T00:00:00Z,create,nobody,two [brackets],up-1\nyesterday,fly,,,\n";
    let told = [
        "line 2, column at: 2026-03-01T00:00:00.000000Z is earlier than the founding of the company",
        "line 2, column actor: there is no user `nobody`",
        "line 2, column title: the title `two [brackets]` contains a bracket",
        "line 2, column jira_id: `up-1` is not a jira id",
        "line 3, column at: `yesterday` is not a time",
        "line 3, column action: `fly` is not an action",
    ];
    assert_refused(&world, &["activity"], file.as_bytes(), &told);
    let skip = ["users", "--on-error", "skip", "--rejects", "rejects.csv"];
    let output = import(
        &world,
        &skip,
        b"login,name,email,role\nBAD,,nora@popug.example,worker\n",
    );
    assert_eq!(output.status, 0, "{}", output.stderr);
    let rejects = std::fs::read_to_string(world.home().join("rejects.csv")).expect("rejects");
    assert!(
        rejects
            .contains("BAD,,nora@popug.example,worker,2,\"login, name\",\"`BAD` is not a login; "),
        "{rejects}"
    );
}

/// Two days of a week: a task is completed, and a row closes its date.
fn week(day: u32) -> String {
    let at = |day: u32, time: &str| format!("2026-03-{day:02}T{time}Z");
    let (morning, noon, night) = (
        at(day, "08:00:00"),
        at(day, "12:00:00"),
        at(day + 1, "00:30:00"),
    );
    format!("{morning},create,T{day},Task {day}\n{noon},complete,T{day},\n{night},close,,\n")
}

/// The time of the import. Tokens are judged by the machine's own clock.
const LATER: &str = "2026-04-20T10:00:00Z";

const HISTORY: &str = "at,action,key,title\n";

#[test]
fn a_history_can_be_imported_week_by_week_though_its_mails_were_written_meanwhile() {
    let mut world = World::new();
    world.at(LATER);
    let (first, both) = (
        format!("{HISTORY}{}", week(3)),
        format!("{HISTORY}{}{}", week(3), week(10)),
    );
    world
        .call("ada", &["import", "activity", "-"])
        .stdin(&first)
        .expect(0, Any, Any);
    world.call("ada", &["consume"]).expect(0, Any, Any);
    let mails = |world: &World| {
        world
            .events()
            .iter()
            .filter(|event| event["type"] == "mail.sent.v1")
            .count()
    };
    assert_eq!(mails(&world), 1);
    world
        .call("ada", &["import", "activity", "-"])
        .stdin(&both)
        .expect(0, Any, Nothing);
    world.call("ada", &["consume"]).expect(0, Any, Any);
    assert_eq!((titles(&world).len(), mails(&world)), (2, 2));
    world.call("ada", &["verify", "--deep"]).expect(0, Any, Any);
}

#[test]
fn a_row_that_comes_too_late_names_the_event_in_between_and_the_way_out() {
    let mut world = World::new();
    world.at(LATER);
    let first = format!("{HISTORY}{}", week(3));
    world
        .call("ada", &["import", "activity", "-"])
        .stdin(&first)
        .expect(0, Any, Any);
    let before = world.events().len();
    world.does("mara", &["task", "add", "Something of today"]);
    world.does("mara", &["task", "add", "And another"]);
    let both = format!("{first}{}", week(10));
    let told = [
        format!(
            "line 5, column at: 2026-03-10T08:00:00.000000Z is earlier than event {} (task.created.v2 of ",
            before + 1
        ),
        "2026-04-20T10:00:00.000000Z by mara)".to_owned(),
        format!(
            "restore DIR --to-sequence {before}`; events {} to ",
            before + 1
        ),
        " are lost there: `consume` makes entries and mails anew".to_owned(),
        // The way out is explained once.
        format!(
            "line 6, column at: 2026-03-10T12:00:00.000000Z is earlier than event {}\n",
            before + 1
        ),
        "line 6, column key: there is no task `T10`".to_owned(),
    ];
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    assert_refused(&world, &["activity"], both.as_bytes(), &told);
    // The way out works.
    world.does("ada", &["backup", "copy"]);
    let other = world.home().join("other");
    let restore = [
        "restore",
        "copy",
        "--to-sequence",
        &before.to_string(),
        "--password-stdin",
        "--no-input",
        "-C",
    ];
    world
        .anonymous(&restore)
        .arg(&other)
        .stdin(PASSWORD)
        .expect(0, Any, Any);
    let import = world
        .anonymous(&["import", "activity", "-", "--as", "ada", "-C"])
        .arg(&other);
    import
        .env("POPUG_PASSWORD", PASSWORD)
        .stdin(&both)
        .expect(0, Any, Any);
}

#[test]
fn an_offset_that_is_none_is_refused_wherever_a_time_is_given() {
    let world = World::new();
    let contradiction = "contradicts its time zone, which is at +03 at this time";
    for (at, cause) in [
        ("2026-03-03T10:00:00+25:00", "is not a time"),
        ("2026-03-02T10:00:00+02:00[Europe/Moscow]", contradiction),
    ] {
        let file = format!("at,action\n{at},reshuffle\n");
        assert_refused(
            &world,
            &["activity"],
            file.as_bytes(),
            &["line 2, column at: ", cause],
        );
        world
            .call("ada", &["status"])
            .env("POPUG_NOW", at)
            .expect(2, Nothing, Has("POPUG_NOW is"));
        let empty = World::empty();
        let init = empty
            .anonymous(&INIT)
            .arg("--founded-at")
            .arg(at)
            .arg("--password-stdin")
            .stdin(PASSWORD);
        init.expect(2, Nothing, Has(cause));
    }
}

#[test]
fn a_zone_that_stands_for_none_founds_no_company() {
    let world = World::empty();
    for zone in ["Factory", "factory"] {
        let words = INIT.map(|word| {
            if word == crate::helpers::harness::ZONE {
                zone
            } else {
                word
            }
        });
        let init = world
            .anonymous(&words)
            .arg("--password-stdin")
            .stdin(PASSWORD);
        init.expect(6, Nothing, Has("is not the name of a time zone"));
        assert!(!world.store().exists());
    }
}

#[test]
fn a_jira_id_in_brackets_may_be_followed_by_a_colon_or_a_point() {
    let world = World::new();
    let titles = [
        "[ABC-7]: Fix",
        "[ABC-7], Fix",
        "[ABC-7]. Fix",
        "[ABC-7]; Fix",
    ];
    for title in titles {
        let told = Has("read as jira id ABC-7 and title `Fix`");
        world
            .call("mara", &["task", "add", title])
            .expect(0, Any, told);
    }
    for task in world.rows("mara", &["task", "list"]) {
        assert_eq!(
            (&task["title"], &task["jira_id"]),
            (&"Fix".into(), &"ABC-7".into())
        );
    }
    world
        .call("mara", &["task", "add", "ABC-7: Fix"])
        .expect(0, Any, Nothing);
    assert_eq!(
        world.rows("mara", &["task", "list"])[titles.len()]["title"],
        "ABC-7: Fix"
    );
}

#[test]
fn an_address_of_any_script_is_taken_and_its_mail_is_written() {
    let mut world = World::new();
    let emails = ["मित्र@डाटा.भारत", "e\u{301}lodie@popug.example"];
    for login in ["dora", "dan", "axel"] {
        world.does("ada", &["user", "deactivate", login]);
    }
    for (email, day) in emails.into_iter().zip(["2026-03-02", "2026-03-03"]) {
        world
            .call("ada", &["user", "update", "walt", "--email", email])
            .expect(0, Is(""), Nothing);
        world.does("mara", &["task", "add", "Paid", "--key", day]);
        let number = world.rows("mara", &["task", "list"])[0]["number"].to_string();
        world.does("walt", &["task", "complete", &number]);
        world.at(&format!("{day}T23:30:00Z"));
        world.call("ada", &["close"]).expect(0, Any, Any);
        world.call("ada", &["consume"]).expect(0, Any, Any);
    }
    let sent: Vec<Value> = world
        .events()
        .into_iter()
        .filter(|event| event["type"] == "mail.sent.v1")
        .collect();
    let to: Vec<&str> = sent
        .iter()
        .map(|event| event["data"]["to"].as_str().expect("an address"))
        .collect();
    assert_eq!(to, emails);
}

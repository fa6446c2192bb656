//! The page of a period, read in a browser: its figures are those of the reports, it can be read at every width, by day and
//! by night, and it shows texts of users as texts.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::played::played;
use crate::helpers::python::python;
use crate::helpers::settings::{is_ci, screenshots};
use crate::model::calendar::micros;

const READ: &str = include_str!("page.py");
const BROWSER: [&str; 2] = ["/usr/bin/chromium", "/usr/bin/chromedriver"];

fn page(world: &World, login: &str, words: &[&str]) -> PathBuf {
    let name = format!("{login}.html");
    let words = [&["report", "page"], words, &["--out", &name, "--force"]].concat();
    world.call(login, &words).expect(0, Nothing, Any);
    world.home().join(name)
}

/// The page as the browser reads it; `None` if there is no browser.
fn read(page: &Path) -> Option<Value> {
    if let Some(missing) = BROWSER.into_iter().find(|path| !Path::new(path).exists()) {
        assert!(!is_ci(), "{missing} is missing");
        eprintln!(
            "not tested, because {missing} is missing: install the packages chromium and chromium-driver"
        );
        return None;
    }
    let shots = screenshots();
    let arguments: Vec<_> = [page.as_os_str()]
        .into_iter()
        .chain(shots.as_deref())
        .collect();
    let answer: Value = serde_json::from_str(&python("selenium", READ, &arguments)).expect("JSON");
    assert_eq!(answer["faults"], json!([]));
    assert_eq!(answer["messages"], json!([]));
    Some(answer)
}

/// A number of the page as in JSON.
fn plain(text: &str) -> String {
    text.replace('\u{202f}', "")
        .replace('\u{2212}', "-")
        .replace('+', "")
}

/// A value of a report as the page gives it to its script.
fn value(json: &Value) -> String {
    match json {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn report(world: &World, login: &str, command: &str) -> Value {
    let words: Vec<&str> = command.split(' ').chain(["-o", "json"]).collect();
    world.call(login, &words).expect(0, Any, Any).json()
}

/// Compares a cell of the page with a value of a report: numbers and dates by their value, and numbers by their text too.
fn same(cell: &Value, wanted: &Value, what: &str) {
    let shown = cell["text"].as_str().expect("a text");
    let Some(given) = cell["value"].as_str() else {
        // The page escapes this character as terminals do.
        let escaped = |text: String| text.replace('\u{202e}', "\\u{202e}");
        let wanted = if wanted.is_null() {
            "\u{2013}".to_owned()
        } else {
            escaped(value(wanted))
        };
        assert_eq!(shown, wanted, "{what}");
        return;
    };
    assert_eq!(given, value(wanted), "{what}");
    let is_number = given.parse::<f64>().is_ok() && !shown.starts_with("T-");
    if is_number {
        assert_eq!(plain(shown), given, "{what}");
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// Compares a table whose rows are those of one report, and returns the number of compared cells.
fn same_table(table: &Value, report: &Value) -> usize {
    let columns: Vec<&str> = list(&table["columns"])
        .iter()
        .map(|c| c.as_str().expect("text"))
        .collect();
    let key = columns
        .iter()
        .position(|c| matches!(*c, "login" | "date" | "number" | "period_start"))
        .expect("a key");
    let text = |cell: &Value| {
        let text = cell["value"].as_str().or(cell["text"].as_str());
        text.expect("a text").to_owned()
    };
    let mut compared = 0;
    for row in list(&table["rows"]) {
        let row = list(row);
        let of_row = |wanted: &&Value| value(&wanted[columns[key]]) == text(&row[key]);
        let wanted = list(&report["rows"])
            .iter()
            .find(of_row)
            .expect("the row is in the report");
        for (cell, column) in row.iter().zip(&columns) {
            if let Some((to, from)) = column.split_once(" - ") {
                let time = |name: &str| micros(wanted[name].as_str().expect("a time"));
                let seconds = (time(to) - time(from)) / 1_000_000;
                assert_eq!(cell["value"], seconds.to_string(), "{wanted}");
                continue;
            }
            same(cell, &wanted[*column], &format!("{} {column}", table["id"]));
            compared += 1;
        }
    }
    for (cell, column) in list(&table["totals"]).iter().zip(&columns) {
        if cell["value"] != Value::Null {
            same(cell, &report["totals"][*column], &format!("total {column}"));
        }
    }
    compared
}

/// Compares the matrix, whose columns are pay sheets.
fn same_matrix(world: &World, login: &str, table: &Value) {
    let columns = list(&table["columns"]);
    for (place, command) in columns.iter().enumerate() {
        let command = command.as_str().expect("text");
        if !command.starts_with("report") {
            continue;
        }
        let sheet = report(world, login, command);
        for row in list(&table["rows"]) {
            let found = |wanted: &&Value| wanted["login"] == row[1]["text"];
            let wanted = list(&sheet["rows"])
                .iter()
                .find(found)
                .map_or(json!("0.00"), |row| row["paid"].clone());
            same(&row[place], &wanted, command);
        }
        same(&table["totals"][place], &sheet["totals"]["paid"], command);
    }
}

/// Compares every figure of a page with the report that it names. Returns the ids of the tables.
fn same_figures(world: &World, login: &str, found: &Value) -> Vec<String> {
    for total in list(&found["totals"]) {
        let command = total["source"].as_str().expect("a command");
        let report = report(world, login, command);
        let name = total["name"].as_str().expect("a name");
        same(total, &report["totals"][name], command);
        if total["change"] != Value::Null && report.get("vs").is_some() {
            same(&total["change"], &report["vs"]["difference"][name], command);
        }
    }
    let mut ids = Vec::new();
    for table in list(&found["tables"]) {
        let id = table["id"].as_str().expect("an id");
        match id {
            "months" => same_matrix(world, login, table),
            _ => {
                let command = table["source"].as_str().expect("a command");
                let compared = same_table(table, &report(world, login, command));
                assert!(compared > 0, "{id}");
            }
        }
        ids.push(id.to_owned());
    }
    ids
}

#[test]
fn every_figure_of_a_page_is_that_of_a_report_and_it_can_be_read_at_every_width_and_in_both_colours()
 {
    let world = played();
    let Some(answer) = read(&page(&world, "ada", &["2026-03"])) else {
        return;
    };
    let found = &answer["found"];
    let ids = same_figures(&world, "ada", found);
    let all = [
        "figures", "red", "open", "dearest", "fastest", "oldest", "pay", "months", "people",
    ];
    for id in all {
        assert!(ids.iter().any(|found| found == id), "{id}: {ids:?}");
    }
    let status = world.json("ada", &["status"]);
    assert_eq!(found["hash"], status["head"]["hash"]);
    assert_eq!(found["sequence"], value(&status["head"]["sequence"]));
    let earnings = report(&world, "ada", "report earnings 2026-03-05..2026-03-11");
    let moved = list(&earnings["rows"])
        .iter()
        .filter(|row| row["earned"] != "0.00");
    assert_eq!(found["bars"], moved.count());
    let anew: std::collections::BTreeSet<String> = world
        .events()
        .iter()
        .filter(|event| event["type"] == "tasks.reshuffled.v1" && event["data"]["tasks_count"] != 0)
        .map(|event| event["time"].as_str().expect("a time")[..10].to_owned())
        .collect();
    assert!(!anew.is_empty() && found["marks"].as_u64().expect("a number") >= 1);
    let order = |name: &str| -> Vec<f64> {
        list(&answer["tried"]["order"][name])
            .iter()
            .map(|n| n.as_f64().expect("a number"))
            .collect()
    };
    let (down, mut up) = (order("down"), order("up"));
    assert!(
        down.windows(2).all(|pair| pair[0] >= pair[1]) && down.len() > 1,
        "{down:?}"
    );
    up.reverse();
    assert_eq!(down, up);
    let said = answer["tried"]["read"].as_str().expect("a text");
    assert!(said.starts_with("5 Mar 2026 \u{b7} Fees "), "{said}");
}

#[test]
fn a_page_shows_only_the_figures_that_its_reader_may_see() {
    let world = played();
    for login in ["axel", "mara", "lena"] {
        let Some(answer) = read(&page(&world, login, &["2026-03"])) else {
            return;
        };
        let found = &answer["found"];
        let ids = same_figures(&world, login, found);
        let has = |id: &str| ids.iter().any(|found| found == id);
        assert!(
            !has("red") && !has("people") && !has("dearest"),
            "{login}: {ids:?}"
        );
        assert_eq!(has("figures"), login == "axel", "{login}");
        let logins: std::collections::BTreeSet<_> = list(&found["tables"])
            .iter()
            .filter(|table| table["id"] == "pay" || table["id"] == "months")
            .flat_map(|table| list(&table["rows"]))
            .map(|row| row[1]["text"].as_str().expect("a login").to_owned())
            .collect();
        assert!(
            login == "axel" || logins.iter().all(|name| name == login),
            "{logins:?}"
        );
    }
    world
        .call("cron", &["report", "page"])
        .expect(5, Nothing, Any);
}

#[test]
fn hostile_texts_are_shown_as_texts() {
    let mut world = World::new();
    let texts = [
        "<script>document.title='owned'</script>",
        "\"><img src=x onerror=\"document.title='owned'\">",
        "</script><h1>שלום עולם \u{202e}abc 🦜</h1>",
        "{{ 7 * 7 }} {% raw %} &amp; &lt;",
    ];
    for text in texts {
        world.does("mara", &["task", "add", "--", text]);
    }
    world.does(
        "ada",
        &[
            "user",
            "update",
            "mara",
            "--name",
            "<b onclick=alert(1)>Mara 🦜</b>",
        ],
    );
    world.does("ada", &["user", "update", "axel", "--name", "<i>אקסל</i>"]);
    world.at("2026-03-04T20:00:00Z");
    let Some(answer) = read(&page(&world, "ada", &[])) else {
        return;
    };
    let found = &answer["found"];
    let shown = found["bodies"].as_str().expect("a text");
    for text in texts {
        let text = text.replace('\u{202e}', "\\u{202e}");
        assert!(shown.contains(&text), "{text} in {shown}");
    }
    assert!(shown.contains("<i>אקסל</i>"), "{shown}");
    assert_eq!(
        (&found["images"], &found["scripts"]),
        (&json!(0), &json!(1))
    );
    assert_ne!(found["title"], "owned");
}

#[test]
fn a_page_needs_no_network_and_refuses_what_it_does_not_have() {
    let world = played();
    let html = std::fs::read_to_string(page(&world, "ada", &["2026"])).expect("a page");
    for word in ["http://", "https://", "src=", "url(", "@import", "<link"] {
        let html = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!html.contains(word), "{word}");
    }
    for (option, value) in [
        ("--user", "lena"),
        ("--by", "week"),
        ("--vs", "previous"),
        ("--limit", "3"),
    ] {
        world
            .call("ada", &["report", "page", option, value, "--out", "x.html"])
            .expect(2, Nothing, Has("`report page` has no"));
    }
    world
        .call("ada", &["report", "page", "2019", "--out", "x.html"])
        .expect(2, Nothing, Has("no date of the company is in this period"));
    world
        .call("ada", &["report", "page", "--out", "x.csv"])
        .expect(2, Nothing, Has("a page is HTML"));
    assert!(!world.home().join("x.html").exists());
}

//! The pay sheet, payslips as files, and reports beside those of another period.

use serde_json::json;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::played::played;

/// The texts of the cells of an HTML table, row by row.
fn cells(html: &str) -> Vec<Vec<String>> {
    let (_, body) = html.split_once("<tbody>").expect("a table");
    let (body, _) = body.split_once("</tbody>").expect("a table");
    let rows = body.split("<tr>").skip(1);
    let text = |cell: &str| {
        let (_, text) = cell.split_once('>').expect("a tag");
        let (text, _) = text.split_once("</td>").expect("an end");
        assert!(!text.contains('<'), "{text}");
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#x2f;", "/")
            .replace("&#x27;", "'")
            .replace("&amp;", "&")
    };
    rows.map(|row| row.split("<td").skip(1).map(text).collect())
        .collect()
}

#[test]
fn a_pay_sheet_proves_itself_and_payslips_are_its_rows() {
    let world = played();
    let sheet = world
        .call("axel", &["report", "pay", "2026-03", "-o", "json"])
        .expect(0, Any, Any)
        .json();
    let check = sheet["check"].as_str().expect("a check");
    let carried = sheet["totals"]["carried"].as_str().expect("money");
    assert!(check.ends_with(&format!(" = {carried}")), "{check}");
    let shown = world.answer("axel", &["report", "pay", "2026-03", "-o", "table"]);
    assert!(shown.contains(&format!("Check: {check}")), "{shown}");
    world
        .call(
            "axel",
            &["report", "payslip", "2026-03", "--all", "--dir", "slips"],
        )
        .expect(0, Nothing, Any);
    let rows = sheet["rows"].as_array().expect("rows");
    let mut files: Vec<_> = std::fs::read_dir(world.home().join("slips"))
        .expect("a directory")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    files.sort();
    let logins = rows
        .iter()
        .map(|row| format!("{}.html", row["login"].as_str().expect("a login")));
    assert_eq!(files, logins.collect::<Vec<_>>());
    for row in rows {
        let login = row["login"].as_str().expect("a login");
        let html = std::fs::read_to_string(world.home().join(format!("slips/{login}.html")))
            .expect("a payslip");
        let slip = world.call(
            "axel",
            &[
                "report", "payslip", "2026-03", "--user", login, "-o", "json",
            ],
        );
        let slip = slip.expect(0, Any, Any).json();
        assert_eq!(slip["carried"], row["carried"]);
        let entries = slip["rows"].as_array().expect("rows");
        assert_eq!(cells(&html).len(), entries.len(), "{login}");
        for (shown, entry) in cells(&html).iter().zip(entries) {
            let amount = entry["amount"].as_str().expect("money").to_owned();
            assert!(shown.contains(&amount), "{entry} {shown:?}");
            assert!(
                entry["title"].is_null()
                    || shown.iter().any(|cell| entry["title"] == cell.as_str()),
                "{entry} {shown:?}"
            );
        }
    }
}

#[test]
fn a_page_shows_markup_as_text_and_needs_no_network() {
    let world = World::new();
    let title = "<script>alert('1')</script> & \"x\" {{ 7 * 7 }} </td>";
    world.does("mara", &["task", "add", title]);
    world.does("ada", &["consume"]);
    world.does("ada", &["report", "entries", "--out", "entries.html"]);
    let html = std::fs::read_to_string(world.home().join("entries.html")).expect("a page");
    assert!(cells(&html)[0].iter().any(|cell| cell == title), "{html}");
    for foreign in ["<script", "http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    let in_pipe = world.answer("ada", &["report", "entries", "-o", "html"]);
    assert_eq!(in_pipe, html);
}

#[test]
fn payslips_replace_no_files_of_others_and_those_without_rights_get_their_own() {
    let world = played();
    world.does(
        "dora",
        &[
            "report", "payslip", "2026-03", "--all", "--dir", "own", "-o", "table",
        ],
    );
    let own: Vec<_> = std::fs::read_dir(world.home().join("own"))
        .expect("a directory")
        .collect();
    assert_eq!(own.len(), 1);
    let text = std::fs::read_to_string(world.home().join("own/dora.txt")).expect("a payslip");
    assert!(text.starts_with("PAYSLIP  5 to 11 March 2026"), "{text}");
    std::fs::create_dir(world.home().join("slips")).expect("a directory");
    std::fs::write(world.home().join("slips/walt.html"), "mine").expect("a file");
    let words = ["report", "payslip", "2026-03", "--all", "--dir", "slips"];
    world
        .call("ada", &words)
        .expect(2, Nothing, Has("walt.html is there already"));
    let kept: Vec<_> = std::fs::read_dir(world.home().join("slips"))
        .expect("a directory")
        .collect();
    assert_eq!(kept.len(), 1, "nothing is written beside it");
    world
        .call("ada", &[&words[..], &["--force"]].concat())
        .expect(0, Nothing, Any);
    world
        .call("ada", &["report", "pay", "--all", "--dir", "x"])
        .expect(2, Nothing, Has("`report pay` has no --all"));
    let store = world.store().join("x");
    let store = store.to_str().expect("UTF-8");
    world
        .call("ada", &["report", "payslip", "--all", "--dir", store])
        .expect(2, Nothing, Has("nothing is written there"));
}

#[test]
fn a_report_is_compared_with_the_period_before() {
    let world = played();
    let json = |words: &[&str]| {
        let words = [&["report"], words, &["-o", "json"]].concat();
        world.call("ada", &words).expect(0, Any, Any).json()
    };
    let this = json(&["earnings", "2026-03-09..2026-03-12", "--vs", "previous"]);
    let before = json(&["earnings", "2026-03-05..2026-03-08"]);
    assert_eq!(
        this["vs"]["period"],
        json!({"from": "2026-03-05", "to": "2026-03-08"})
    );
    assert_eq!(this["vs"]["totals"], before["totals"]);
    let minor = |value: &serde_json::Value| -> i64 {
        value
            .as_str()
            .expect("money")
            .replace('.', "")
            .parse()
            .expect("digits")
    };
    for (row, other) in this["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .zip(before["rows"].as_array().expect("rows"))
    {
        assert_eq!(row["vs"], other["earned"]);
        assert_eq!(
            minor(&row["difference"]),
            minor(&row["earned"]) - minor(&other["earned"])
        );
        assert_eq!(row["percent"].is_null(), minor(&other["earned"]) == 0);
    }
    let pay = json(&[
        "pay",
        "2026-03-09..2026-03-12",
        "--vs",
        "2026-03-05..2026-03-08",
    ]);
    assert_eq!(pay["vs"]["totals"]["carried"], pay["totals"]["opening"]);
    let balances = json(&["balances", "2026-03-12", "--vs", "2026-03-05"]);
    let old = json(&["balances", "2026-03-05"]);
    for row in balances["rows"].as_array().expect("rows") {
        let mut olds = old["rows"].as_array().expect("rows").iter();
        let found = olds
            .find(|old| old["login"] == row["login"])
            .expect("everybody has a row");
        assert_eq!(row["vs"], found["balance"]);
    }
    let tasks = json(&["tasks", "2026-03-09..2026-03-12", "--vs", "previous"]);
    let count = |of: &str| {
        tasks[of]["completed"]
            .as_i64()
            .or(tasks["vs"][of]["completed"].as_i64())
    };
    let difference = tasks["vs"]["difference"]["completed"]
        .as_i64()
        .expect("a number");
    let then = tasks["vs"]["totals"]["completed"]
        .as_i64()
        .expect("a number");
    assert_eq!(count("totals").expect("a number") - then, difference);
    let table = world.answer(
        "ada",
        &[
            "report",
            "earnings",
            "2026-03-09..2026-03-12",
            "--vs",
            "previous",
            "-o",
            "table",
        ],
    );
    assert!(
        table.contains(", against 5 to 8 March 2026") && table.contains("\ndifference "),
        "{table}"
    );
    for (words, said) in [
        (
            &["balances", "--vs", "previous"][..],
            "without a period cannot be compared",
        ),
        (
            &["closes", "2026-03", "--vs", "previous"],
            "`report closes` has no --vs",
        ),
        (&["pay", "--vs", "whenever"], "is no date or period"),
    ] {
        world
            .call("ada", &[&["report"], words].concat())
            .expect(2, Nothing, Has(said));
    }
}

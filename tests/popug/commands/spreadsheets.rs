//! CSV as the Excel of a country opens it.

use crate::helpers::harness::Text::{Has, Nothing};
use crate::helpers::harness::World;

#[test]
fn csv_for_excel_has_the_signs_of_its_country() {
    let world = World::new();
    world.does("mara", &["task", "add", "a;b,c"]);
    world.does("ada", &["consume"]);
    let words = [
        "report",
        "entries",
        "-o",
        "csv",
        "--columns",
        "business_date,time,title,amount",
    ];
    let csv = |excel: &str| world.answer("ada", &[&words[..], &[excel]].concat());
    let plain = world.answer("ada", &words);
    let cells: Vec<&str> = plain
        .lines()
        .nth(1)
        .expect("a row")
        .split("\"a;b,c\"")
        .collect();
    let plain_amount = plain
        .lines()
        .nth(1)
        .expect("a row")
        .rsplit(',')
        .next()
        .expect("an amount");
    let amount = plain_amount.replace('.', ",");
    for excel in ["--excel=ru", "--excel=de"] {
        let text = csv(excel);
        let mut lines = text.strip_prefix('\u{feff}').expect("a mark").lines();
        assert_eq!(lines.next(), Some("business_date;time;title;amount"));
        let row: Vec<&str> = lines.next().expect("a row").split(';').collect();
        let date: Vec<&str> = cells[0]
            .split(',')
            .next()
            .expect("a date")
            .split('-')
            .collect();
        let date = format!("{}.{}.{}", date[2], date[1], date[0]);
        assert_eq!(row[0], date);
        assert!(
            row[1].starts_with(&format!("{date} ")) && row[1].len() == 16,
            "{row:?}"
        );
        assert_eq!(
            (&row[2..4], *row.last().expect("an amount")),
            (&["\"a", "b,c\""][..], amount.as_str())
        );
    }
    let english = csv("--excel");
    let row = english.lines().nth(1).expect("a row");
    assert!(
        english.starts_with("\u{feff}business_date,time,")
            && row.ends_with(&format!(",{plain_amount}")),
        "{english}"
    );
    world
        .call("ada", &["report", "entries", "-o", "json", "--excel=ru"])
        .expect(2, Nothing, Has("--excel is for CSV"));
}

//! The documents about the log agree with the program.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::deadline;
use crate::domain::event::EventKind;
use crate::event_log::schema::{SCHEMAS, Schema};
use crate::event_log::{Line, upcast};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// `docs/EVENTS.md`, from the catalogue and the schemas.
fn event_document() -> String {
    let mut text =
        "# Events\n\nMade from the catalogue and the schemas by a test; `POPUG_BLESS=1 cargo test` rewrites it.\n\
        Amounts are integers in minor units (hundredths). The envelope around `data` is in LOG_FORMAT.md.\n"
            .to_owned();
    text += IDS;
    for schema in SCHEMAS {
        text += &section(schema);
    }
    text
}

/// The names that derived ids are made of.
const IDS: &str = "
## Ids

The ids of facts that users decide are UUIDv7. A derived id is the UUIDv5 of a name, with the company's id as the namespace,
so that deriving it again gives the same id and no effect is recorded twice:

| id | name |
| --- | --- |
| event of a price, a settlement, and event and entry of a fee or reward | `<type without version>/<id of the causing event>` |
| event and entry that take a fee back for a cancellation | `balance.changed/<id of the task.cancelled event>/<entry_id of the fee>` |
| payout | `payout/<user_id>/<date>` |
| events and entry of a payout | `<type without version>/<payout_id>` |
| event that closes a date | `day/<date>` |
| event of a mail that was sent or written for the first time | `mail/<payout_id>` |
| event of a mail that was sent again | `mail/<payout_id>/<attempt>` |
| event of a mail that failed | `mail/<payout_id>/<attempt>` |

One cancellation causes as many corrections as its task has fees, so its id alone would not do. An entry is corrected by a
cancellation at most once, and an entry's id is used once, so the pair names one correction.
";

fn section(schema: &Schema) -> String {
    let type_name = schema.type_name();
    let value: Value = serde_json::from_str(schema.text).unwrap();
    let current = EventKind::of_type(&type_name);
    let kind = current.or_else(|| upcast::target(&type_name)).unwrap();
    let consumers: Vec<_> = kind
        .consumers()
        .iter()
        .map(|consumer| consumer.name())
        .collect();
    let readers = if consumers.is_empty() {
        "nobody".to_owned()
    } else {
        consumers.join(", ")
    };
    let mut text = format!(
        "\n## {type_name}\n\n{}\n\n",
        value["description"].as_str().unwrap()
    );
    if current.is_none() {
        writeln!(
            text,
            "Old version, read as `{}` and no longer written.\n",
            kind.type_name()
        )
        .unwrap();
    }
    writeln!(
        text,
        "By {}{}, for {readers}.\n",
        kind.context().name(),
        by_consumer(kind)
    )
    .unwrap();
    text += "| member | type | meaning |\n| --- | --- | --- |\n";
    rows(&value, "", &mut text);
    text
}

fn by_consumer(kind: EventKind) -> &'static str {
    match kind {
        EventKind::EventSetAside | EventKind::EventRetried | EventKind::EventSkipped => {
            " (the context of the consumer it names)"
        }
        _ => "",
    }
}

fn rows(object: &Value, prefix: &str, text: &mut String) {
    let required = |member: &str| {
        object["required"]
            .as_array()
            .unwrap()
            .iter()
            .any(|name| name == member)
    };
    for (member, value) in object["properties"].as_object().unwrap() {
        let optional = if required(member) { "" } else { ", optional" };
        let meaning = value["description"].as_str().unwrap();
        writeln!(
            text,
            "| `{prefix}{member}` | {}{optional} | {meaning} |",
            type_of(value)
        )
        .unwrap();
        if value["type"] == "object" {
            rows(value, &format!("{prefix}{member}."), text);
        }
    }
}

fn type_of(value: &Value) -> String {
    if let Some(words) = value["enum"].as_array() {
        return words
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", ");
    }
    let minimum = value["minimum"]
        .as_i64()
        .map(|minimum| format!(" >= {minimum}"));
    let kind = value["format"].as_str().or(value["type"].as_str()).unwrap();
    format!("{kind}{}", minimum.unwrap_or_default())
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment says whether the test writes the document"
)]
fn the_document_of_events_is_up_to_date() {
    let document = event_document();
    if std::env::var_os("POPUG_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(file("docs/EVENTS.md"), &document).unwrap();
    }
    assert!(
        read("docs/EVENTS.md") == document,
        "docs/EVENTS.md is stale: run the tests with POPUG_BLESS=1"
    );
}

#[test]
fn the_shell_example_of_the_format_prints_the_hashes_of_the_golden_log() {
    let document = read("docs/LOG_FORMAT.md");
    let script = document
        .split_once("```sh\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    let golden = read("tests/golden/v1/log/00000000000000000001.ndjson");
    let stated = golden
        .lines()
        .take(2)
        .map(|line| Line::parse(line.as_bytes()).unwrap().hash.to_string() + "\n");
    let mut shell = std::process::Command::new("sh");
    shell
        .arg("-c")
        .arg(script)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = deadline::output(&mut shell);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        stated.collect::<String>()
    );
}

#[test]
fn the_slot_of_the_golden_head_is_laid_out_as_documented() {
    let head = std::fs::read(file("tests/golden/v1/log/head")).unwrap();
    let document = read("docs/LOG_FORMAT.md");
    for (bytes, shaped) in [
        (0..12, "popug-head 1"),
        (157..4095, " "),
        (4095..4096, "\n"),
    ] {
        let text = std::str::from_utf8(&head[bytes]).unwrap();
        assert!(
            text == shaped || text.trim_matches(' ').is_empty() && shaped == " ",
            "{text}"
        );
    }
    for digits in [13..33, 34..54, 55..75, 76..140, 141..157] {
        assert!(
            head[digits.clone()].iter().all(u8::is_ascii_hexdigit),
            "{digits:?}"
        );
        assert!(
            document.contains(&format!("| {}..{} |", digits.start, digits.end)),
            "{digits:?}"
        );
        assert_eq!(head[digits.end], b' ');
    }
}

//! Written events conform to the schemas, and events that do not conform are found.

use proptest::prelude::*;
use serde_json::json;

use super::any_event::{any_batch, any_event_of};
use super::sample::lines_of;
use crate::domain::event::EventKind;
use crate::event_log::schema::{SCHEMAS, lint, validate_data, validate_line};

#[test]
fn the_schemas_have_no_faults() {
    assert_eq!(lint(), Vec::<String>::new());
}

#[test]
fn every_schema_file_is_built_in() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
    {
        if folder.file_type().unwrap().is_dir() {
            let name = folder.file_name().into_string().unwrap();
            let versions = std::fs::read_dir(folder.path()).unwrap();
            files.extend(
                versions
                    .map(|file| format!("{name}/{}", file.unwrap().file_name().to_string_lossy())),
            );
        }
    }
    let mut built_in: Vec<_> = SCHEMAS
        .iter()
        .map(|schema| format!("{}/v{}.json", schema.name, schema.version))
        .collect();
    files.sort();
    built_in.sort();
    assert_eq!(files, built_in);
}

#[test]
fn every_kind_of_event_conforms_to_its_schema() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for kind in EventKind::ALL {
        let result = runner.run(&any_event_of(*kind), |event| {
            let data = serde_json::to_value(&event).unwrap();
            validate_data(kind.type_name(), &data).map_err(TestCaseError::fail)
        });
        result.unwrap_or_else(|error| panic!("{}: {error}", kind.type_name()));
    }
}

proptest! {
    #[test]
    fn every_line_conforms_to_the_envelope(batch in any_batch()) {
        for line in lines_of(&[batch]) {
            prop_assert_eq!(validate_line(&line), Ok(()));
        }
    }
}

#[test]
fn data_that_does_not_conform_is_refused_with_the_place() {
    let id = "0197a3c0-0000-7000-8000-000000000001";
    let good = json!({"task_id": id, "fee": 1200, "reward": 3000});
    assert_eq!(validate_data("task.priced.v1", &good), Ok(()));
    for (member, value) in [
        ("fee", json!(12.5)),
        ("fee", json!("12.00")),
        ("fee", json!(-1)),
        ("task_id", json!("7")),
    ] {
        let mut wrong = good.clone();
        wrong[member] = value;
        let refused = validate_data("task.priced.v1", &wrong).unwrap_err();
        assert!(refused.contains(&format!("/{member}")), "{refused}");
    }
    let mut more = good.clone();
    more["currency"] = json!("EUR");
    assert!(validate_data("task.priced.v1", &more).is_err());
    assert!(validate_data("task.priced.v1", &json!({"task_id": id, "fee": 1200})).is_err());
    assert!(
        validate_data("task.priced.v2", &good)
            .unwrap_err()
            .contains("no schema")
    );
}

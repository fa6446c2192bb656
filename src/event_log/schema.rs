//! The JSON Schemas of every event and of the envelope, built into the program.
//!
//! Tests prove that the program's own events conform; events from outside are validated here.
//! Invariant: every version of every event has a schema, and every schema an event.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::domain::event::EventKind;
use crate::event_log::upcast::{self, UPCASTERS};

/// The schema of one version of an event's `data`.
pub struct Schema {
    /// The name of the event: `task.created`.
    pub name: &'static str,
    /// Counted from 1.
    pub version: u32,
    /// JSON Schema, draft 2020-12.
    pub text: &'static str,
}

impl Schema {
    /// The CloudEvents `type`: `task.created.v2`.
    pub fn type_name(&self) -> String {
        format!("{}.v{}", self.name, self.version)
    }
}

macro_rules! schemas {
    ($($name:literal v $version:literal)+) => {
        &[$(Schema {
            name: $name,
            version: $version,
            text: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/schemas/", $name, "/v", stringify!($version), ".json"
            )),
        }),+]
    };
}

/// Every schema, by context and version.
pub const SCHEMAS: &[Schema] = schemas! {
    "company.founded" v 1
    "user.registered" v 1
    "user.changed" v 1
    "user.role_changed" v 1
    "user.deactivated" v 1
    "user.reactivated" v 1
    "user.password_reset" v 1
    "task.created" v 1
    "task.created" v 2
    "task.changed" v 1
    "task.assigned" v 1
    "task.assigned" v 2
    "tasks.reshuffled" v 1
    "task.completed" v 1
    "task.cancelled" v 1
    "task.priced" v 1
    "balance.changed" v 1
    "task.settled" v 1
    "payout.made" v 1
    "day.closed" v 1
    "mail.sent" v 1
    "mail.failed" v 1
    "event.set_aside" v 1
    "event.retried" v 1
    "event.skipped" v 1
};

/// The schema of the line itself.
pub const ENVELOPE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/schemas/envelope.json"
));

/// The schema of a type such as `task.created.v2`.
pub fn find(type_name: &str) -> Option<&'static Schema> {
    position(type_name).map(|at| &SCHEMAS[at])
}

fn position(type_name: &str) -> Option<usize> {
    let (name, version) = type_name.rsplit_once(".v")?;
    SCHEMAS
        .iter()
        .position(|schema| schema.name == name && schema.version.to_string() == version)
}

static VALIDATORS: LazyLock<Vec<Validator>> = LazyLock::new(|| {
    SCHEMAS
        .iter()
        .map(|schema| validator(schema.text))
        .collect()
});
static ENVELOPE_VALIDATOR: LazyLock<Validator> = LazyLock::new(|| validator(ENVELOPE));

fn validator(text: &str) -> Validator {
    let schema = parse(text).expect("schemas built in are JSON");
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options
        .build(&schema)
        .expect("schemas built in are schemas")
}

fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}

/// Checks the `data` of an event against the schema of its type.
///
/// # Errors
/// All faults in words, separated by semicolons; or that the type does not exist.
pub fn validate_data(type_name: &str, data: &Value) -> Result<(), String> {
    let at = position(type_name).ok_or_else(|| format!("there is no schema for `{type_name}`"))?;
    validate(&VALIDATORS[at], data)
}

/// Checks a line, the envelope and its data, without the hash chain.
///
/// # Errors
/// As [`validate_data`]; or that the line is not JSON.
pub fn validate_line(text: &str) -> Result<(), String> {
    let line = parse(text).map_err(|error| error.to_string())?;
    validate(&ENVELOPE_VALIDATOR, &line)?;
    validate_data(
        line["type"].as_str().expect("validated as a text"),
        &line["data"],
    )
}

fn validate(validator: &Validator, value: &Value) -> Result<(), String> {
    // Finding that there is a fault is much cheaper than describing it.
    if validator.is_valid(value) {
        return Ok(());
    }
    let faults: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    Err(faults.join("; "))
}

/// Faults of the schemas themselves; none in a sound build.
pub fn lint() -> Vec<String> {
    let mut faults: Vec<String> = SCHEMAS.iter().flat_map(lint_schema).collect();
    for kind in EventKind::ALL {
        faults.extend(lint_versions(*kind));
    }
    faults.extend(lint_members(
        "envelope",
        &parse(ENVELOPE).unwrap_or_default(),
    ));
    faults
}

fn lint_schema(schema: &Schema) -> Vec<String> {
    let name = schema.type_name();
    let Ok(value) = parse(schema.text) else {
        return vec![format!("{name}: not JSON")];
    };
    let mut faults = lint_members(&name, &value);
    if value["title"] != name.as_str() {
        faults.push(format!("{name}: the title is {}", value["title"]));
    }
    if EventKind::of_type(&name).is_none() && upcast::target(&name).is_none() {
        faults.push(format!("{name}: a schema without an event"));
    }
    faults
}

fn lint_versions(kind: EventKind) -> Vec<String> {
    let mut faults = Vec::new();
    for version in 1..=kind.version() {
        let name = format!("{}.v{version}", kind.name());
        if find(&name).is_none() {
            faults.push(format!("{name}: an event without a schema"));
        }
        let lifted = UPCASTERS
            .iter()
            .any(|upcaster| upcaster.type_name == name && upcaster.target == kind);
        if version < kind.version() && !lifted {
            faults.push(format!("{name}: an old version without an upcaster"));
        }
    }
    faults
}

/// Checks the form that all object schemas have here.
fn lint_members(name: &str, schema: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut demand = |holds: bool, what: String| {
        if !holds {
            faults.push(format!("{name}: {what}"));
        }
    };
    let described = |value: &Value| {
        value["description"]
            .as_str()
            .is_some_and(|text| !text.contains('\n'))
    };
    demand(
        schema["$schema"] == "https://json-schema.org/draft/2020-12/schema",
        "another draft".to_owned(),
    );
    demand(
        schema["additionalProperties"] == false,
        "additional properties are allowed".to_owned(),
    );
    demand(described(schema), "no description of one line".to_owned());
    let none = serde_json::Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    for (member, value) in properties {
        demand(
            described(value),
            format!("`{member}` has no description of one line"),
        );
    }
    for member in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        demand(
            properties.contains_key(member),
            format!("`{member}` is required and not a property"),
        );
    }
    faults
}

//! Dependencies between layers, and files that depend on each other in a circle.
//!
//! The table of layers in docs/ARCHITECTURE.md must agree with the code: every arrow of the code is
//! in the table, and every arrow of the table is in the code.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Modules, Path};
use crate::helpers::sources::{read, root};

/// Modules that every layer may use: a macro that only torture builds have, and calls of the system.
const SHARED: [&str; 2] = ["failpoint", "files"];

/// The text of a file of `src`.
fn text(file: &str) -> Option<String> {
    std::fs::read_to_string(root().join("src").join(file)).ok()
}

fn product() -> Modules {
    Modules::parse(&text)
}

/// The arrows of the table: from each layer to those that it may use.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let architecture = read(&root().join("docs/ARCHITECTURE.md"));
    let table = architecture
        .split_once("| layer | may use |\n")
        .expect("a table of layers")
        .1;
    let mut allowed = BTreeMap::new();
    for row in table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
    {
        let cells: Vec<BTreeSet<String>> = row.split('|').skip(1).map(quoted).collect();
        let [layers, used, ..] = &cells[..] else {
            panic!("{row} has no two cells")
        };
        for layer in layers {
            allowed.insert(layer.trim_start_matches("src/").to_owned(), used.clone());
        }
    }
    allowed
}

/// The words in backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Every arrow between two layers, with the files that have it.
fn arrows(modules: &Modules) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (path, module) in modules.iter() {
        let Some(from) = path.first() else { continue };
        for to in module.paths.iter().filter_map(|path| path.first()) {
            let is_layer = modules.has(std::slice::from_ref(to));
            if is_layer && to != from && !SHARED.contains(&to.as_str()) {
                let arrow = (from.clone(), to.clone());
                found.entry(arrow).or_default().insert(module.file.clone());
            }
        }
    }
    found
}

fn forbidden(modules: &Modules) -> Vec<String> {
    let allowed = allowed();
    let wrong = arrows(modules).into_iter().filter(|((from, to), _)| {
        SHARED.contains(&from.as_str()) || !allowed.get(from).is_some_and(|used| used.contains(to))
    });
    wrong
        .map(|((from, to), files)| format!("{from} uses {to}: {files:?}"))
        .collect()
}

#[test]
fn imports_point_one_way() {
    let wrong = forbidden(&product());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_of_layers_has_no_arrow_that_the_code_has_not() {
    let arrows = arrows(&product());
    for (from, used) in allowed() {
        for to in used {
            assert!(
                arrows.contains_key(&(from.clone(), to.clone())),
                "{from} does not use {to}"
            );
        }
    }
}

/// A wrong arrow at the end of every file, after all modules of tests.
#[test]
fn a_planted_arrow_is_found_in_every_file() {
    let plants = [
        ("use crate::cli::planted::Thing;", "cli"),
        (
            "use crate::{\n    domain,\n    cli::planted::Thing,\n};",
            "cli",
        ),
        ("fn planted() { let _ = crate::cli::planted(); }", "cli"),
        ("fn planted(thing: &[crate::cli::Planted]) {}", "cli"),
        (
            "fn planted() { println!(\"{}\", crate::cli::PLANTED); }",
            "cli",
        ),
        ("mod planted { use crate::cli::Thing; }", "cli"),
    ];
    let files: Vec<String> = product()
        .iter()
        .map(|(_, module)| module.file.clone())
        .collect();
    let is_below = |file: &&String| {
        !["cli/", "bin/", "lib.rs"]
            .iter()
            .any(|top| file.starts_with(top))
    };
    assert!(files.contains(&"app/mod.rs".to_owned()));
    assert!(files.contains(&"consumers/mod.rs".to_owned()));
    for (plant, layer) in plants {
        let planted = Modules::parse(&|file| Some(format!("{}\n{plant}\n", text(file)?)));
        let found = arrows(&planted);
        for file in files.iter().filter(is_below) {
            let is_found = found
                .iter()
                .any(|((_, to), files)| to == layer && files.contains(file));
            assert!(is_found, "src/{file}: {plant} is not found");
        }
        assert!(!forbidden(&planted).is_empty());
    }
}

/// The names that the dependencies of the package are used by.
fn dependencies() -> BTreeSet<String> {
    let manifest = read(&root().join("Cargo.toml"));
    let (_, rest) = manifest
        .split_once("\n[dependencies]\n")
        .expect("dependencies");
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.replace('-', "_"))
        .collect()
}

/// The domain gets its clock and its dice as arguments, and uses no file, network, process or
/// thread.
#[test]
fn the_domain_is_pure() {
    let crates = ["idna", "jiff", "serde", "sha2", "thiserror", "uuid"];
    let effects = ["env", "fs", "io", "net", "os", "process", "thread", "time"];
    let dependencies = dependencies();
    let is_impure = |path: &Path| match &path[..] {
        [first, second, ..] if first == "std" => effects.contains(&second.as_str()),
        [first, ..] => dependencies.contains(first) && !crates.contains(&first.as_str()),
        [] => false,
    };
    let modules = product();
    let domain = modules
        .iter()
        .filter(|(path, _)| path.first().is_some_and(|layer| layer == "domain"));
    let mut seen = 0;
    for (_, module) in domain {
        let impure: Vec<_> = module
            .foreign
            .iter()
            .filter(|path| is_impure(path))
            .collect();
        assert!(impure.is_empty(), "src/{}: {impure:?}", module.file);
        seen += module.foreign.len();
    }
    assert!(seen > 50, "{seen} names");
}

/// Durations and shares are not money: the command line may print how long something took. A
/// serializer has to refuse floats by name. The coordinates of a drawing are floats, and no figure comes back from it.
#[test]
fn money_is_never_a_float() {
    let modules = product();
    let counted = modules.iter().filter(|(path, module)| {
        path.first().is_some_and(|layer| layer != "cli")
            && ![
                "event_log/audit/written.rs",
                "reports/render/page/charts.rs",
            ]
            .contains(&module.file.as_str())
    });
    for (_, module) in counted {
        let is_float = |path: &Path| ["f32", "f64"].contains(&path[0].as_str());
        let floats = module.foreign.iter().any(is_float);
        assert!(!floats, "src/{} has a float", module.file);
    }
}

#[test]
fn every_layer_stands_in_the_table() {
    let allowed = allowed();
    for (path, _) in product().iter() {
        let Some(layer) = path.first() else { continue };
        let is_listed = allowed.contains_key(layer) || SHARED.contains(&layer.as_str());
        assert!(is_listed, "{layer} is no layer");
    }
}

/// A module and those that it contains know each other; no other files lead back to themselves.
#[test]
fn no_files_go_round_in_a_circle() {
    let circles = product().circles();
    let circles: Vec<_> = circles.into_iter().map(named).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// Modules in a line: `app::command app::error`.
fn named(circle: BTreeSet<Path>) -> String {
    let names: Vec<String> = circle.iter().map(|path| path.join("::")).collect();
    names.join(" ")
}

#[test]
fn a_planted_circle_is_found() {
    let planted = Modules::parse(&|file| {
        let plant = match file {
            "domain/money.rs" => "use crate::domain::pricing::planted;",
            "domain/pricing.rs" => "use super::money::planted;",
            _ => "",
        };
        Some(format!("{}\n{plant}\n", text(file)?))
    });
    let circles = planted.circles();
    let is_found = circles
        .into_iter()
        .any(|circle| named(circle).contains("domain::money domain::pricing"));
    assert!(is_found);
}

#[test]
fn a_circle_is_found_through_a_file_that_names_every_variant_of_an_enum() {
    let files = [
        ("lib.rs", "mod kind; mod one; mod two;"),
        ("bin/popug-cli.rs", ""),
        ("kind.rs", "pub enum Kind { Small }"),
        (
            "one.rs",
            "use crate::two::Two; pub struct One; fn small() { use crate::kind::Kind::*; }",
        ),
        ("two.rs", "use crate::one::One; pub struct Two;"),
    ];
    let files = BTreeMap::from(files);
    let modules = Modules::parse(&|file| files.get(file).map(|text| (*text).to_owned()));
    let circles: Vec<_> = modules.circles().into_iter().map(named).collect();
    assert_eq!(circles, ["one two"]);
}

//! The documents checked against the tree: every path and every link in them leads somewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::helpers::settings::blesses;
use crate::helpers::sources::{files, read, root};

fn documents() -> Vec<PathBuf> {
    let mut found = files(&root().join("docs"), "md");
    found.extend(["README.md", "HACKING.md", "data/README.md"].map(|name| root().join(name)));
    found
}

/// Directories of the repository; a word in backticks that begins with one is a path from the root.
const TOP: [&str; 9] = [
    "src/",
    "tests/",
    "docs/",
    "scripts/",
    "schemas/",
    "examples/",
    "benches/",
    "data/",
    ".ci/",
];

/// The words in backticks of a document's prose; blocks of code have their own tests.
fn quoted(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let words = prose.flat_map(|part| part.split('`').skip(1).step_by(2));
    words.collect()
}

/// The targets of `[text](target)` inside the repository.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    inside
        .map(|target| target.split('#').next().unwrap_or_default())
        .collect()
}

/// Why the path that a word names is wrong. Patterns such as `v<n>.json` name no single file.
fn fault(word: &str, tree: &[String]) -> Option<String> {
    if word.contains([' ', '<', '*', '{', '$']) {
        return None;
    }
    let is_missing = if root().join(word).exists() {
        false
    } else if TOP.iter().any(|top| word.starts_with(top)) {
        true
    } else if word.ends_with(".rs") || word.ends_with(".sql") {
        let end = format!("/{word}");
        !tree.iter().any(|path| path.ends_with(&end))
    } else {
        false
    };
    is_missing.then(|| format!("`{word}` is not in the tree"))
}

fn tree() -> Vec<String> {
    let directories = ["src", "tests", "benches", "examples"];
    let paths = directories.iter().flat_map(|directory| {
        let directory = root().join(directory);
        ["rs", "sql"].map(|extension| files(&directory, extension))
    });
    let paths = paths.flatten();
    paths.map(|path| path.display().to_string()).collect()
}

#[test]
fn every_path_and_link_of_a_document_leads_somewhere() {
    let tree = tree();
    let (mut faults, mut seen) = (Vec::new(), 0);
    for document in documents() {
        let text = read(&document);
        let name = document.strip_prefix(root()).expect("inside").display();
        for word in quoted(&text) {
            seen += 1;
            faults.extend(fault(word, &tree).map(|fault| format!("{name}: {fault}")));
        }
        let beside = document.parent().unwrap_or(Path::new(""));
        for link in links(&text) {
            if !beside.join(link).exists() {
                faults.push(format!("{name}: the link to {link} is broken"));
            }
        }
    }
    assert!(seen > 500, "{seen} words in backticks");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

const MAP: &str = "docs/CODE_MAP.md";

/// The first sentence of a file's `//!` comment.
fn purpose(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let first: Vec<&str> = lines
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = first.join(" ");
    let end = paragraph
        .match_indices(". ")
        .find(|(at, _)| paragraph[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '`'))
        .map_or(paragraph.len(), |(at, _)| at);
    let sentence = paragraph[..end].trim_end_matches('.');
    sentence.replace('|', "\\|")
}

/// Files that only tests have.
fn is_of_tests(path: &str) -> bool {
    let is_test = |part: &str| {
        let stem = part.trim_end_matches(".rs");
        ["tests", "check", "fixture", "fuzz", "golden", "mail_server"].contains(&stem)
    };
    path.split('/').any(is_test)
}

/// Every file of the program with its purpose, a section for each module of `src`.
fn code_map() -> String {
    let src = root().join("src");
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(&src, "rs") {
        let name = path.strip_prefix(&src).expect("inside src");
        let name = name.to_str().expect("UTF-8");
        if is_of_tests(name) {
            continue;
        }
        let (module, file) = name.split_once('/').unwrap_or(("", name));
        let file = match file.strip_suffix("mod.rs") {
            Some("") => "mod.rs",
            Some(directory) => directory,
            None => file,
        };
        let row = format!("| `{file}` | {} |\n", purpose(&read(&path)));
        sections.entry(module.to_owned()).or_default().push(row);
    }
    let mut map = String::from(
        "# Code map\n\nEvery file of the program with the first sentence of its `//!` comment. Made by\n\
         `POPUG_BLESS=1 cargo test --release --test popug code_map`; [ARCHITECTURE](ARCHITECTURE.md) says how the\n\
         modules work together. Tests stand in `tests/` beside the module that they test.\n",
    );
    for (module, mut rows) in sections {
        rows.sort();
        let directory = if module.is_empty() {
            "src/".to_owned()
        } else {
            format!("src/{module}/")
        };
        let rows = rows.concat();
        map += &format!("\n## {directory}\n\n| file | purpose |\n| --- | --- |\n{rows}");
    }
    map
}

#[test]
fn the_code_map_names_every_file_with_its_purpose() {
    let (path, map) = (root().join(MAP), code_map());
    if blesses() {
        std::fs::write(&path, &map).expect("the code map can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let is_changed = |line: &&str| !written.contains(*line);
    let missing: Vec<&str> = map.lines().filter(is_changed).collect();
    assert!(
        written == map,
        "{MAP} is old: POPUG_BLESS=1 cargo test --release --test popug code_map writes it anew\n{}",
        missing.join("\n")
    );
}

#[test]
fn a_path_that_is_gone_is_found() {
    let tree = tree();
    for gone in ["src/domain/event.rs", "event_log/gone.rs", "docs/GONE.md"] {
        assert!(fault(gone, &tree).is_some(), "{gone}");
    }
    for right in [
        "src/domain/task.rs",
        "event_log/draft.rs",
        "v<n>.json",
        "cargo",
    ] {
        assert!(fault(right, &tree).is_none(), "{right}");
    }
}

//! The rule book checked against the project: every cited rule is stated in docs/RULES.md, every
//! rule there names tests that exist, and every refusal leads to its rule.

use std::collections::{BTreeMap, BTreeSet};

use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::World;
use crate::helpers::sources::{files, read, root};

/// A section of docs/RULES.md: its heading and the tests that it names.
struct Rule {
    name: String,
    tests: Vec<String>,
}

/// Every section of the third level.
fn rules() -> Vec<Rule> {
    let text = read(&root().join("docs/RULES.md"));
    let sections = text.split("\n### ").skip(1);
    let rules = sections.map(|section| {
        let section = section.split("\n## ").next().unwrap_or_default();
        let (name, body) = section.split_once('\n').expect("a heading and a text");
        let tests = body.split_once("\nTests: ").map_or("", |(_, tests)| tests);
        Rule {
            name: name.to_owned(),
            tests: quoted(tests),
        }
    });
    rules.collect()
}

/// The words in backticks.
fn quoted(text: &str) -> Vec<String> {
    let odd = text.split('`').skip(1).step_by(2);
    odd.map(str::to_owned).collect()
}

/// `A7` and the like: a letter of the rule book and a number.
fn is_rule_id(word: &str) -> bool {
    let Some(number) = word.strip_prefix(['U', 'T', 'A', 'N', 'I']) else {
        return false;
    };
    !number.starts_with('0') && number.len() <= 2 && number.parse::<u8>().is_ok()
}

/// The ids that a text cites: an `I` wherever it stands, also as a test's name begins
/// (`fn i2_and_i7_...`), and the others after the word "rule", in a list or a range.
fn cited(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut is_list, mut last, mut is_range) = (false, String::new(), false);
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        let is_name = is_list && word.starts_with('i');
        let id = if is_name {
            word.to_ascii_uppercase()
        } else {
            word.to_owned()
        };
        if is_rule_id(&id) && (is_list || id.starts_with('I')) {
            if is_range {
                let from: u8 = last[1..].parse().expect("a number");
                let to: u8 = id[1..].parse().expect("a number");
                found.extend((from..to).map(|number| format!("{}{number}", &id[..1])));
            }
            found.insert(id.clone());
            (is_list, last, is_range) = (true, id, false);
            continue;
        }
        let begins = ["rule", "rules", "Rule", "Rules", "fn"].contains(&word);
        is_range = is_list && word == "to" && !last.is_empty();
        is_list = begins || is_range || (is_list && word == "and");
        if begins || !is_list {
            last.clear();
        }
    }
    found
}

/// Everything that may cite a rule: sources, tests, documents, schemas, scripts.
fn texts() -> BTreeMap<String, String> {
    let directories = ["src", "tests/popug", "docs", "examples", "benches"];
    let extensions = ["rs", "md", "sql", "sh"];
    let inside = directories.iter().flat_map(|directory| {
        let directory = root().join(directory);
        extensions.map(|extension| files(&directory, extension))
    });
    let outside = ["README.md", "HACKING.md", "CHANGELOG.md"].map(|name| root().join(name));
    let paths = inside.flatten().chain(outside);
    paths
        .filter(|path| path.exists() && !path.ends_with("rules.rs") && !path.ends_with("RULES.md"))
        .map(|path| {
            let name = path.strip_prefix(root()).expect("inside").to_owned();
            (name.display().to_string(), read(&path))
        })
        .collect()
}

/// The names of all tests in a file.
fn tests_of(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
            names.push(rest.split('(').next().unwrap_or_default());
            is_test = false;
        }
    }
    names
}

#[test]
fn a_citation_is_seen_in_lists_ranges_and_names() {
    let seen = |text: &str| cited(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(seen("//! Rules A1, A2 and A10: prices"), "A1 A10 A2");
    assert_eq!(seen("/// rules T1 to T3, and the rest"), "T1 T2 T3");
    assert_eq!(seen("I7 of closes, `I13`"), "I13 I7");
    assert_eq!(seen("fn i2_and_i7_wrong_totals()"), "I2 I7");
    assert_eq!(seen("complete,T1 at 2026-03-01T09, a rule of T"), "");
}

#[test]
fn every_cited_rule_is_in_the_rule_book() {
    let stated: BTreeSet<String> = rules().into_iter().map(|rule| rule.name).collect();
    let mut wrong = Vec::new();
    for (path, text) in texts() {
        let unknown = cited(&text).into_iter().filter(|id| !stated.contains(id));
        wrong.extend(unknown.map(|id| format!("{path} cites {id}, which docs/RULES.md lacks")));
        for link in text.split("RULES.md#").skip(1) {
            let anchor = link.split([')', ' ', '`', '"', '\n']).next();
            let anchor = anchor.unwrap_or_default();
            let leads = |name: &String| name.to_lowercase().replace(' ', "-") == anchor;
            if !stated.iter().any(leads) {
                wrong.push(format!("{path} links to RULES.md#{anchor}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_its_number_and_its_tests() {
    let texts = texts();
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".rs")) {
        for name in tests_of(text) {
            places.entry(name).or_default().push(path);
        }
    }
    let mut wrong = Vec::new();
    for Rule { name, tests } in rules() {
        if tests.is_empty() {
            wrong.push(format!("{name} names no test"));
        }
        let mut is_cited = !is_rule_id(&name);
        for test in tests {
            match places.get(test.as_str()).map(Vec::as_slice) {
                Some([place]) => is_cited |= cited(&texts[*place]).contains(&name),
                Some(places) => wrong.push(format!("{name}: {test} stands in {places:?}")),
                None => wrong.push(format!("{name}: there is no test {test}")),
            }
        }
        if !is_cited {
            wrong.push(format!("{name}: the file of none of its tests cites it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (letter, count) in [("U", 4), ("T", 7), ("A", 10), ("N", 2), ("I", 14)] {
        let ids: Vec<String> = rules()
            .into_iter()
            .map(|rule| rule.name)
            .filter(|name| is_rule_id(name) && name.starts_with(letter))
            .collect();
        let numbered: Vec<String> = (1..=count).map(|at| format!("{letter}{at}")).collect();
        assert_eq!(ids, numbered);
    }
}

/// The variants of `Rejection` as programs see them, in their order.
fn codes() -> Vec<String> {
    let source = read(&root().join("src/domain/rejection.rs"));
    let (_, body) = source.split_once("pub enum Rejection {").expect("the enum");
    let body = body.split("\n}").next().unwrap_or_default();
    let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
    let variants = variants.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let code = |line: &str| {
        let name = line.split([' ', ',']).next().unwrap_or_default();
        let mut code = String::new();
        for c in name.chars() {
            if c.is_ascii_uppercase() && !code.is_empty() {
                code.push('_');
            }
            code.push(c.to_ascii_lowercase());
        }
        code
    };
    variants.map(code).collect()
}

#[test]
fn every_refusal_leads_to_its_rule() {
    let errors = read(&root().join("docs/ERRORS.md"));
    let (_, section) = errors.split_once("\n## Refusals\n").expect("a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let listed: Vec<String> = rows.iter().map(|row| row[0].replace('`', "")).collect();
    assert_eq!(listed, codes());
    for row in rows {
        let [code, exit, _, rule] = row[..] else {
            panic!("{row:?}")
        };
        let is_linked = rule.starts_with('[') && rule.contains("](RULES.md#");
        assert!(is_linked || (exit == "3" && rule == "-"), "{code}: {rule}");
    }
}

/// The help of `verify` and its findings say where the rules are.
#[test]
fn verify_says_where_its_rules_are_stated() {
    let world = World::empty();
    let help = world.anonymous(&["verify", "--help"]);
    let help = help.expect(0, Any, Nothing);
    assert!(help.stdout.contains("docs/RULES.md"), "{}", help.stdout);
}

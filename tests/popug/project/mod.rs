//! The project checked by its own suite: which layer may know which, what must not be in the
//! source, and that nothing lies around unwired.

mod arrows;
mod documents;
mod doors;
mod modules;
mod rules;

use std::path::{Path, PathBuf};

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::World;
use crate::helpers::kills::places;
use crate::helpers::settings::library_path;
use crate::helpers::sources::{files, read, root};

const FILE_LINES_MAX: usize = 500;

struct Source {
    path: PathBuf,
    text: String,
}

/// Everything in `src`, paths relative to it.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let relative = |path: &Path| path.strip_prefix(&src).expect("inside src").to_owned();
    files(&src, "rs")
        .into_iter()
        .map(|path| Source {
            text: read(&path),
            path: relative(&path),
        })
        .collect()
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        "TODO",
        "FIXME",
        "HACK",
        "todo!(",
        "unimplemented!(",
        "dbg!(",
    ];
    let mut found = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            let named = words.iter().filter(|word| line.contains(**word));
            found.extend(
                named.map(|word| format!("src/{}:{}: {word}", source.path.display(), number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn files_stay_readable() {
    let folders = ["src", "tests", "benches", "examples"];
    let all = folders
        .iter()
        .flat_map(|name| files(&root().join(name), "rs"));
    let long: Vec<_> = all
        .filter(|path| read(path).lines().count() > FILE_LINES_MAX)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn every_file_is_part_of_a_module() {
    for source in sources() {
        let name = source
            .path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("UTF-8");
        let directory = source.path.parent().expect("a parent");
        if ["lib", "mod"].contains(&name) && directory.as_os_str().is_empty()
            || directory.starts_with("bin")
        {
            continue;
        }
        let (name, directory) = match name {
            "mod" => (
                directory
                    .file_name()
                    .and_then(|name| name.to_str())
                    .expect("UTF-8"),
                directory.parent().expect("a parent"),
            ),
            _ => (name, directory),
        };
        let src = root().join("src").join(directory);
        let beside = src.with_extension("rs");
        let parents = [src.join("mod.rs"), src.join("lib.rs"), beside];
        let declared = parents
            .iter()
            .filter(|path| path.exists())
            .any(|path| declares(path, name));
        assert!(declared, "src/{} is part of nothing", source.path.display());
    }
}

fn declares(path: &Path, module: &str) -> bool {
    let text = read(path);
    text.contains(&format!("mod {module};"))
}

/// Whether the directory's root, or for a directory's root the one above, declares a test file.
fn is_wired(file: &Path) -> bool {
    let (directory, stem) = (
        file.parent().expect("a directory"),
        file.file_stem().expect("a name"),
    );
    let (parent, name) = match stem == "mod" {
        true => (
            directory.parent().expect("a directory"),
            directory.file_name().expect("a name"),
        ),
        false => (directory, stem),
    };
    let name = name.to_str().expect("UTF-8");
    ["main.rs", "mod.rs"]
        .iter()
        .map(|root| parent.join(root))
        .any(|root| root.exists() && declares(&root, name))
}

#[test]
fn every_file_of_this_suite_is_wired() {
    let suite = root().join("tests/popug");
    for file in files(&suite, "rs")
        .into_iter()
        .filter(|file| !file.ends_with("main.rs"))
    {
        assert!(is_wired(&file), "{} is not run", file.display());
    }
    for snapshot in files(&suite, "snap") {
        // The modules and the name of a snapshot are parted by two underscores each.
        let name = snapshot
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("UTF-8");
        let parts: Vec<_> = name.split("__").skip(1).collect();
        let (_, modules) = parts.split_last().expect("modules and a name");
        let file = suite.join(modules.join("/")).with_extension("rs");
        let beside = file.with_file_name("snapshots");
        let is_in_place = file.exists() && snapshot.parent() == Some(&beside);
        assert!(is_in_place, "{name} belongs to no module");
    }
}

/// `scripts/sabotage` takes each of these guards out and expects its test to fail.
#[test]
fn every_guard_stands_in_its_place_once_and_has_its_test() {
    let list = read(&root().join("scripts/guards.txt"));
    let lines: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    let reliability = read(&root().join("docs/RELIABILITY.md"));
    let text = lines.join("\n");
    let guards: Vec<Vec<&str>> = text
        .split("\n\n")
        .map(|block| block.trim().lines().collect())
        .collect();
    assert!(guards.len() > 40, "{} guards", guards.len());
    for guard in guards {
        let [name, file, test, change @ ..] = &guard[..] else {
            panic!("{guard:?} is no guard")
        };
        let file = file.strip_prefix("file ").expect("a file");
        let test = test.strip_prefix("test ").expect("a test");
        let removed: Vec<&str> = change
            .iter()
            .filter_map(|line| line.strip_prefix('-'))
            .collect();
        let found = read(&root().join(file))
            .matches(&removed.join("\n"))
            .count();
        assert!(
            !removed.is_empty() && found == 1,
            "{name}: its lines stand in {file} {found} times"
        );
        assert!(is_test(test), "{name}: there is no test {test}");
        let row = format!("| {name} | `{file}` | `{test}` |");
        assert!(
            reliability.contains(&row),
            "docs/RELIABILITY.md lacks the row\n{row}"
        );
    }
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let reliability = read(&root().join("docs/RELIABILITY.md"));
    let named: Vec<&str> = reliability
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains("::") && !name.contains(' '))
        .collect();
    assert!(named.len() > 60, "{} tests", named.len());
    for test in named {
        assert!(is_test(test), "there is no test {test}");
    }
}

/// Whether there is such a test: of the crate, with its whole path, or of this suite.
fn is_test(path: &str) -> bool {
    let (module, name) = path.rsplit_once("::").expect("a module and a name");
    let stem = match module.strip_prefix("popug_cli::") {
        Some(module) => root().join("src").join(module.replace("::", "/")),
        None => root().join("tests/popug").join(module.replace("::", "/")),
    };
    // Tests stand in the file of their module, in its mod.rs, or in `mod tests` of the file above.
    let above = stem
        .parent()
        .map(|above| above.with_extension("rs"))
        .filter(|_| module.ends_with("::tests"));
    let places = [
        Some(stem.with_extension("rs")),
        Some(stem.join("mod.rs")),
        above,
    ];
    let texts = places
        .into_iter()
        .flatten()
        .filter(|place| place.exists())
        .map(|place| read(&place));
    let declared = format!("fn {name}(");
    texts.into_iter().any(|text| {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let found = lines.iter().position(|line| line.starts_with(&declared));
        found.is_some_and(|at| {
            lines[..at]
                .iter()
                .rev()
                .take(3)
                .any(|line| *line == "#[test]")
        })
    })
}

#[test]
fn every_event_type_has_a_golden_line_and_a_schema() {
    let world = World::empty();
    let golden = ["v1", "v2", "v3", "v4"].map(|version| {
        let log = root().join("tests/golden").join(version).join("log");
        read(&log.join("00000000000000000001.ndjson"))
    });
    let golden = golden.concat();
    let listed = world
        .anonymous(&["schema", "list"])
        .expect(0, Any, Nothing)
        .stdout;
    assert!(listed.lines().count() > 15);
    for name in listed.lines() {
        assert!(
            golden.contains(&format!("\"type\":\"{name}\"")),
            "{name} has no golden line"
        );
        let (stem, version) = name.rsplit_once('.').expect("a version");
        assert!(
            root()
                .join("schemas")
                .join(stem)
                .join(format!("{version}.json"))
                .exists(),
            "{name} has no schema"
        );
    }
    for event in World::new().events() {
        let name = event["type"].as_str().expect("a type").to_owned();
        assert!(
            listed.lines().any(|listed| listed == name),
            "{name} is written and not listed"
        );
    }
}

/// All blocks are one session in one shell, as somebody would type them.
#[test]
fn the_commands_of_the_readme_work() {
    let session = blocks(&read(&root().join("README.md"))).join("\n");
    assert!(session.contains("popug-cli init"));
    let world = World::empty();
    let bin = Path::new(env!("CARGO_BIN_EXE_popug-cli"))
        .parent()
        .expect("a directory");
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-eu", "-c", &session])
        .current_dir(world.home())
        .env_clear();
    shell
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("HOME", world.home());
    shell.envs(library_path());
    let output = deadline::output(&mut shell);
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n--\n{told}");
}

/// The text between ```` ```sh ```` and the end of the block.
fn blocks(text: &str) -> Vec<String> {
    let parts = text.split("\n```sh\n").skip(1);
    parts
        .map(|part| part.split("\n```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_place_has_a_name_of_its_own() {
    let names = places();
    assert!(names.len() > 20, "{names:?}");
    let mut unique = names.clone();
    unique.dedup();
    assert_eq!(names, unique);
}

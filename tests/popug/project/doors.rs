//! The writer lock is taken in few places, and access rules stand below the command line.

use super::modules::{Module, Modules};
use crate::helpers::sources::root;

/// The methods that take the writer lock. `settle` and `lock_unsettled` append nothing, but publish
/// or cut the bytes after the head.
const DOORS: [&str; 4] = ["take_turn", "writer", "settle", "lock_unsettled"];

/// The files outside `turn` and `event_log` that use one of [`DOORS`], and why each may. A request
/// of a user goes through `carry_out` in `app/write.rs`.
const TAKES_THE_WRITER: [(&str, &str); 7] = [
    (
        "app/founding.rs",
        "the first batch has no index, no caller and nobody to wait for",
    ),
    (
        "app/repair/mending.rs",
        "a repair copies the bytes after the head before it settles them",
    ),
    (
        "app/timed_commands.rs",
        "an import or a simulation takes one turn for many commands, and settles a failed write",
    ),
    ("app/write.rs", "carries out every request of a user"),
    (
        "consumers/accounting/reaction.rs",
        "a batch of entries is appended while the next is decided",
    ),
    (
        "consumers/mod.rs",
        "consumers append facts of their own, under their own keys",
    ),
    (
        "consumers/table_file.rs",
        "accounting settles the entries of a killed process before it posts any",
    ),
];

fn product(plant: &str, planted_in: &str) -> Modules {
    Modules::parse(&|file| {
        let text = std::fs::read_to_string(root().join("src").join(file)).ok()?;
        match file == planted_in {
            true => Some(format!("{text}\n{plant}\n")),
            false => Some(text),
        }
    })
}

fn takes_the_writer(module: &Module) -> bool {
    let mut paths = module.paths.iter().chain(&module.foreign);
    let is_door = |name: &String| DOORS.contains(&name.as_str());
    module.methods.iter().any(is_door)
        || paths.any(|path| path.last().is_some_and(is_door) && path.len() > 1)
}

/// The files outside `turn` and `event_log` that take the writer lock.
fn takers(modules: &Modules) -> Vec<&str> {
    let above = modules.iter().filter(|(path, module)| {
        let is_below = ["turn", "event_log"].map(str::to_owned);
        path.first().is_some_and(|layer| !is_below.contains(layer)) && takes_the_writer(module)
    });
    let mut files: Vec<_> = above.map(|(_, module)| module.file.as_str()).collect();
    files.sort_unstable();
    files
}

#[test]
fn the_writer_is_taken_where_the_list_says_and_nowhere_else() {
    let expected = TAKES_THE_WRITER.map(|(file, _)| file);
    assert_eq!(takers(&product("", "")), expected);
}

#[test]
fn a_planted_taker_is_found() {
    for plant in [
        "fn planted(app: &App<'_>) { let _ = app.around().take_turn(); }",
        "fn planted() { let _ = Surroundings::take_turn; }",
        "fn planted(app: &App<'_>) { println!(\"{:?}\", app.log.writer(&patience())); }",
        "fn planted(app: &App<'_>) { let _ = app.log.settle(&patience()); }",
        "fn planted(app: &App<'_>) { let _ = app.log.lock_unsettled(&patience()); }",
    ] {
        let planted = product(plant, "app/status.rs");
        assert!(takers(&planted).contains(&"app/status.rs"), "{plant}");
    }
}

/// Access rules in the command line: names of rights, and questions whether a caller has one.
fn access_rules(modules: &Modules) -> Vec<String> {
    let mut found = Vec::new();
    for (_, module) in modules
        .iter()
        .filter(|(path, _)| path[..].starts_with(&["cli".to_owned()]))
    {
        let asks = ["require", "may", "require_access_of"];
        let asked = asks
            .iter()
            .filter(|method| module.methods.contains(**method));
        found.extend(asked.map(|method| format!("src/{}: .{method}(", module.file)));
        let right = ["domain", "role", "Right"];
        if module
            .paths
            .iter()
            .any(|path| path.iter().take(3).eq(right))
        {
            found.push(format!("src/{}: Right", module.file));
        }
    }
    found
}

#[test]
fn no_access_rule_stands_in_the_command_line() {
    let found = access_rules(&product("", ""));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_access_rule_is_found() {
    for plant in [
        "use crate::domain::role::Right;",
        "fn planted(caller: &Caller) { let _ = caller.may(planted()); }",
        "fn planted() { let _ = crate::domain::role::Right::Backup; }",
    ] {
        let planted = product(plant, "cli/commands/backup.rs");
        assert_eq!(access_rules(&planted).len(), 1, "{plant}");
    }
}

//! `explain`
//!
//! The explanations are the tables of docs/ERRORS.md and the rules of docs/RULES.md, as they stand
//! there, so that nothing is said twice.

use clap::Args;

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::tips::meant;

const ERRORS: &str = include_str!("../../../docs/ERRORS.md");
const RULES: &str = include_str!("../../../docs/RULES.md");

#[derive(Args, Debug)]
#[command(
    after_help = "Errors have codes with `-o json`; an exit code is explained too. Without CODE it lists all codes of errors."
)]
pub(crate) struct Explain {
    /// The code of an error, or an exit code
    code: Option<String>,
}

/// A row of a table: the code of an error, or an exit code, then the other cells.
struct Row {
    code: &'static str,
    cells: Vec<&'static str>,
}

impl Explain {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let text = match &self.code {
            Some(code) => explanation(code).ok_or_else(|| unknown(code))?,
            None => {
                let codes: Vec<&str> = codes().map(|row| row.code).collect();
                format!("{}\n", codes.join("\n"))
            }
        };
        invocation.with_output(|out| Ok(out.write_all(text.as_bytes())?))?;
        Ok(Exit::Done)
    }
}

fn unknown(code: &str) -> Failure {
    let message = format!("there is no error with the code `{code}`");
    let failure = Failure::new(Exit::NotFound, "unknown_code", message);
    match meant(code, codes().map(|row| row.code)) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure.hint("`popug-cli explain` lists all codes"),
    }
}

/// Codes of errors with their exit code, what happened, and the rule or the next step.
fn codes() -> impl Iterator<Item = Row> {
    let is_code = |row: &Row| row.cells[0].starts_with(|c: char| c.is_ascii_digit());
    let rows = section("## Refusals").into_iter();
    rows.chain(section("## Other errors")).filter(is_code)
}

/// The rows of the tables below a heading.
fn section(heading: &str) -> Vec<Row> {
    let text = ERRORS.split_once(heading).map_or("", |(_, text)| text);
    let text = text.split("\n## ").next().unwrap_or_default();
    let rows = text.lines().filter_map(|line| {
        let line = line.strip_prefix("| ")?.strip_suffix('|')?;
        let mut cells = line.split(" |").map(str::trim);
        let code = cells.next()?.trim_matches('`');
        let cells: Vec<&str> = cells.collect();
        (cells.len() >= 3).then_some(Row { code, cells })
    });
    rows.collect()
}

fn explanation(code: &str) -> Option<String> {
    if let Some(row) = codes().find(|row| row.code == code) {
        let (exit, what, then) = (row.cells[0], row.cells[1], row.cells[2]);
        let text = format!("{code} (exit {exit})\n\n{what}\n");
        // A rule is linked: `[T4](RULES.md#t4)`.
        let rule = then
            .strip_prefix('[')
            .and_then(|link| rule(link.split_once("](RULES.md")?.0));
        return Some(match rule {
            Some(rule) => format!("{text}\n{rule}"),
            None if then == "-" || then.is_empty() => text,
            None => format!("{text}\n{then}\n"),
        });
    }
    let row = section("## Exit codes")
        .into_iter()
        .filter(|row| row.code.starts_with(|c: char| c.is_ascii_digit()))
        .find(|row| row.code.split(", ").any(|exit| exit == code))?;
    let (meaning, example, then) = (row.cells[0], row.cells[1], row.cells[2]);
    let mut text = format!("exit code {code}\n\n{meaning}\n");
    for (label, cell) in [("for example", example), ("a script should", then)] {
        if !cell.is_empty() {
            text += &format!("\n{label}: {cell}\n");
        }
    }
    Some(text)
}

/// A rule with its heading, without its tests.
fn rule(name: &str) -> Option<String> {
    let (_, text) = RULES.split_once(&format!("\n### {name}\n"))?;
    let text = text.split("\n#").next().unwrap_or_default();
    let text = text.split("\nTests:").next().unwrap_or_default();
    Some(format!("{name}: {}\n", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_in_the_sources_of_the_command_line_is_explained() {
        let mut waiting = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli")];
        let (mut found, mut lacking) = (0, std::collections::BTreeSet::new());
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                let entries = std::fs::read_dir(path).unwrap();
                waiting.extend(entries.map(|entry| entry.unwrap().path()));
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for (at, exit) in text.match_indices("Exit::") {
                let rest = text[at + exit.len()..].trim_start_matches(char::is_alphabetic);
                let code = rest
                    .strip_prefix(',')
                    .and_then(|rest| rest.trim_start().strip_prefix('"'))
                    .and_then(|rest| rest.split('"').next())
                    .filter(|code| !code.contains('{'));
                found += usize::from(code.is_some());
                lacking.extend(
                    code.filter(|code| explanation(code).is_none())
                        .map(str::to_owned),
                );
            }
        }
        assert!(lacking.is_empty(), "docs/ERRORS.md lacks {lacking:?}");
        assert!(found > 50, "{found}");
    }

    #[test]
    fn refusals_tell_their_rule_and_exit_codes_their_meaning() {
        let text = explanation("nobody_eligible").unwrap();
        let begin = "nobody_eligible (exit 4)\n\nnobody can be drawn\n\nT5: ";
        assert!(
            text.starts_with(begin) && !text.contains("Tests:"),
            "{text}"
        );
        assert!(explanation("unknown_user").is_some());
        for exit in ["0", "4", "12", "143"] {
            assert!(explanation(exit).unwrap().starts_with("exit code"));
        }
        assert!(explanation("nonsense").is_none() && explanation("code").is_none());
    }
}

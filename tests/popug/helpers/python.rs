//! Python packages that read what the program writes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::deadline;

/// Runs Python code with a package that is installed if it is missing. Returns its stdout.
///
/// # Panics
/// If the code fails.
pub fn python(package: &str, code: &str, arguments: &[&OsStr]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment = root.join("target").join(format!("python-{package}"));
    let mut tools = Command::new(root.join("scripts/python-tools"));
    let found = run(tools.arg(environment).arg(package));
    let python = found.trim().strip_prefix("PYTHON=").expect("a program");
    run(Command::new(python).args(["-c", code]).args(arguments))
}

fn run(command: &mut Command) -> String {
    let output = deadline::output(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

//! The settings of the suite from its environment.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place of the suite that reads the environment"
)]

use std::ffi::OsString;

/// The variable by which a build that links a shared DuckDB finds it, if there is one.
pub fn library_path() -> Option<(&'static str, OsString)> {
    let name = "LD_LIBRARY_PATH";
    Some((name, std::env::var_os(name)?))
}

/// Whether the files that tests compare are to be rewritten.
pub fn blesses() -> bool {
    std::env::var_os("POPUG_BLESS").is_some()
}

/// A whole number; `None` if the variable is not set.
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is not a whole number: {text}")))
}

/// Whether every program that a test needs has to be there.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some()
}

/// The directory for pictures of pages, if somebody wants to look at them.
pub fn screenshots() -> Option<OsString> {
    std::env::var_os("POPUG_SCREENSHOTS")
}

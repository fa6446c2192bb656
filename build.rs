//! How the program is linked (docs/decisions/0009-fixed-load-address.md), and where the commit of the sources stands.
//!
//! The program reads the commit from the reflog of git. Only the file of the program includes the reflog, so a new
//! commit compiles that file again and nothing else; this script does not run again for it. Without git, as in a tarball
//! of the sources, there is no reflog, and the program knows its commit only if POPUG_COMMIT names it.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "cargo and build scripts talk by the environment and by stdout"
)]

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(has_reflog)");
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|is| is == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
    let sources = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    if let Some(git) = git_directory(&sources) {
        let (reflog, stays) = (git.join("logs/HEAD"), git.join("commondir"));
        if reflog.is_file() {
            println!("cargo::rustc-cfg=has_reflog");
            println!("cargo::rustc-env=POPUG_REFLOG={}", reflog.display());
        }
        // Files that git does not touch; they are gone if the directory is.
        for file in [stays, git.join("config")] {
            if file.is_file() {
                println!("cargo::rerun-if-changed={}", file.display());
            }
        }
    }
}

/// The directory of git for the sources; a worktree has a file that names it.
fn git_directory(sources: &Path) -> Option<PathBuf> {
    let git = sources.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let named = std::fs::read_to_string(git).ok()?;
    let path = named.strip_prefix("gitdir:")?.trim();
    Some(sources.join(path)).filter(|path| path.is_dir())
}

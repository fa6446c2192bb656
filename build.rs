//! How the program is linked. Why: docs/decisions/0009-fixed-load-address.md.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "cargo and build scripts talk by the environment and by stdout"
)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|is| is == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

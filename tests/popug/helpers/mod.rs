//! Helpers that the tests share: the sealed world, a company to play with, a terminal, and kills.

pub mod chain;
pub mod deadline;
pub mod harness;
pub mod kills;
pub mod machine;
pub mod mail_server;
pub mod play;
pub mod played;
#[expect(dead_code, reason = "the tests of the library use all of it")]
pub mod postgres;
pub mod python;
pub mod settings;
pub mod sources;
pub mod stores;
pub mod strace;
pub mod terminal;

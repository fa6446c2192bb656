//! What the tests share: the sealed world, a company to play with, kills, and an independent recount of the log.

pub mod chain;
pub mod deadline;
pub mod harness;
pub mod kills;
pub mod play;
pub mod played;
pub mod recount;
pub mod settings;
pub mod sources;
pub mod stores;
pub mod strace;

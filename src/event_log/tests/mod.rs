//! The log as a whole, on real files and on a disk that forgets, cuts and fails.

pub(super) mod any_event;
mod appending;
mod bounds;
mod chain;
mod copying;
mod crash;
mod damage;
#[cfg(feature = "cli")]
mod documents;
mod draft;
mod flips;
mod forgetful_disk;
mod fuzz;
mod golden;
mod reading;
mod recovery;
pub(crate) mod remote;
mod round_trip;
mod sample;
#[cfg(feature = "cli")]
mod schemas;
mod slots;
mod tail;

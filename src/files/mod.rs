//! Files on the disk: calls that every layer needs and that are easy to get wrong.
//!
//! - [`held`]: directories that are opened once and used through their descriptor.
//! - [`lock`]: waiting for another process, and exclusive locks on files.
//! - [`process`]: whether a process is gone, and the limits of this one.
//! - [`regular_file`]: files that are checked before they are opened.
//! - [`replace`]: files that are written beside their place and renamed into it.
//! - [`spool`]: bytes that wait on the disk until they are read.
//!
//! A file with synced bytes can still be lost if its name was not synced. Sync the directory in
//! which a name was created, moved or removed.

#[cfg(feature = "cli")]
pub(crate) mod held;
pub(crate) mod lock;
#[cfg(feature = "cli")]
pub(crate) mod process;
pub(crate) mod regular_file;
#[cfg(feature = "cli")]
pub(crate) mod replace;
#[cfg(feature = "cli")]
pub(crate) mod spool;

#[cfg(feature = "cli")]
pub(crate) use names::{
    Identity, free_name, move_aside, parent_of, remove, sync_directory, with_suffix,
};

#[cfg(feature = "cli")]
mod names;

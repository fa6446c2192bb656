//! Files on the disk: the calls that every layer needs and that are easy to get wrong.
//!
//! - [`held`]: directories that are opened once and reached by their descriptor.
//! - [`lock`]: the wait for something that another process has, and exclusive locks on files.
//! - [`regular_file`]: files that are checked before they are opened.
//! - [`replace`]: files that are written beside their place and renamed into it.
//!
//! A file whose bytes were synced is lost all the same if its name was not. Sync the directory of a name that was
//! created, moved or removed.

#[cfg(feature = "cli")]
pub mod held;
pub mod lock;
pub mod regular_file;
#[cfg(feature = "cli")]
pub mod replace;

#[cfg(feature = "cli")]
pub use names::{free_name, keep_aside, parent_of, remove, sync_directory, with_suffix};

#[cfg(feature = "cli")]
mod names;

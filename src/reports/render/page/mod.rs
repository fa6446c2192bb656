//! A page for people who look rather than read tables: the reports of a period in one HTML file, with charts.
//!
//! The file needs no network. A reader without scripts or colours gets the same facts; the script only sorts, filters and
//! points at bars. The template engine escapes every text, and a content policy lets only the script of this program run.

mod charts;
mod document;
pub mod facts;
mod figures;
mod lists;
mod shown;
mod tiles;
mod words;

pub use document::write;

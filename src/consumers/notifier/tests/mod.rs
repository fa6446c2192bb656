//! The notifier on real stores: a log, accounting's tables, files and a mail server.

mod failing;
mod rebuilding;
mod routing;
mod sending;
mod unreadable;

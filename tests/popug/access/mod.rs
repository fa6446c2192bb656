//! Accounts, roles, passwords and tokens: who may do or read what.

mod accesses;
mod accounts;
mod forgery;
mod getting_in;
mod logins;
mod modes;
mod restricted;
mod rights;
mod secrets;
mod server;
mod sudo;

//! Accounts, roles, passwords and tokens: who may do or read what.

mod accounts;
mod forgery;
mod logins;
mod modes;
mod rights;
mod secrets;
mod sudo;

//! The books: entries, closes, pay mails, and events that accounting sets aside.

mod books;
mod day;
mod dead_letters;
mod letters;
mod undelivered;

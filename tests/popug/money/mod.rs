//! The books: entries, closes, pay mails, and the events that accounting has to set aside.

mod books;
mod day;
mod dead_letters;
mod undelivered;

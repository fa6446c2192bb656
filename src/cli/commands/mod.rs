//! One file for each command: its arguments, whose doc comments are the help, then a call of the use case and the
//! output. No file imports another one. Business rules are in the domain, use cases in `app`.

mod account;
mod backup;
mod close;
mod consume;
mod demo;
mod dlq;
mod doctor;
mod export;
mod import;
mod init;
mod log;
mod mail;
mod repair;
mod report;
mod restore;
mod schema;
mod session;
mod shell;
mod simulate;
mod status;
mod task;
mod token;
mod user;
mod verify;

use clap::Subcommand;

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::nature::Nature;

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Found a company: a new store with its first admin
    Init(init::Init),
    /// A company of 20 popugs over 30 days in a new store, with every report shown
    Demo(demo::Demo),
    /// Play finished days of a made-up company
    Simulate(simulate::Simulate),
    /// Log in; the session lasts twelve hours
    Login(session::Login),
    /// Forget the session
    Logout(session::Logout),
    /// Who is acting
    Whoami(session::Whoami),
    /// Tokens for cron and other programs
    #[command(subcommand)]
    Token(token::Token),
    /// The people and programs of the company
    #[command(subcommand)]
    User(user::User),
    /// The task exchange
    #[command(subcommand)]
    Task(task::Task),
    /// Read the log into the tables: tracker, accounting, analytics, notifier
    Consume(consume::Consume),
    /// Close finished dates and pay out whoever is in the black
    Close(close::Close),
    /// The books by hand
    #[command(subcommand)]
    Account(account::Account),
    /// Balances, earnings, payouts, statements and the other reports
    Report(report::ReportArgs),
    /// Every report as a file, or the books for plain-text accounting
    Export(export::Export),
    /// Take over people, tasks or a whole history from CSV
    #[command(subcommand)]
    Import(import::Import),
    /// The pay mails
    #[command(subcommand)]
    Mail(mail::Mail),
    /// Events that a consumer cannot apply
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Look into the log
    #[command(subcommand)]
    Log(log::Log),
    /// The head, and how far each consumer has come
    Status(status::Status),
    /// Check every line of the log, the checkpoints and, with --deep, everything that follows from it
    Verify(verify::Verify),
    /// Look at what the store needs to work: permissions, clock, disk, locks, tables, mails
    Doctor(doctor::Doctor),
    /// Cut an unfinished end of the log, find a lost head, replace damage from a backup
    Repair(repair::Repair),
    /// Copy the log into a directory, while others write
    Backup(backup::Backup),
    /// Make a new store (-C) of a backup, up to its end or an earlier moment
    Restore(restore::Restore),
    /// The JSON Schemas of the events
    #[command(subcommand)]
    Schema(schema::Schema),
    /// Command lines one after the other: typed with history and completion, or from a script on stdin
    Shell(shell::Shell),
}

impl Command {
    pub const fn nature(&self) -> Nature {
        match self {
            Command::Init(_)
            | Command::Simulate(_)
            | Command::Import(_)
            | Command::Close(_)
            | Command::Restore(_) => Nature::DOES,
            Command::Login(_) | Command::Logout(_) => Nature::DOES,
            Command::Backup(_) | Command::Repair(_) | Command::Account(_) => {
                Nature::DOES_AND_ANSWERS
            }
            Command::Demo(_) => Nature::ASKS,
            Command::Export(command) => command.nature(),
            Command::Consume(command) => command.nature(),
            Command::Token(command) => command.nature(),
            Command::User(command) => command.nature(),
            Command::Task(command) => command.nature(),
            Command::Mail(command) => command.nature(),
            Command::Dlq(command) => command.nature(),
            Command::Schema(command) => command.nature(),
            Command::Whoami(_) | Command::Report(_) | Command::Log(_) | Command::Status(_) => {
                Nature::ASKS
            }
            Command::Verify(_) | Command::Doctor(_) | Command::Shell(_) => Nature::ASKS,
        }
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// The failure of the command, with its exit code.
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        match self {
            Command::Init(command) => command.run(invocation),
            Command::Demo(command) => command.run(invocation),
            Command::Simulate(command) => command.run(invocation),
            Command::Login(command) => command.run(invocation),
            Command::Logout(command) => command.run(invocation),
            Command::Whoami(command) => command.run(invocation),
            Command::Token(command) => command.run(invocation),
            Command::User(command) => command.run(invocation),
            Command::Task(command) => command.run(invocation),
            Command::Consume(command) => command.run(invocation),
            Command::Close(command) => command.run(invocation),
            Command::Account(command) => command.run(invocation),
            Command::Report(command) => command.run(invocation),
            Command::Export(command) => command.run(invocation),
            Command::Import(command) => command.run(invocation),
            Command::Mail(command) => command.run(invocation),
            Command::Dlq(command) => command.run(invocation),
            Command::Log(command) => command.run(invocation),
            Command::Status(command) => command.run(invocation),
            Command::Verify(command) => command.run(invocation),
            Command::Doctor(command) => command.run(invocation),
            Command::Repair(command) => command.run(invocation),
            Command::Backup(command) => command.run(invocation),
            Command::Restore(command) => command.run(invocation),
            Command::Schema(command) => command.run(invocation),
            Command::Shell(command) => command.run(invocation),
        }
    }
}

//! One file for each command: its arguments, whose doc comments are the help, then a call of the use case and the
//! output. No file imports another one. Business rules are in the domain, use cases in `app`.

mod access;
mod account;
mod backup;
mod check;
mod close;
mod completions;
mod consume;
mod demo;
mod dlq;
mod doctor;
mod explain;
mod export;
mod import;
mod init;
mod join;
mod log;
mod mail;
mod man;
mod page;
mod payslips;
mod remote;
mod repair;
mod report;
mod reset_password;
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
use crate::cli::nature::{Nature, Reach};

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Found a company: a new store with its first admin
    Init(init::Init),
    /// Make another store of a company whose log is in a database
    Join(join::Join),
    /// Share the log of a company among machines: schema, status, push, adopt
    #[command(subcommand)]
    Remote(remote::Remote),
    /// Play 30 days of a company of 20 popugs in a new store and show every report
    Demo(demo::Demo),
    /// Play finished days of a made-up company
    Simulate(simulate::Simulate),
    /// Log in; the session lasts twelve hours
    Login(session::Login),
    /// End the session
    Logout(session::Logout),
    /// Show the acting user
    Whoami(session::Whoami),
    /// Set the password of a user as the owner of the store's files
    ResetPassword(reset_password::ResetPassword),
    /// Issue, list and revoke tokens for cron and other programs
    #[command(subcommand)]
    Token(token::Token),
    /// Let users in by ssh, each with a restricted shell
    #[command(subcommand)]
    Access(access::Access),
    /// Register, change and list the people and programs of the company
    #[command(subcommand)]
    User(user::User),
    /// Create, list, change, complete, cancel and reshuffle tasks
    #[command(subcommand)]
    Task(task::Task),
    /// Read the log into the tables: tracker, accounting, analytics, notifier
    Consume(consume::Consume),
    /// Close finished dates and pay every user with a positive balance
    Close(close::Close),
    /// Correct ledger entries
    #[command(subcommand)]
    Account(account::Account),
    /// Show balances, earnings, payouts, statements and the other reports
    Report(report::ReportArgs),
    /// Write every report to a file, or the books for plain-text accounting
    Export(export::Export),
    /// Import people, tasks or a whole history from CSV
    #[command(subcommand)]
    Import(import::Import),
    /// Set mails up, list pay mails and send them again
    #[command(subcommand)]
    Mail(mail::Mail),
    /// Decide about events that a consumer cannot apply
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Show the events of the log
    #[command(subcommand)]
    Log(log::Log),
    /// Show the last event and the progress of each consumer
    Status(status::Status),
    /// Tell a monitoring system whether dates are closed, consumers follow and mails arrive
    Check(check::Check),
    /// Check every line of the log and the checkpoints; with --deep, everything that follows from the log
    Verify(verify::Verify),
    /// Check everything that the store needs to work: permissions, clock, disk, locks, tables, mails
    Doctor(doctor::Doctor),
    /// Cut an unfinished end of the log, find a lost head, replace damaged bytes from a backup
    Repair(repair::Repair),
    /// Copy the log into a directory while others write; list and prune such copies
    Backup(backup::Backup),
    /// Make a new store (-C) from a backup, up to its end or an earlier moment
    Restore(restore::Restore),
    /// Show and check the JSON Schemas of the events
    #[command(subcommand)]
    Schema(schema::Schema),
    /// Run command lines one after the other, from a prompt with history and completion or from a script on stdin
    Shell(shell::Shell),
    /// Print the script by which bash, zsh or fish complete command lines
    Completions(completions::Completions),
    /// Answer a script of `completions`
    #[command(name = "__complete", hide = true)]
    CompleteLine(completions::CompleteLine),
    /// Explain the code of an error
    Explain(explain::Explain),
    /// Write the man pages of all commands into a directory
    Man(man::Man),
}

impl Command {
    pub(super) const fn nature(&self) -> Nature {
        match self {
            Command::Init(_)
            | Command::Join(_)
            | Command::Simulate(_)
            | Command::Import(_)
            | Command::Close(_)
            | Command::Restore(_) => Nature::DOES,
            Command::Login(_) | Command::Logout(_) | Command::ResetPassword(_) => Nature::DOES,
            Command::Repair(_) | Command::Account(_) => Nature::DOES_AND_ANSWERS,
            Command::Backup(command) => command.nature(),
            Command::Demo(_) => Nature::ASKS,
            Command::Export(command) => command.nature(),
            Command::Consume(command) => command.nature(),
            Command::Token(command) => command.nature(),
            Command::Access(command) => command.nature(),
            Command::User(command) => command.nature(),
            Command::Task(command) => command.nature(),
            Command::Mail(command) => command.nature(),
            Command::Dlq(command) => command.nature(),
            Command::Schema(command) => command.nature(),
            Command::Remote(command) => command.nature(),
            Command::Whoami(_) | Command::Report(_) | Command::Log(_) => Nature::ASKS,
            Command::Status(_) => Nature::MEASURES,
            Command::Check(_) => Nature::tells(&["txt", "json", "prom"]),
            Command::Completions(_) => Nature::tells(&["bash", "zsh", "fish", "sh", "txt"]),
            Command::CompleteLine(_) | Command::Explain(_) => Nature::tells(&["txt"]),
            Command::Man(_) => Nature::ASKS,
            Command::Verify(_) | Command::Doctor(_) | Command::Shell(_) => Nature::ASKS,
        }
    }

    /// The things that the command uses. A command that needs no login reaches the machine.
    pub(super) const fn reach(&self) -> Reach {
        match self {
            Command::Whoami(_)
            | Command::Token(_)
            | Command::Access(_)
            | Command::User(_)
            | Command::Task(_)
            | Command::Consume(_)
            | Command::Close(_)
            | Command::Account(_)
            | Command::Report(_)
            | Command::Export(_)
            | Command::Import(_)
            | Command::Mail(_)
            | Command::Dlq(_)
            | Command::Log(_)
            | Command::Status(_)
            | Command::Check(_)
            | Command::Explain(_) => Reach::Company,
            Command::Login(_) | Command::Logout(_) => Reach::Session,
            Command::Init(_)
            | Command::Demo(_)
            | Command::Simulate(_)
            | Command::Verify(_)
            | Command::Doctor(_)
            | Command::Repair(_)
            | Command::Backup(_)
            | Command::Restore(_)
            | Command::Schema(_)
            | Command::Join(_)
            | Command::Remote(_)
            | Command::Shell(_)
            | Command::Completions(_)
            | Command::CompleteLine(_)
            | Command::Man(_)
            | Command::ResetPassword(_) => Reach::Machine,
        }
    }

    pub(super) const fn is_restricted_shell(&self) -> bool {
        matches!(self, Command::Shell(shell) if shell.is_restricted())
    }

    /// Whether a failed write may leave an unfinished end in the log of a store.
    pub(super) const fn appends(&self) -> bool {
        let makes_new_files = matches!(
            self,
            Command::Init(_) | Command::Join(_) | Command::Backup(_) | Command::Restore(_)
        );
        self.nature().changes && !makes_new_files
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// The failure of the command, with its exit code.
    pub(super) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        match self {
            Command::Init(command) => command.run(invocation),
            Command::Join(command) => command.run(invocation),
            Command::Remote(command) => command.run(invocation),
            Command::Demo(command) => command.run(invocation),
            Command::Simulate(command) => command.run(invocation),
            Command::Login(command) => command.run(invocation),
            Command::Logout(command) => command.run(invocation),
            Command::Whoami(command) => command.run(invocation),
            Command::ResetPassword(command) => command.run(invocation),
            Command::Token(command) => command.run(invocation),
            Command::Access(command) => command.run(invocation),
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
            Command::Check(command) => command.run(invocation),
            Command::Verify(command) => command.run(invocation),
            Command::Doctor(command) => command.run(invocation),
            Command::Repair(command) => command.run(invocation),
            Command::Backup(command) => command.run(invocation),
            Command::Restore(command) => command.run(invocation),
            Command::Schema(command) => command.run(invocation),
            Command::Shell(command) => command.run(invocation),
            Command::Completions(command) => command.run(invocation),
            Command::CompleteLine(command) => command.run(invocation),
            Command::Explain(command) => command.run(invocation),
            Command::Man(command) => command.run(invocation),
        }
    }
}

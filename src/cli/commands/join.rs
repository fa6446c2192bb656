//! `join`

use clap::Args;

use crate::app::new_store;
use crate::app::shared_log::Joining;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::prompt;
use crate::domain::id::CompanyId;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Join {
    /// The database that holds the log: postgres://USER@HOST/DATABASE
    url: String,
    /// Id of the company, if the database has several
    #[arg(long, value_name = "ID")]
    company: Option<CompanyId>,
    /// Let `consume` send the pay mails of the company from this store too
    #[arg(long)]
    mails: bool,
    /// Read the new password of the first admin from stdin
    #[arg(long)]
    password_stdin: bool,
}

impl Join {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        invocation.refuse_dry_run()?;
        let directory = invocation.directory();
        new_store::check_free(directory.root())?;
        let address = invocation.shared_log(&self.url)?;
        let within = invocation.global.lock_wait;
        let joining = Joining::find(address, self.company, within, self.mails)?;
        let password =
            prompt::new_password(invocation.global, self.password_stdin, "the first admin")?;
        let (joined, _) = joining.carry_out(directory.root(), &password)?;
        let (root, admin) = (
            directory.root().display().to_string(),
            joined.admin.login.clone(),
        );
        let row = Table::builder()
            .text("company_id", [Some(joined.company.to_string())])
            .text("store", [Some(&root)])
            .int("sequence", [Some(joined.end.0.0)])
            .text("hash", [Some(joined.end.1.to_string())])
            .text("admin", [Some(&admin)]);
        invocation.answer(&Answer::done(row, ""))?;
        let reporter = invocation.reporter;
        reporter.note(&format!(
            "{root} is a copy of the log, up to event {}",
            joined.end.0
        ));
        reporter.note(&format!(
            "{admin} has the new password here, nobody else can log in; new tokens must be issued"
        ));
        if !self.mails {
            reporter.note("pay mails are sent by another store; `consume` sends none from here");
        }
        Ok(Exit::Done)
    }
}

//! `init`

use clap::Args;

use crate::app::Environment;
use crate::app::founding::Founding;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::parse_time;
use crate::cli::invocation::Invocation;
use crate::cli::prompt;
use crate::domain::company::FoundCompany;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Name of the company
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    company: String,
    /// IANA time zone of the business dates, such as Europe/Moscow; cannot be changed later
    #[arg(long, value_name = "TZ")]
    time_zone: String,
    /// ISO 4217 code of the currency, such as EUR; cannot be changed later
    #[arg(long, value_name = "CUR")]
    currency: String,
    /// Login of the first admin
    #[arg(long, value_name = "LOGIN")]
    admin_login: String,
    /// Full name of the first admin
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    admin_name: String,
    /// E-mail address of the first admin
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    admin_email: String,
    /// Time of the founding (RFC 3339); by default now
    #[arg(long, value_name = "TIME")]
    founded_at: Option<String>,
    /// Read the admin's password from stdin
    #[arg(long)]
    password_stdin: bool,
}

impl Init {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let directory = invocation.directory();
        if directory.log().exists() {
            return Err(crate::app::AppError::StoreExists {
                path: directory.root().to_owned(),
            }
            .into());
        }
        let founded_at = self.founded_at.as_deref().map(parse_time).transpose()?;
        let admin_password =
            prompt::new_password(invocation.global, self.password_stdin, &self.admin_login)?;
        let company = FoundCompany {
            name: self.company,
            time_zone: self.time_zone,
            currency: self.currency,
            admin_login: self.admin_login,
            admin_name: self.admin_name,
            admin_email: self.admin_email,
            test_clock: invocation.environment.pinned_by().is_some(),
        };
        let name = company.name.trim().to_owned();
        let founding = Founding {
            company,
            admin_password,
            founded_at,
        };
        if invocation.global.dry_run {
            let lines = founding.draft(&directory, invocation.environment)?;
            invocation.with_output(|out| Ok(out.write_all(&lines)?))?;
            return Ok(Exit::Done);
        }
        let (founded, _) =
            founding.carry_out(&directory, invocation.environment, &invocation.patience())?;
        let root = directory.root().display().to_string();
        let row = Table::builder()
            .text("company_id", [Some(founded.company.to_string())])
            .text("admin_id", [Some(founded.admin.to_string())])
            .text("store", [Some(&root)]);
        invocation.answer(&Answer::done(row, ""))?;
        invocation
            .reporter
            .note(&format!("{name} is founded in {root}"));
        Ok(Exit::Done)
    }
}

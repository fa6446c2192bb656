//! `init`

use clap::Args;

use crate::app::founding::Founding;
use crate::app::{AppError, Environment};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::parse_time;
use crate::cli::invocation::Invocation;
use crate::cli::{environment, prompt};
use crate::domain::company::{FoundCompany, check_currency, check_time_zone};
use crate::domain::rejection::Rejection;
use crate::domain::text;
use crate::event_log::LogError;
use crate::reports::table::Table;

#[derive(Args, Debug)]
#[command(
    after_help = "At a terminal it asks for everything that is not given, and for the password last."
)]
pub(crate) struct Init {
    /// Name of the company
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    company: Option<String>,
    /// IANA time zone of the business dates, such as Europe/Moscow; cannot be changed later
    #[arg(long, value_name = "TZ")]
    time_zone: Option<String>,
    /// ISO 4217 code of the currency, such as EUR; cannot be changed later
    #[arg(long, value_name = "CUR")]
    currency: Option<String>,
    /// Login of the first admin
    #[arg(long, value_name = "LOGIN")]
    admin_login: Option<String>,
    /// Full name of the first admin
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    admin_name: Option<String>,
    /// E-mail address of the first admin
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    admin_email: Option<String>,
    /// Time of the founding (RFC 3339); by default now
    #[arg(long, value_name = "TIME")]
    founded_at: Option<String>,
    /// Keep the log in a database that several machines share: postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    log: Option<String>,
    /// Read the admin's password from stdin
    #[arg(long)]
    password_stdin: bool,
}

impl Init {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let directory = invocation.directory();
        if directory.log().exists() {
            return Err(AppError::StoreExists {
                path: directory.root().to_owned(),
            }
            .into());
        }
        let founded_at = self.founded_at.as_deref().map(parse_time).transpose()?;
        let shared_log = self.log.as_deref().map(|url| invocation.shared_log(url));
        let shared_log = shared_log.transpose()?;
        let password_stdin = self.password_stdin;
        let company = self.asked(invocation)?;
        let admin_password =
            prompt::new_password(invocation.global, password_stdin, &company.admin_login)?;
        let name = company.name.trim().to_owned();
        let login = company.admin_login.clone();
        let founding = Founding {
            company,
            admin_password,
            founded_at,
            shared_log,
        };
        if invocation.global.dry_run {
            let lines = founding.draft(&directory, invocation.environment)?;
            invocation.with_output(|out| Ok(out.write_all(&lines)?))?;
            return Ok(Exit::Done);
        }
        let (founded, _) = founding
            .carry_out(&directory, invocation.environment, &invocation.patience())
            .map_err(not_founded)?;
        let root = directory.root().display().to_string();
        let row = Table::builder()
            .text("company_id", [Some(founded.company.to_string())])
            .text("admin_id", [Some(founded.admin.to_string())])
            .text("store", [Some(&root)]);
        invocation.answer(&Answer::done(row, ""))?;
        invocation
            .reporter
            .note(&format!("{name} is founded in {root}"));
        invocation.reporter.note(&format!(
            "next: `popug-cli login {login}`, then `popug-cli user register --help`"
        ));
        Ok(Exit::Done)
    }

    /// The company, with everything asked for that is not given. The faults of what is given are told
    /// all at once, before anything is asked.
    fn asked(self, invocation: &Invocation<'_>) -> Result<FoundCompany, Failure> {
        let is_name = |text: &str| text::check_name(text).map(drop);
        let is_email = |text: &str| text::check_email(text).map(drop);
        let zone = environment::time_zone();
        let mut details = [
            Detail::new("--company", "Name of the company", self.company, &is_name),
            Detail::new(
                "--time-zone",
                "Time zone of its dates",
                self.time_zone,
                &check_time_zone,
            )
            .or(zone.as_deref()),
            Detail::new(
                "--currency",
                "Currency, such as EUR",
                self.currency,
                &check_currency,
            ),
            Detail::new(
                "--admin-login",
                "Login of the first admin",
                self.admin_login,
                &text::check_login,
            ),
            Detail::new(
                "--admin-name",
                "Full name of the first admin",
                self.admin_name,
                &is_name,
            ),
            Detail::new(
                "--admin-email",
                "E-mail address of the first admin",
                self.admin_email,
                &is_email,
            ),
        ];
        refuse_faults(&details)?;
        let mut missing = Vec::new();
        for detail in details.iter_mut().filter(|detail| detail.value.is_none()) {
            detail.value = prompt::text(
                invocation.global,
                detail.question,
                detail.default,
                detail.check,
            )?;
            missing.extend(detail.value.is_none().then_some(detail.option));
        }
        if !missing.is_empty() {
            let message = format!("`init` needs {} too", missing.join(", "));
            return Err(Failure::usage(message).hint("`popug-cli init --help` explains them"));
        }
        let [
            name,
            time_zone,
            currency,
            admin_login,
            admin_name,
            admin_email,
        ] = details.map(|detail| detail.value.unwrap_or_default());
        Ok(FoundCompany {
            name,
            time_zone,
            currency,
            admin_login,
            admin_name,
            admin_email,
            test_clock: invocation.environment.pinned_by().is_some(),
        })
    }
}

/// The failure of a founding. One in doubt left no store that could find out.
fn not_founded(error: AppError) -> Failure {
    match error {
        AppError::Log(LogError::InDoubt { .. }) => Failure {
            hints: vec![
                "`popug-cli join URL` makes the store if the company was founded".to_owned(),
            ],
            ..error.into()
        },
        other => other.into(),
    }
}

/// A text that a founding needs.
struct Detail<'a> {
    option: &'static str,
    question: &'static str,
    value: Option<String>,
    default: Option<&'a str>,
    check: &'a dyn Fn(&str) -> Result<(), Rejection>,
}

impl<'a> Detail<'a> {
    fn new(
        option: &'static str,
        question: &'static str,
        value: Option<String>,
        check: &'a dyn Fn(&str) -> Result<(), Rejection>,
    ) -> Detail<'a> {
        Detail {
            option,
            question,
            value,
            default: None,
            check,
        }
    }

    /// The answer if nothing is typed.
    fn or(self, default: Option<&'a str>) -> Detail<'a> {
        Detail { default, ..self }
    }
}

/// # Errors
/// The faults of the given texts, all in one.
fn refuse_faults(details: &[Detail<'_>]) -> Result<(), Failure> {
    let faults = details.iter().filter_map(|detail| {
        let fault = (detail.check)(detail.value.as_deref()?).err()?;
        Some((detail.option, Failure::from(fault)))
    });
    let mut faults: Vec<(&str, Failure)> = faults.collect();
    if faults.len() < 2 {
        return faults.pop().map_or(Ok(()), |(_, fault)| Err(fault));
    }
    let told: Vec<&str> = faults
        .iter()
        .map(|(_, fault)| fault.message.as_str())
        .collect();
    let all = Failure::new(Exit::Rejected, "bad_founding", told.join("; "));
    Err(faults.into_iter().fold(all, |all, (option, fault)| {
        fault
            .hints
            .iter()
            .fold(all, |all, hint| all.hint(format!("{option}: {hint}")))
    }))
}

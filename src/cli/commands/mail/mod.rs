//! `mail list`, `mail retry`, `mail resend`, `mail setup`, `mail test`, `mail template`

mod setup;

use clap::{Args, Subcommand};

use crate::app::Environment;
use crate::app::doctor::counted;
use crate::app::mailing::Mails;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::{one_of, parse_period};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::mail_settings::{self, Mailing};
use crate::cli::nature::Nature;
use crate::cli::rows::RowArgs;
use crate::consumers::notifier::{MailRow, MailState, Retried};
use crate::domain::displayed::Displayed;
use crate::domain::id::PayoutId;
use crate::domain::period::Period;
use crate::mail::{Language, PayMail, SmtpTransport};
use crate::reports::table::Table;
use setup::Setup;

#[derive(Subcommand, Debug)]
pub(crate) enum Mail {
    /// List every pay mail with its state
    List(List),
    /// Try to send a mail again now
    Retry(Retry),
    /// Send mails again, by default those that were only written to files
    Resend(Resend),
    /// Set the mail server, the sender and the text of mails
    Setup(Setup),
    /// Send a user a mail about a made-up payout, and tell the answer of the mail server
    Test(Test),
    /// Print the text of mails, as a template to change
    Template(TemplateArgs),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    rows: RowArgs,
}

#[derive(Args, Debug)]
#[command(
    after_help = "With -n the mail is looked up and not sent. Only sending it shows whether the server accepts it."
)]
pub(crate) struct Retry {
    /// The payout's id or its first characters
    id: String,
}

/// The states from which a mail can be sent again.
const AGAIN: [MailState; 3] = [MailState::Written, MailState::Failed, MailState::Sent];

#[derive(Args, Debug)]
#[command(
    after_help = "Only mails that leave by a mail server are sent again; each is recorded, and its state becomes sent. \
                  -n shows which. At a terminal a question comes first; `--yes` answers it. Somebody who has a mail \
                  already gets it a second time, with the same Message-ID."
)]
pub(crate) struct Resend {
    /// The state of the mails to send
    #[arg(long, default_value = "written", value_parser = one_of(&AGAIN, MailState::name))]
    state: MailState,
    /// Only mails for dates from the beginning of this period on, in the company's time zone
    #[arg(long, value_name = "PERIOD", value_parser = parse_period, allow_hyphen_values = true)]
    since: Option<Period>,
    /// Also mails of imported dates and of a restored store, which are for the outbox otherwise
    #[arg(long)]
    send_imported: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Test {
    /// The login or id of the user who gets the mail
    user: String,
}

#[derive(Args, Debug)]
#[command(
    after_help = "To use other words, write the template to a file, change it, and give it to `popug-cli mail setup \
                  --template FILE`. docs/MAIL.md lists the names that a template may use."
)]
pub(crate) struct TemplateArgs {
    /// A template of the program; without it the one that mails are made with
    #[arg(long, value_parser = one_of(&Language::ALL, Language::name))]
    language: Option<Language>,
}

impl Mail {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Mail::List(_) => Nature::ASKS,
            Mail::Retry(_) | Mail::Test(_) | Mail::Setup(_) => Nature::DOES_AND_ANSWERS,
            Mail::Resend(_) => Nature::DOES,
            Mail::Template(_) => Nature::tells(&["txt", "j2"]),
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        match self {
            Mail::Setup(setup) => return setup.run(invocation),
            Mail::Template(TemplateArgs {
                language: Some(language),
            }) => return print(invocation, language.text()),
            _ => {}
        }
        let store = invocation.store()?;
        let mails = store.app.mails(&store.caller)?;
        match self {
            Mail::List(List { rows }) => {
                invocation.emit_list(&store, rows, "mails", table(&mails.list()?))?;
                Ok(Exit::Done)
            }
            Mail::Retry(Retry { id }) => retry(invocation, &store, &mails, &id),
            Mail::Resend(resend) => resend.run(invocation, &store, &mails),
            Mail::Test(Test { user }) => test(invocation, &store, &mails, &user),
            Mail::Template(_) => {
                let stored = mail_settings::stored(&store)?;
                let own = stored.template.as_deref();
                print(
                    invocation,
                    own.unwrap_or_else(|| mail_settings::language(&stored).text()),
                )
            }
            Mail::Setup(_) => unreachable!("it was carried out above"),
        }
    }
}

fn retry(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    mails: &Mails<'_>,
    id: &str,
) -> Result<Exit, Failure> {
    let routes = mail_settings::routes(invocation.global, store, false)?;
    let retried = mails.retry(&routes, id)?;
    if invocation.only_says(|| would_do(&retried)) {
        return Ok(Exit::Done);
    }
    if let Retried::AlreadySent(row) = &retried {
        let done = row.state.name();
        invocation
            .reporter
            .note(&format!("it was {done} already; nothing was done"));
    }
    let (Retried::AlreadySent(row) | Retried::Attempted(row) | Retried::Owed(row)) = retried;
    let failed = row.last_error.clone();
    let failed = failed.filter(|_| matches!(row.state, MailState::Pending | MailState::Failed));
    invocation.emit_list(store, RowArgs::default(), "mails", table(&[row]))?;
    match failed {
        Some(error) => Err(mail_failed(&error)),
        None => Ok(Exit::Done),
    }
}

fn mail_failed(error: &str) -> Failure {
    Failure::new(Exit::Failure, "mail_failed", Displayed(error).to_string())
}

fn without_server() -> Failure {
    let message = "there is no mail server: mails become files of the outbox";
    Failure::new(Exit::Conflict, "no_mail_server", message)
        .hint("name one with `popug-cli mail setup` or POPUG_SMTP_URL")
}

impl Resend {
    fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
        mails: &Mails<'_>,
    ) -> Result<Exit, Failure> {
        let routes = mail_settings::routes(invocation.global, store, self.send_imported)?;
        if !routes.has_server() {
            return Err(without_server());
        }
        let since = self
            .since
            .and_then(|period| period.dates(store.reports().today()).from);
        let states = [self.state];
        let drafted = store.drafted()?;
        let planned = drafted.app.mails(&drafted.caller)?;
        let planned = planned.resend(&routes, &states, since)?;
        drop(drafted);
        let count = counted(planned.rows.len() as u64, "mail", "mails");
        if planned.held > 0 {
            let held = counted(planned.held, "mail", "mails");
            invocation.reporter.remark(&format!(
                "{held} of imported dates or of a restored store stay in the outbox; --send-imported sends them too"
            ));
        }
        if invocation.only_says(|| format!("{count} would be sent again")) {
            invocation.emit_list(store, RowArgs::default(), "mails", table(&planned.rows))?;
            return Ok(Exit::Done);
        }
        if !planned.rows.is_empty() {
            invocation.ask(&format!("Send {count} again?"))?;
        }
        let resent = mails.resend(&routes, &states, since)?;
        let is_unsent = |row: &&MailRow| row.state != MailState::Sent;
        let unsent = resent.rows.iter().filter(is_unsent).count() as u64;
        let error = resent.rows.iter().find_map(|row| row.last_error.clone());
        let all = counted(resent.rows.len() as u64, "mail", "mails");
        invocation.emit_list(store, RowArgs::default(), "mails", table(&resent.rows))?;
        match error {
            Some(error) if unsent > 0 => Err(mail_failed(&format!(
                "{unsent} of {all} were not sent: {error}"
            ))
            .hint("`popug-cli mail list` shows which; `consume` tries again")),
            _ => Ok(Exit::Done),
        }
    }
}

fn test(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    mails: &Mails<'_>,
    user: &str,
) -> Result<Exit, Failure> {
    let Mailing { letterhead, server } = Mailing::read(invocation.global, store)?;
    let server = SmtpTransport::new(server.ok_or_else(without_server)?)?;
    let (recipient, now) = (mails.recipient(user)?, invocation.environment.system_now());
    let id = invocation.environment.dice(&now.to_string()).uuid_v7(now);
    let mail = PayMail {
        payout_id: PayoutId::from_uuid(id),
        company: store.company.name.clone(),
        currency: store.company.currency.clone(),
        to_name: recipient.full_name,
        to_address: recipient.email,
        ..PayMail::trial()
    };
    let mail = mail.compose_trial(&letterhead, now)?;
    let name = server.server().to_string();
    if invocation.only_says(|| format!("a test would go to {} by {name}", Displayed(&mail.to))) {
        return Ok(Exit::Done);
    }
    let answer = server
        .send_one(&mail)
        .map_err(|error| mail_failed(&error.to_string()))?;
    let table = Table::builder()
        .text("to", [Some(&mail.to)])
        .text("server", [Some(&name)])
        .text("answer", [Some(&answer)])
        .text("message_id", [Some(&mail.message_id)])
        .build();
    invocation.emit_list(store, RowArgs::default(), "mail-test", table)?;
    Ok(Exit::Done)
}

fn print(invocation: &Invocation<'_>, template: &str) -> Result<Exit, Failure> {
    invocation.with_output(|out| Ok(out.write_all(template.as_bytes())?))?;
    Ok(Exit::Done)
}

/// The message of a dry run about a mail. Only sending shows whether a mail can be sent.
fn would_do(retried: &Retried) -> String {
    match retried {
        Retried::AlreadySent(row) => {
            let done = row.state.name();
            format!("it was {done} already; nothing would be done")
        }
        Retried::Attempted(row) | Retried::Owed(row) => {
            let attempt = row.attempts + 1;
            format!(
                "mail {} would be sent to {}, attempt {attempt}",
                row.payout_id,
                Displayed(&row.to)
            )
        }
    }
}

fn table(rows: &[MailRow]) -> Table {
    Table::builder()
        .date("date", rows.iter().map(|row| Some(row.business_date)))
        .text(
            "payout_id",
            rows.iter().map(|row| Some(row.payout_id.to_string())),
        )
        .text("login", rows.iter().map(|row| Some(&row.login)))
        .text("name", rows.iter().map(|row| Some(&row.name)))
        .money("amount", rows.iter().map(|row| Some(row.amount)))
        .text("to", rows.iter().map(|row| Some(&row.to)))
        .text("state", rows.iter().map(|row| Some(row.state.name())))
        .int(
            "attempts",
            rows.iter().map(|row| Some(u64::from(row.attempts))),
        )
        .time("next_try", rows.iter().map(|row| row.next_try))
        .text(
            "last_error",
            rows.iter().map(|row| row.last_error.as_deref()),
        )
        .int("sequence", rows.iter().map(|row| Some(row.sequence.0)))
        .build()
}

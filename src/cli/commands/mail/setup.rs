//! `mail setup`

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::environment::secret_in;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::one_of;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::mail_settings::{self, Mailing};
use crate::cli::prompt;
use crate::cli::restriction;
use crate::cli::rows::RowArgs;
use crate::credentials::{MailSettings, Password};
use crate::mail::{Language, Sender, SmtpServer, Template};
use crate::reports::table::Table;

#[derive(Args, Debug)]
#[command(
    after_help = "Without options it asks at a terminal. Settings that are not named stay as they are. The environment \
                  (POPUG_SMTP_URL, POPUG_SMTP_URL_FILE, POPUG_MAIL_FROM) precedes these settings. `popug-cli mail \
                  test LOGIN` tries them out."
)]
pub(crate) struct Setup {
    /// The mail server: smtps://USER@HOST, smtp://USER@HOST?tls=required, or smtp://HOST on this machine
    #[arg(long, value_name = "URL", conflicts_with = "files")]
    smtp: Option<String>,
    /// Read the password of USER from the first line of stdin
    #[arg(long, conflicts_with_all = ["files", "password_file"])]
    password_stdin: bool,
    /// Read the password of USER from the first line of this file, which only you may read
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    password_file: Option<PathBuf>,
    /// Use no mail server: mails become files of the outbox
    #[arg(long)]
    files: bool,
    /// The sender: pay@example.com or 'Payroll <pay@example.com>'
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// The address to which answers go; empty: to the sender
    #[arg(long, value_name = "ADDRESS")]
    reply_to: Option<String>,
    /// The language of the mails, in the program's own words
    #[arg(long, value_parser = one_of(&Language::ALL, Language::name), conflicts_with = "template")]
    language: Option<Language>,
    /// A template in your words (`mail template` shows one), which is copied into the store
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

impl Setup {
    pub(super) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        invocation.refuse_dry_run()?;
        restriction::check_mails(invocation.global)?;
        let store = invocation.store()?;
        let (app, caller, index) = (&store.app, &store.caller, &store.index);
        let mut settings = app.mail_settings(caller, index)?;
        if self.names_something() {
            self.change(&mut settings)?;
        } else if prompt::may_ask(invocation.global) {
            ask(invocation, &mut settings)?;
        } else {
            return Err(Failure::usage("name the settings to change").hint(
                "`popug-cli mail setup --help` lists them; at a terminal they are asked for",
            ));
        }
        self.give_password(invocation, &mut settings)?;
        // Nothing is stored that `consume` would refuse.
        Mailing::of(&settings)?;
        app.set_mail_settings(caller, index, &settings)?;
        tell(invocation, &store, &settings)?;
        Ok(Exit::Done)
    }

    fn names_something(&self) -> bool {
        let texts = [&self.smtp, &self.from, &self.reply_to];
        let files = [&self.template, &self.password_file];
        texts.into_iter().any(Option::is_some)
            || files.into_iter().any(Option::is_some)
            || self.files
            || self.password_stdin
            || self.language.is_some()
    }

    fn change(&self, settings: &mut MailSettings) -> Result<(), Failure> {
        if self.files {
            (settings.smtp, settings.password) = (None, None);
        }
        if let Some(url) = &self.smtp {
            set_server(settings, url, "--smtp")?;
        }
        if let Some(from) = &self.from {
            set_address(&mut settings.from, from, "--from")?;
        }
        if let Some(reply_to) = &self.reply_to {
            set_address(&mut settings.reply_to, reply_to, "--reply-to")?;
        }
        if let Some(language) = self.language {
            settings.language = Some(language.name().to_owned());
            settings.template = None;
        }
        if let Some(path) = &self.template {
            settings.template = Some(read_template(path)?);
        }
        Ok(())
    }

    /// A server with a user name needs a password, that of before if the server is the same.
    fn give_password(
        &self,
        invocation: &Invocation<'_>,
        settings: &mut MailSettings,
    ) -> Result<(), Failure> {
        let has_user = settings.smtp.as_deref().is_some_and(has_user);
        let is_given = self.password_stdin || self.password_file.is_some();
        if !has_user {
            let refused = "the URL of the mail server names no user, so it takes no password";
            return if is_given {
                Err(Failure::usage(refused).hint("write it like smtps://USER@HOST"))
            } else {
                Ok(())
            };
        }
        if let Some(path) = &self.password_file {
            let found = secret_in(path, "--password-file")?;
            settings.password = Some(Password::new(found.ok_or_else(|| {
                let message = format!("--password-file: there is no file {}", path.display());
                Failure::new(Exit::NotFound, "secret_file", message)
                    .hint("write the password into it with mode 0600")
            })?));
        } else if self.password_stdin || settings.password.is_none() {
            let question = "Password at the mail server: ";
            let global = invocation.global;
            let password = prompt::foreign_password(global, self.password_stdin, question);
            settings.password =
                Some(password.map_err(|failure| {
                    failure.hint("use --password-stdin or --password-file FILE")
                })?);
        }
        Ok(())
    }
}

/// Asks for every setting but the password; an empty answer keeps it as it is.
fn ask(invocation: &Invocation<'_>, settings: &mut MailSettings) -> Result<(), Failure> {
    let question = |question: &str, present: &str| {
        let answer = prompt::text(invocation.global, question, Some(present), |_| Ok(()))?;
        Ok::<_, Failure>(answer.unwrap_or_default())
    };
    let server = settings.smtp.clone().unwrap_or_else(|| FILES.to_owned());
    let server = question("Mail server, like smtps://user@mail.example", &server)?;
    if server == FILES {
        (settings.smtp, settings.password) = (None, None);
    } else {
        set_server(settings, &server, "the mail server")?;
    }
    let from = Sender::parse(settings.from.as_deref())?.to_string();
    let from = question("Sender, like Payroll <pay@example.com>", &from)?;
    set_address(&mut settings.from, &from, "the sender")?;
    let reply_to = settings.reply_to.clone().unwrap_or_else(|| from.clone());
    let reply_to = question("Answers go to", &reply_to)?;
    let other = if reply_to == from { "" } else { &reply_to };
    set_address(&mut settings.reply_to, other, "the address for answers")?;
    if settings.template.is_none() {
        let present = mail_settings::language(settings).name();
        let answer = question("Language, en or ru", present)?;
        let named = Language::ALL.into_iter().find(|it| it.name() == answer);
        let language = named.ok_or_else(|| Failure::usage("the language is en or ru"))?;
        settings.language = Some(language.name().to_owned());
    }
    Ok(())
}

/// The answer that stands for no mail server.
const FILES: &str = "none";

fn set_server(settings: &mut MailSettings, url: &str, named: &'static str) -> Result<(), Failure> {
    let parsed = url::Url::parse(url).ok();
    if parsed.as_ref().is_some_and(|url| url.password().is_some()) {
        let message = format!("{named}: a password in a command line is seen by others");
        return Err(Failure::usage(message)
            .hint("leave it out, and give it by --password-stdin or --password-file FILE"));
    }
    if settings.smtp.as_deref() != Some(url) {
        (settings.smtp, settings.password) = (Some(url.to_owned()), None);
    }
    let mut tried = settings.clone();
    if has_user(url) && tried.password.is_none() {
        tried.password = Some(Password::new("a password"));
    }
    let tried = tried.url().unwrap_or_default();
    SmtpServer::parse(&tried).map_err(|bad| bad.named(named))?;
    Ok(())
}

fn has_user(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| !url.username().is_empty())
}

/// An empty address removes the setting.
fn set_address(
    setting: &mut Option<String>,
    address: &str,
    named: &'static str,
) -> Result<(), Failure> {
    if address.is_empty() {
        *setting = None;
        return Ok(());
    }
    Sender::parse(Some(address)).map_err(|bad| bad.named(named))?;
    *setting = Some(address.to_owned());
    Ok(())
}

fn read_template(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("--template: {shown} cannot be read: {error}")))?;
    match Template::parse(&text) {
        Ok(_) => Ok(text),
        Err(bad) => Err(
            Failure::new(Exit::Rejected, "bad_template", format!("{shown}: {bad}"))
                .hint("docs/MAIL.md lists the names that a template may use"),
        ),
    }
}

/// The settings without the password.
fn tell(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    settings: &MailSettings,
) -> Result<(), Failure> {
    let template = match &settings.template {
        Some(_) => "own",
        None => mail_settings::language(settings).name(),
    };
    let table = Table::builder()
        .text("smtp", [settings.smtp.as_ref()])
        .bool("has_password", [Some(settings.password.is_some())])
        .text("from", [settings.from.as_ref()])
        .text("reply_to", [settings.reply_to.as_ref()])
        .text("template", [Some(template)])
        .build();
    invocation.emit_list(store, RowArgs::default(), "mail-settings", table)
}

//! The settings of mails: those of the environment, otherwise those of the store.

use crate::cli::environment::{secret, variable};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::Global;
use crate::cli::invocation::OpenStore;
use crate::cli::restriction;
use crate::consumers::notifier::{MailRoutes, Outgoing};
use crate::credentials::MailSettings;
use crate::credentials::mail::MAIL_FILE;
use crate::mail::{
    BadSetting, BadTemplate, ComposeError, Language, Letterhead, MAIL_FROM_VARIABLE,
    SMTP_URL_VARIABLE, Sender, SmtpServer, SmtpTransport, Template,
};

/// The names of the stored settings, for messages.
const STORED_SMTP: &str = "smtp in auth/mail.json";
const STORED_FROM: &str = "from in auth/mail.json";
const STORED_REPLY_TO: &str = "reply_to in auth/mail.json";

/// The contents and the server of mails.
pub(super) struct Mailing {
    pub letterhead: Letterhead,
    /// `None`: mails become files.
    pub server: Option<SmtpServer>,
}

impl Mailing {
    /// # Errors
    /// An invalid setting.
    pub(super) fn of(stored: &MailSettings) -> Result<Mailing, Failure> {
        Ok(Mailing {
            letterhead: Letterhead {
                sender: sender(stored)?,
                reply_to: stored
                    .reply_to
                    .as_deref()
                    .map(|text| Sender::parse(Some(text)))
                    .transpose()
                    .map_err(|bad| bad.named(STORED_REPLY_TO))?,
                template: template(stored)?,
            },
            server: server(stored)?,
        })
    }

    /// # Errors
    /// An invalid setting; a file that cannot be read; a restricted shell.
    pub(super) fn read(global: &Global, store: &OpenStore<'_>) -> Result<Mailing, Failure> {
        restriction::check_mails(global)?;
        Mailing::of(&stored(store)?)
    }
}

/// The settings in the store.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn stored(store: &OpenStore<'_>) -> Result<MailSettings, Failure> {
    Ok(store.app.auth(&store.index)?.mail_settings()?)
}

fn sender(stored: &MailSettings) -> Result<Sender, Failure> {
    match variable(MAIL_FROM_VARIABLE)? {
        Some(from) => Ok(Sender::parse(Some(&from))?),
        None => {
            let sender = Sender::parse(stored.from.as_deref());
            Ok(sender.map_err(|bad| bad.named(STORED_FROM))?)
        }
    }
}

fn server(stored: &MailSettings) -> Result<Option<SmtpServer>, Failure> {
    if let Some(url) = secret(SMTP_URL_VARIABLE, "POPUG_SMTP_URL_FILE")? {
        return Ok(Some(SmtpServer::parse(&url)?));
    }
    let server = stored.url().map(|url| SmtpServer::parse(&url)).transpose();
    Ok(server.map_err(|bad| bad.named(STORED_SMTP))?)
}

/// The template of the stored settings.
///
/// # Errors
/// Its first fault.
pub(super) fn template(stored: &MailSettings) -> Result<Template, Failure> {
    match &stored.template {
        Some(text) => Ok(Template::parse(text)?),
        None => Ok(Template::in_language(language(stored))),
    }
}

/// An unknown language is that of a newer program.
pub(super) fn language(stored: &MailSettings) -> Language {
    let stored = stored.language.as_deref();
    let named = |language: &Language| Some(language.name()) == stored;
    Language::ALL.into_iter().find(named).unwrap_or_default()
}

/// Files in the outbox, or SMTP if a server is configured.
///
/// # Errors
/// An invalid setting; a restricted shell.
pub(super) fn routes(
    global: &Global,
    store: &OpenStore<'_>,
    send_imported: bool,
) -> Result<MailRoutes, Failure> {
    let Mailing { letterhead, server } = Mailing::read(global, store)?;
    let outgoing = match server {
        Some(server) => Outgoing::Smtp(Box::new(SmtpTransport::new(server)?)),
        None => Outgoing::Files,
    };
    let directory = &store.app.directory;
    Ok(MailRoutes::new(
        directory,
        letterhead,
        outgoing,
        send_imported,
    ))
}

/// Files in the outbox, even if a server is configured.
///
/// # Errors
/// An invalid setting.
pub(super) fn files_only(store: &OpenStore<'_>) -> Result<MailRoutes, Failure> {
    let letterhead = Letterhead::of(sender(&MailSettings::default())?);
    let directory = &store.app.directory;
    Ok(MailRoutes::new(
        directory,
        letterhead,
        Outgoing::Files,
        false,
    ))
}

impl From<BadSetting> for Failure {
    fn from(setting: BadSetting) -> Failure {
        Failure::new(Exit::Usage, "bad_setting", setting.to_string())
    }
}

impl From<BadTemplate> for Failure {
    fn from(bad: BadTemplate) -> Failure {
        let message = format!("the template of mails cannot be used: {bad}");
        Failure::new(Exit::Rejected, "bad_template", message).hint(format!(
            "`popug-cli mail template --language en` shows one that works; \
             `popug-cli mail setup` replaces that of auth/{MAIL_FILE}"
        ))
    }
}

impl From<ComposeError> for Failure {
    fn from(error: ComposeError) -> Failure {
        match error {
            ComposeError::Template(bad) => bad.into(),
            other => Failure::new(Exit::Rejected, "mail_failed", other.to_string()),
        }
    }
}

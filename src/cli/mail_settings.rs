//! The routes of mails, from the environment.

use crate::app::App;
use crate::cli::environment::{secret, variable};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::Global;
use crate::cli::restriction;
use crate::consumers::notifier::{MailRoutes, Outgoing};
use crate::mail::{
    BadSetting, MAIL_FROM_VARIABLE, SMTP_URL_VARIABLE, Sender, SmtpServer, SmtpTransport,
};

/// Files in the outbox, or SMTP if a server is configured.
///
/// # Errors
/// An invalid setting; a restricted shell.
pub(super) fn routes(
    global: &Global,
    app: &App<'_>,
    send_imported: bool,
) -> Result<MailRoutes, Failure> {
    restriction::check_mails(global)?;
    let sender = Sender::parse(variable(MAIL_FROM_VARIABLE)?.as_deref())?;
    let outgoing = match secret(SMTP_URL_VARIABLE, "POPUG_SMTP_URL_FILE")? {
        Some(url) => Outgoing::Smtp(Box::new(SmtpTransport::new(SmtpServer::parse(&url)?)?)),
        None => Outgoing::Files,
    };
    Ok(MailRoutes::new(
        &app.directory,
        sender,
        outgoing,
        send_imported,
    ))
}

/// Files in the outbox, even if a server is configured.
///
/// # Errors
/// An invalid setting.
pub(super) fn files_only(app: &App<'_>) -> Result<MailRoutes, Failure> {
    let sender = Sender::parse(variable(MAIL_FROM_VARIABLE)?.as_deref())?;
    Ok(MailRoutes::new(
        &app.directory,
        sender,
        Outgoing::Files,
        false,
    ))
}

impl From<BadSetting> for Failure {
    fn from(setting: BadSetting) -> Failure {
        Failure::new(Exit::Usage, "bad_setting", setting.to_string())
    }
}

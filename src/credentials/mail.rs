//! The settings of mails in a store, with the password of the mail server: `auth/mail.json`.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::credentials::auth_dir::AuthDir;
use crate::credentials::error::CredentialError;
use crate::credentials::private_file::{self, Format};
use crate::credentials::secret::Password;

pub const MAIL_FILE: &str = "mail.json";
const REMEDY: &str = "remove the file and set mails up again: `popug-cli mail setup`";

/// The settings of mails; each may be absent.
#[derive(Clone, Default, Debug)]
pub struct MailSettings {
    /// The URL of the mail server without a password; absent: mails become files.
    pub smtp: Option<String>,
    pub password: Option<Password>,
    pub from: Option<String>,
    pub reply_to: Option<String>,
    /// The language of the template.
    pub language: Option<String>,
    /// A template, instead of one of this program.
    pub template: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
}

impl AuthDir {
    /// The settings of mails; none are set in a new store.
    ///
    /// # Errors
    /// If the file is open to others, damaged, or of a newer program.
    pub fn mail_settings(&self) -> Result<MailSettings, CredentialError> {
        let read: Option<Document> = private_file::read_json(&self.file(MAIL_FILE), REMEDY)?;
        Ok(
            read.map_or_else(MailSettings::default, |document| MailSettings {
                smtp: document.smtp,
                password: document.password.map(Password::new),
                from: document.from,
                reply_to: document.reply_to,
                language: document.language,
                template: document.template,
            }),
        )
    }

    /// Replaces the settings of mails.
    ///
    /// # Errors
    /// If the lock cannot be taken or the file cannot be written.
    pub fn set_mail_settings(&self, settings: &MailSettings) -> Result<(), CredentialError> {
        let _lock = self.lock()?;
        let document = Document {
            format: Format::CURRENT,
            smtp: settings.smtp.clone(),
            password: settings.password.as_ref().map(|it| it.text().to_owned()),
            from: settings.from.clone(),
            reply_to: settings.reply_to.clone(),
            language: settings.language.clone(),
            template: settings.template.clone(),
        };
        private_file::replace_json(&self.file(MAIL_FILE), &document)
    }
}

impl MailSettings {
    /// The URL of the mail server with its password, which must not be shown.
    pub fn url(&self) -> Option<String> {
        let smtp = self.smtp.as_ref()?;
        let (Ok(mut url), Some(password)) = (Url::parse(smtp), &self.password) else {
            return Some(smtp.clone());
        };
        let escaped = utf8_percent_encode(password.text(), NON_ALPHANUMERIC).to_string();
        // Only a URL that has no host takes none, and its fault is told later.
        let _ = url.set_password(Some(&escaped));
        Some(url.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::fixture::store;

    #[test]
    fn settings_come_back_as_they_were_and_a_password_is_never_shown() {
        let (_home, auth) = store();
        assert_eq!(auth.mail_settings().unwrap().url(), None);
        let settings = MailSettings {
            smtp: Some("smtps://pay%40popug@mail.example:465".to_owned()),
            password: Some(Password::new("p/#?%41ss ж")),
            template: Some("Subject: x\n\n{{ name }}".to_owned()),
            ..MailSettings::default()
        };
        auth.set_mail_settings(&settings).unwrap();
        let read = auth.mail_settings().unwrap();
        assert_eq!(read.template, settings.template);
        assert_eq!(
            (read.from.as_ref(), read.password.as_ref()),
            (None, settings.password.as_ref())
        );
        let url = "smtps://pay%40popug:p%2F%23%3F%2541ss%20%D0%B6@mail.example:465";
        assert_eq!(read.url().as_deref(), Some(url));
        assert!(!format!("{read:?}").contains("%41ss"), "{read:?}");
    }
}

//! The sender and the server of mails, as text: from `POPUG_SMTP_URL` and `POPUG_MAIL_FROM`, or from the store.
//!
//! An error names the setting and never its value, which may contain a password.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

pub const SMTP_URL_VARIABLE: &str = "POPUG_SMTP_URL";
pub const MAIL_FROM_VARIABLE: &str = "POPUG_MAIL_FROM";
const DEFAULT_SENDER: &str = "popug-cli@localhost";
/// The time limit for connecting, and for sending each mail.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct BadSetting {
    pub variable: &'static str,
    pub problem: String,
}

/// The sender of pay mails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender(Mailbox);

impl BadSetting {
    /// The same fault of a setting that has another name.
    #[must_use]
    pub fn named(self, variable: &'static str) -> BadSetting {
        BadSetting { variable, ..self }
    }
}

impl Sender {
    /// Parses `pay@example.com` or `Payroll <pay@example.com>`; the default is
    /// `popug-cli@localhost`.
    pub fn parse(text: Option<&str>) -> Result<Sender, BadSetting> {
        text.unwrap_or(DEFAULT_SENDER)
            .parse()
            .map(Sender)
            .map_err(|_| BadSetting {
                variable: MAIL_FROM_VARIABLE,
                problem:
                    "not a mail address; write it like pay@example.com or Payroll <pay@example.com>"
                        .into(),
            })
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.0
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A mail server, with encryption and login.
pub struct SmtpServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) credentials: Option<Credentials>,
    pub(super) patience: Duration,
}

/// Without the credentials.
impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// `host:port`
impl fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => write!(f, "[{address}]:{}", self.port),
            Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl SmtpServer {
    /// Parses `smtp://[user:password@]host[:port][?tls=required|opportunistic]` or
    /// `smtps://[user:password@]host[:port]`. Default ports: 465 for smtps, 587 with `tls`, else
    /// 25.
    ///
    /// # Errors
    /// Other URLs, and a password that would be sent in clear text to another machine.
    pub fn parse(url: &str) -> Result<SmtpServer, BadSetting> {
        Self::read(url).map_err(|problem| BadSetting {
            variable: SMTP_URL_VARIABLE,
            problem,
        })
    }

    fn read(text: &str) -> Result<SmtpServer, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("not a URL ({error}); write it like smtps://host"))?;
        let encryption = Encryption::read(&url)?;
        let host = host_of(&url)?;
        let credentials = credentials_of(&url)?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err("nothing but ?tls= may follow the host; escape / and # in a password as %2F and %23".into());
        }
        if credentials.is_some() && encryption == Encryption::None && !is_this_machine(&host) {
            return Err(
                "the password would travel in clear text; use smtps:// or add ?tls=required".into(),
            );
        }
        let port = url.port().unwrap_or(encryption.default_port());
        let tls = encryption.with_certificates_for(&host)?;
        Ok(SmtpServer {
            host,
            port,
            tls,
            credentials,
            patience: PATIENCE,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encryption {
    None,
    Opportunistic,
    Required,
    FromTheStart,
}

impl Encryption {
    fn read(url: &Url) -> Result<Encryption, String> {
        let mut tls = None;
        for (name, value) in url.query_pairs() {
            match &*name {
                "tls" => tls = Some(value),
                _ => return Err("the only parameter is tls; escape ? in a password as %3F".into()),
            }
        }
        match (url.scheme(), tls.as_deref()) {
            ("smtp", None) => Ok(Encryption::None),
            ("smtp", Some("opportunistic")) => Ok(Encryption::Opportunistic),
            ("smtp", Some("required")) => Ok(Encryption::Required),
            ("smtps", None) => Ok(Encryption::FromTheStart),
            ("smtps", Some(_)) => {
                Err("smtps:// is encrypted from the start and takes no tls=".into())
            }
            ("smtp", Some(_)) => Err("tls is required or opportunistic".into()),
            _ => Err("a mail server's URL starts with smtp:// or smtps://".into()),
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Encryption::None => 25,
            Encryption::Opportunistic | Encryption::Required => 587,
            Encryption::FromTheStart => 465,
        }
    }

    fn with_certificates_for(self, host: &str) -> Result<Tls, String> {
        let parameters = || {
            TlsParameters::new(host.to_owned())
                .map_err(|error| format!("TLS cannot be set up: {error}"))
        };
        Ok(match self {
            Encryption::None => Tls::None,
            Encryption::Opportunistic => Tls::Opportunistic(parameters()?),
            Encryption::Required => Tls::Required(parameters()?),
            Encryption::FromTheStart => Tls::Wrapper(parameters()?),
        })
    }
}

fn host_of(url: &Url) -> Result<String, String> {
    match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => Ok(name.to_owned()),
        Some(Host::Ipv4(address)) => Ok(address.to_string()),
        Some(Host::Ipv6(address)) => Ok(address.to_string()),
        Some(Host::Domain(_)) | None => Err("no host; write it like smtps://host".into()),
    }
}

fn credentials_of(url: &Url) -> Result<Option<Credentials>, String> {
    let decoded = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => {
            Err("the user name or password is not UTF-8 once its %-escapes are read".to_owned())
        }
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err("a password without a user name".into()),
        (_, None) => Err("a user name without a password".into()),
        (user, Some(password)) => Ok(Some(Credentials::new(decoded(user)?, decoded(password)?))),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> SmtpServer {
        SmtpServer::parse(url).unwrap()
    }

    #[test]
    fn each_way_of_encryption_has_its_port() {
        for (url, shown) in [
            ("smtp://mail.example", "mail.example:25"),
            ("smtp://mail.example/?tls=opportunistic", "mail.example:587"),
            ("smtp://mail.example?tls=required", "mail.example:587"),
            ("smtps://mail.example", "mail.example:465"),
            ("smtps://mail.example:2465/", "mail.example:2465"),
            ("smtp://[::1]:2525", "[::1]:2525"),
            ("smtp://127.0.0.1:2525", "127.0.0.1:2525"),
        ] {
            assert_eq!(server(url).to_string(), shown);
        }
        assert!(matches!(server("smtp://h").tls, Tls::None));
        assert!(matches!(
            server("smtp://h?tls=opportunistic").tls,
            Tls::Opportunistic(_)
        ));
        assert!(matches!(
            server("smtp://h?tls=required").tls,
            Tls::Required(_)
        ));
        assert!(matches!(server("smtps://h").tls, Tls::Wrapper(_)));
    }

    #[test]
    fn credentials_are_read_with_their_escapes_and_never_shown() {
        let server = server("smtps://anna%40popug:p%2F%23%3Fss@mail.example");
        assert_eq!(
            server.credentials,
            Some(Credentials::new("anna@popug".into(), "p/#?ss".into()))
        );
        assert!(!format!("{server:?} {server}").contains("ss"));
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_repeating_it() {
        for (url, expected) in [
            ("", "not a URL"),
            ("mail.example", "not a URL"),
            ("hunter2:25", "smtp:// or smtps://"),
            ("http://mail.example", "smtp:// or smtps://"),
            ("smtp://", "no host"),
            ("smtp://mail.example:hunter2", "not a URL"),
            (
                "smtp://mail.example?tls=hunter2",
                "required or opportunistic",
            ),
            ("smtps://mail.example?tls=required", "takes no tls"),
            (
                "smtps://mail.example?timeout=hunter2",
                "only parameter is tls",
            ),
            ("smtps://mail.example/hunter2", "%2F"),
            ("smtps://mail.example#hunter2", "%23"),
            ("smtps://hunter2@mail.example", "without a password"),
            ("smtps://:hunter2@mail.example", "without a user name"),
            ("smtps://anna:%ff%fehunter2@mail.example", "UTF-8"),
            ("smtp://anna:hunter2@mail.example", "clear text"),
        ] {
            let refused = SmtpServer::parse(url).unwrap_err().to_string();
            assert!(
                refused.starts_with("POPUG_SMTP_URL: ") && refused.contains(expected),
                "{url}: {refused}"
            );
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_password_in_clear_text_stays_on_this_machine() {
        for url in [
            "smtp://a:b@localhost",
            "smtp://a:b@127.0.0.1",
            "smtp://a:b@[::1]",
        ] {
            assert!(SmtpServer::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_sender_that_is_no_address_is_refused() {
        assert_eq!(
            Sender::parse(None).unwrap().mailbox().email.to_string(),
            "popug-cli@localhost"
        );
        for text in ["", "payroll", "a@b, c@d", "a@b\r\nBcc: x@y"] {
            let refused = Sender::parse(Some(text)).unwrap_err();
            assert_eq!(refused.variable, "POPUG_MAIL_FROM", "{text}");
        }
    }
}

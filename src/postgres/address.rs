//! The URL of a database: what is shown and kept of it, its password, and whether TLS is used.
//!
//! `postgres://USER@HOST[,HOST...]/DATABASE?sslmode=...&sslrootcert=FILE`. A password in it is used
//! and never shown or kept. Off this machine the server is verified by TLS unless the URL says
//! `sslmode=disable`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::postgres::tls::Tls;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

#[derive(Clone, Debug)]
pub struct Address {
    config: Config,
    shown: String,
    authorities: Option<PathBuf>,
}

/// Why a URL names no database.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    #[error("it does not begin with postgres://")]
    Scheme,
    #[error("sslmode `{0}` is none of disable, require, verify-ca and verify-full")]
    SslMode(String),
    #[error("{0}")]
    Unreadable(String),
    #[error("it names no {0}")]
    Lacks(&'static str),
}

impl Address {
    /// # Errors
    /// If it is not the URL of a database. No part of a password is in the error.
    pub fn parse(url: &str) -> Result<Address, AddressError> {
        let scheme = SCHEMES.into_iter().find(|scheme| url.starts_with(scheme));
        let scheme = scheme.ok_or(AddressError::Scheme)?;
        let rest = &url[scheme.len()..];
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let name = user.split_once(':').map_or(user, |(name, _)| name);
        let (mut kept, mut understood) = (Vec::new(), Vec::new());
        let (mut mode, mut authorities) = (None, None);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=').unwrap_or((option, "")) {
                ("sslmode", wanted) => mode = Some(wanted.to_owned()),
                ("sslrootcert", path) => authorities = Some(PathBuf::from(path)),
                ("password", _) => {
                    understood.push(option);
                    continue;
                }
                _ => understood.push(option),
            }
            kept.push(option);
        }
        let with = |options: &[&str]| match options {
            [] => String::new(),
            options => format!("?{}", options.join("&")),
        };
        let at = |user: &str| {
            if user.is_empty() {
                String::new()
            } else {
                format!("{user}@")
            }
        };
        let unreadable = |_| AddressError::Unreadable("its form is not that of a URL".to_owned());
        let text = format!(
            "{scheme}{}{hosts}/{database}{}",
            at(user),
            with(&understood)
        );
        let mut config = Config::from_str(&text).map_err(unreadable)?;
        if config.get_hosts().is_empty() {
            return Err(AddressError::Lacks("host"));
        }
        if config.get_user().is_none() {
            return Err(AddressError::Lacks("user"));
        }
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let is_near = config.get_hosts().iter().all(is_of_this_machine);
        let ssl = match mode.as_deref() {
            None if is_near => SslMode::Disable,
            Some("disable") => SslMode::Disable,
            None | Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(other) => return Err(AddressError::SslMode(other.to_owned())),
        };
        config.ssl_mode(ssl);
        Ok(Address {
            config,
            shown: format!("{scheme}{}{hosts}/{database}{}", at(name), with(&kept)),
            authorities,
        })
    }

    /// The URL without its password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether the URL has a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// The hosts with their ports, for messages.
    pub fn names(&self) -> String {
        let ports = self.config.get_ports();
        let named = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(at, host)| {
                let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
                match host {
                    Host::Tcp(name) if port == 5432 => name.clone(),
                    Host::Tcp(name) => format!("{name}:{port}"),
                    Host::Unix(path) => path.display().to_string(),
                }
            });
        named.collect::<Vec<_>>().join(",")
    }

    /// Takes the password from the lines of a `.pgpass` file, if the URL has none.
    #[must_use]
    pub fn with_password_of(mut self, pgpass: &str) -> Address {
        if self.has_password() {
            return self;
        }
        let found = pgpass.lines().find_map(|line| self.matching(line));
        if let Some(password) = found {
            self.config.password(password);
        }
        self
    }

    /// The password of a line `host:port:database:user:password` that fits.
    fn matching(&self, line: &str) -> Option<String> {
        if line.starts_with('#') {
            return None;
        }
        let fields = fields_of(line);
        let [host, port, database, user, password] = &fields[..] else {
            return None;
        };
        let fits = |field: &String, value: &str| field == "*" || field == value;
        let name = self.config.get_user().unwrap_or_default();
        let ports = self.config.get_ports();
        let fits_host = |(at, of): (usize, &Host)| {
            let on = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let named = match of {
                Host::Tcp(named) => fits(host, named),
                Host::Unix(path) => fits(host, "localhost") || fits(host, &path.to_string_lossy()),
            };
            named && fits(port, &on.to_string())
        };
        let is_here = self.config.get_hosts().iter().enumerate().any(fits_host);
        let is_it =
            is_here && fits(user, name) && fits(database, self.config.get_dbname().unwrap_or(name));
        is_it.then(|| password.clone())
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The connector, if TLS is used.
    pub(super) fn tls(&self) -> Result<Option<Tls>, String> {
        if self.config.get_ssl_mode() == SslMode::Disable {
            return Ok(None);
        }
        Tls::trusting(self.authorities.as_deref()).map(Some)
    }
}

/// The fields of a `.pgpass` line, in which a backslash takes the next character as it is.
fn fields_of(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        let last = fields.last_mut().expect("there is one");
        match char {
            '\\' => last.extend(chars.next()),
            ':' => fields.push(String::new()),
            other => last.push(other),
        }
    }
    fields
}

fn is_of_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let bare = name.trim_start_matches('[').trim_end_matches(']');
            name == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn a_password_is_used_and_never_shown() {
        for url in [
            "postgres://ada:s3cret@db1,db2:5433/books?sslmode=require",
            "postgres://ada@db1,db2:5433/books?password=s3cret&sslmode=require",
        ] {
            let address = address(url);
            assert!(address.has_password());
            assert_eq!(address.config.get_password(), Some(&b"s3cret"[..]));
            assert_eq!(
                address.shown(),
                "postgres://ada@db1,db2:5433/books?sslmode=require"
            );
            assert_eq!(address.names(), "db1,db2:5433");
        }
        let error = Address::parse("postgres://ada:s3cret@db1/books?port=x").unwrap_err();
        assert!(!error.to_string().contains("s3cret"));
    }

    #[test]
    fn a_server_elsewhere_is_verified_unless_the_url_says_otherwise() {
        let mode = |url| address(url).config.get_ssl_mode();
        assert_eq!(mode("postgres://ada@db1/books"), SslMode::Require);
        assert_eq!(mode("postgres://ada@localhost,db1/books"), SslMode::Require);
        assert_eq!(
            mode("postgres://ada@db1/books?sslmode=disable"),
            SslMode::Disable
        );
        assert_eq!(
            mode("postgres://ada@127.0.0.1:5555/books"),
            SslMode::Disable
        );
        assert_eq!(mode("postgres://ada@[::1]/books"), SslMode::Disable);
        assert_eq!(mode("postgres://ada@%2Ftmp%2Fx/books"), SslMode::Disable);
        assert_eq!(
            mode("postgres://ada@localhost/b?sslmode=verify-full"),
            SslMode::Require
        );
        let odd = Address::parse("postgres://ada@db1/b?sslmode=prefer").unwrap_err();
        assert_eq!(odd, AddressError::SslMode("prefer".to_owned()));
    }

    #[test]
    fn a_password_is_found_in_pgpass() {
        let pgpass = "# all\nother:*:*:*:no\ndb1:5432:books:eve:no\ndb1:5432:books:ada:a\\:b\\\\c\n*:*:*:*:any";
        let found = |url| {
            let with = address(url).with_password_of(pgpass);
            with.config.get_password().map(<[u8]>::to_vec)
        };
        assert_eq!(found("postgres://ada@db1/books"), Some(b"a:b\\c".to_vec()));
        assert_eq!(found("postgres://ada@db9/books"), Some(b"any".to_vec()));
        assert_eq!(found("postgres://ada:own@db1/books"), Some(b"own".to_vec()));
    }

    #[test]
    fn other_texts_are_no_address() {
        for (text, error) in [
            ("mysql://ada@db1/x", AddressError::Scheme),
            ("host=db1 user=ada", AddressError::Scheme),
            ("postgres://db1/books", AddressError::Lacks("user")),
        ] {
            assert_eq!(Address::parse(text).unwrap_err(), error, "{text}");
        }
    }
}

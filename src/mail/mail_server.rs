//! The real mail server of the tests, `scripts/mail-server`, as a value that stops it when it is
//! dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::deadline::Child;

/// The server ends with its standard input, so it does not outlive a killed test.
pub(crate) struct MailServer {
    process: Child,
    pub port: u16,
    store: tempfile::TempDir,
}

/// A mail that the server accepted.
#[derive(Debug)]
pub(crate) struct Taken {
    pub envelope: TakenEnvelope,
    pub bytes: Vec<u8>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct TakenEnvelope {
    pub from: String,
    pub to: Vec<String>,
    /// The client's port: one for each connection.
    pub client: u16,
    pub login: Option<String>,
    pub encrypted: bool,
}

impl MailServer {
    /// `options` are those of the script.
    pub(crate) fn start(options: &[&str]) -> MailServer {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let store = tempfile::tempdir().unwrap();
        let mut command = Command::new(project.join("scripts/mail-server"));
        command
            .arg("--venv")
            .arg(project.join("target/mail-server"))
            .arg("--store")
            .arg(store.path())
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Child::start(&mut command);
        let mut first_line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut first_line)
            .unwrap();
        let port = first_line
            .trim()
            .parse()
            .expect("the server says why on standard error");
        MailServer {
            process,
            port,
            store,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The certificate that `--tls` made.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        fs::read(self.store.path().join("certificate.pem")).unwrap()
    }

    /// The mails in the order of arrival.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        let path = |number: usize, extension: &str| {
            self.store.path().join(format!("{number}.{extension}"))
        };
        let envelopes = (1..).map_while(|number| fs::read(path(number, "json")).ok());
        let taken = |(at, envelope): (usize, Vec<u8>)| Taken {
            envelope: serde_json::from_slice(&envelope).unwrap(),
            bytes: fs::read(path(at + 1, "eml")).unwrap(),
        };
        envelopes.enumerate().map(taken).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.process.wait();
    }
}

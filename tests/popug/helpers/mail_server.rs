//! A real mail server, `scripts/mail-server`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::deadline::Child;
use super::sources::root;

/// The server ends with its standard input, so it does not outlive a killed test.
pub struct MailServer {
    process: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
    received: tempfile::TempDir,
}

impl MailServer {
    /// `options` are those of the script.
    pub fn start(options: &[String]) -> MailServer {
        let received = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(root().join("scripts/mail-server"));
        command
            .arg("--venv")
            .arg(root().join("target/mail-server"))
            .arg("--store")
            .arg(received.path())
            .args(options);
        let mut process = Child::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut port = String::new();
        let read = BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut port);
        assert!(
            read.is_ok() && !port.is_empty(),
            "the server says why on standard error"
        );
        MailServer {
            process,
            address: format!("127.0.0.1:{}", port.trim()),
            received,
        }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The mails in the order of arrival.
    pub fn taken(&self) -> Vec<Vec<u8>> {
        let path = |number: usize| self.received.path().join(format!("{number}.eml"));
        (1..)
            .map_while(|number| std::fs::read(path(number)).ok())
            .collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.process.wait();
    }
}

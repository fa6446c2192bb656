//! A real PostgreSQL server of a test, which can be killed, frozen and started again.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::deadline::{self, Child};

pub struct Server {
    process: Option<Child>,
    settings: &'static [&'static str],
    directory: TempDir,
    port: u16,
}

impl Server {
    /// A new server with an empty database `books` that has the tables of popug-cli.
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// The same with settings of the server.
    pub fn with(settings: &'static [&'static str]) -> Server {
        let directory = tempfile::Builder::new()
            .prefix("popug-postgres-")
            .tempdir()
            .expect("a temporary directory");
        // The server runs as another account if this is root.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).expect("ours");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let mut server = Server {
            process: None,
            settings,
            directory,
            port: port.expect("a free port").port(),
        };
        server.start_again();
        server.sql_in("postgres", "CREATE DATABASE books");
        server.sql(include_str!("../../../src/postgres/schema.sql"));
        server
    }

    /// Starts the server on its data and waits until it answers.
    pub fn start_again(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres-server");
        let mut command = Command::new(script);
        command
            .arg(self.directory.path())
            .arg(self.port.to_string())
            .args(self.settings);
        command.stdin(Stdio::null());
        self.process = Some(Child::start(&mut command));
        let begin = Instant::now();
        while !self.answers() {
            let running = self.process.as_ref().is_some_and(Child::is_running);
            let told = std::fs::read_to_string(self.directory.path().join("log"));
            assert!(
                running && begin.elapsed() < Duration::from_secs(500),
                "the server does not answer: {told:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        deadline::output(&mut self.psql("postgres", "SELECT 1"))
            .status
            .success()
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut psql = Command::new("psql");
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "popug",
        ])
        .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
        .args(["-d", database, "-c", sql])
        .env("PGCONNECT_TIMEOUT", "10");
        psql
    }

    /// The rows that a query of the superuser gives.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_in("books", sql)
    }

    fn sql_in(&self, database: &str, sql: &str) -> String {
        let output = deadline::output(&mut self.psql(database, sql));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {stderr}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The error of a statement that is refused.
    pub fn refused(&self, sql: &str) -> String {
        let output = deadline::output(&mut self.psql("books", sql));
        assert!(!output.status.success(), "{sql}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Lets `user` in only with a password.
    pub fn ask_for_passwords(&self, user: &str) {
        let rules = self.directory.path().join("data/pg_hba.conf");
        let old = std::fs::read_to_string(&rules).expect("rules");
        let new = format!("host all {user} 127.0.0.1/32 scram-sha-256\n{old}");
        std::fs::write(&rules, new).expect("rules");
        self.sql("SELECT pg_reload_conf()");
        std::thread::sleep(Duration::from_millis(300));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that a server with `ssl=on` shows.
    pub fn certificate(&self) -> Vec<u8> {
        std::fs::read(self.directory.path().join("data/server.crt")).expect("a certificate")
    }

    pub fn url(&self) -> String {
        format!("postgres://popug@127.0.0.1:{}/books", self.port)
    }

    pub fn process(&self) -> &Child {
        self.process.as_ref().expect("it was started")
    }

    /// Ends the server as a crash does.
    pub fn kill(&mut self) {
        self.process().kill();
        self.process = None;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = self.process.as_mut().filter(|process| process.is_running()) {
            process.signal("CONT");
            process.signal("INT");
            process.wait();
        }
    }
}

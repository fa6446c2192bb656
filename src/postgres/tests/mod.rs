//! The remote on a real PostgreSQL server.

#[expect(
    dead_code,
    unreachable_pub,
    reason = "only the end-to-end tests use all of it"
)]
#[path = "../../../tests/popug/helpers/postgres.rs"]
mod postgres;
mod proxy;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::deadline;
use crate::domain::id::{CompanyId, Sequence};
use crate::event_log::remote::{Remote, TurnOf};
use crate::event_log::tests::remote::conformance::{CASES, Loss, World};
use crate::event_log::tests::remote::machine::Machine;
use crate::event_log::{Hash, LogError};
use crate::postgres::{Address, Postgres};
use postgres::Server;
use proxy::Proxy;

const PATIENCE: Duration = Duration::from_secs(10);

/// A company of its own in the database, reached through a proxy.
struct Company<'s> {
    server: &'s Server,
    proxy: Proxy,
    company: CompanyId,
}

impl<'s> Company<'s> {
    fn new(server: &'s Server, number: u128) -> Company<'s> {
        Company {
            server,
            proxy: Proxy::to(server.port()),
            company: CompanyId::from_uuid(uuid::Uuid::from_u128(0xc0de << 64 | number)),
        }
    }

    fn open_within(&self, within: Duration) -> Postgres {
        let url = format!("postgres://popug@127.0.0.1:{}/books", self.proxy.port());
        Postgres::new(Address::parse(&url).unwrap(), self.company, within)
    }

    /// Changes rows as nobody but the owner of the server can.
    fn tamper(&self, sql: &str) {
        let sql = sql.replace("COMPANY", &format!("company = '{}'", self.company));
        let sql = format!("BEGIN; SET LOCAL session_replication_role = replica; {sql}; COMMIT");
        self.server.sql(&sql);
    }
}

impl World for Company<'_> {
    fn open(&self) -> Arc<dyn Remote> {
        Arc::new(self.open_within(PATIENCE))
    }

    fn set_down(&self, is_down: bool) {
        self.proxy.set_down(is_down);
    }

    fn lose(&self, loss: Loss) {
        self.proxy.lose_commit(loss);
    }

    fn cut_next_read(&self, _: usize) {
        self.proxy.cut_read();
    }

    fn replace(&self, kept: Sequence, hash: Hash) {
        let head = if kept == Sequence::ZERO {
            "DELETE FROM popug.head WHERE COMPANY".to_owned()
        } else {
            format!("UPDATE popug.head SET sequence = {kept}, hash = '{hash}' WHERE COMPANY")
        };
        self.tamper(&format!(
            "DELETE FROM popug.event WHERE COMPANY AND sequence > {kept}; {head}"
        ));
    }

    fn spoil(&self, sequence: Sequence) {
        self.tamper(&format!(
            "UPDATE popug.event SET line = replace(line, 'title', 'TITLE') WHERE COMPANY AND sequence = {sequence}"
        ));
    }
}

#[test]
fn a_remote_in_postgresql_conforms() {
    let server = Server::start();
    for (number, (name, case)) in (0..).zip(CASES) {
        println!("{name}");
        case(&Company::new(&server, number));
    }
    assert_eq!(server.sql("SELECT count(*) FROM popug.event WHERE sequence > (SELECT sequence FROM popug.head WHERE head.company = event.company)"), "0");
}

#[test]
fn the_tables_refuse_everything_but_appending() {
    let server = Server::start();
    let company = Company::new(&server, 1);
    let machine = Machine::with(company.open());
    machine.append_all(1..=3, 2);
    for (sql, told) in [
        ("UPDATE popug.event SET line = ''", "append-only"),
        ("DELETE FROM popug.event", "append-only"),
        ("TRUNCATE popug.event", "append-only"),
        ("DELETE FROM popug.head", "append-only"),
        ("TRUNCATE popug.head", "append-only"),
        ("UPDATE popug.head SET sequence = 5", "only advances"),
        (
            "UPDATE popug.head SET hash = repeat('0', 64)",
            "only advances",
        ),
    ] {
        let refused = server.refused(sql);
        assert!(refused.contains(told), "{sql}: {refused}");
    }
    server.sql("CREATE ROLE clerk LOGIN IN ROLE popug_writer");
    let refused = server.refused("SET ROLE clerk; DELETE FROM popug.event");
    assert!(refused.contains("permission denied"), "{refused}");
    let url = format!("postgres://clerk@127.0.0.1:{}/books", server.port());
    let clerk = Postgres::new(Address::parse(&url).unwrap(), company.company, PATIENCE);
    let machine = Machine::with(Arc::new(clerk));
    machine.append(4, 2).unwrap();
    assert_eq!(machine.lines().len(), 8);
}

#[test]
fn a_holder_of_a_turn_is_named_and_its_death_frees_the_turn() {
    let server = Server::start();
    let company = Company::new(&server, 1);
    let (one, other) = (company.open(), company.open());
    let held = one.turn(TurnOf::Writer, "process 7: popug-cli import", PATIENCE);
    let refused = other.turn(TurnOf::Writer, "another", Duration::from_millis(100));
    let Err(LogError::Locked { holder, .. }) = refused.map(drop) else {
        panic!("the turn is held")
    };
    assert!(
        holder.starts_with("process 7: popug-cli import on 127.0.0.1"),
        "{holder}"
    );
    // The machine is gone without a word.
    company.proxy.drop_connections();
    drop(other.turn(TurnOf::Writer, "another", PATIENCE));
    let again = company.open();
    drop(again.turn(TurnOf::Writer, "another", PATIENCE).unwrap());
    drop(held);
}

#[test]
fn a_frozen_server_ends_every_wait() {
    let server = Server::start();
    let company = Company::new(&server, 1);
    let machine = Machine::with(company.open());
    machine.append_all(1..=2, 2);
    let within = Duration::from_secs(1);
    let connected = machine.through(Arc::new(company.open_within(within)));
    connected.log().follow().unwrap();
    // The processes that serve connections are frozen too.
    let backends = server.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
    let signal = |name: &str| {
        server.process().signal(name);
        for pid in backends.lines() {
            deadline::status(
                std::process::Command::new("kill")
                    .arg(format!("-{name}"))
                    .arg(pid),
            );
        }
    };
    signal("STOP");
    for _ in 0..2 {
        let begin = Instant::now();
        let refused = connected.append_within(
            &crate::event_log::Patience {
                wait: within,
                holder: "one".to_owned(),
            },
            3,
            1,
        );
        assert!(
            matches!(refused, Err(LogError::Unreachable { .. })),
            "{refused:?}"
        );
        assert!(
            begin.elapsed() < 2 * within + Duration::from_secs(2),
            "{:?}",
            begin.elapsed()
        );
        std::thread::sleep(Duration::from_millis(2_100));
    }
    signal("CONT");
    connected.append(4, 1).unwrap();
    assert_eq!(connected.lines_there().len(), 5);
}

#[test]
fn a_cancelled_wait_for_standbys_is_in_doubt_and_settled_later() {
    let server = Server::start();
    let company = Company::new(&server, 1);
    let machine = Machine::with(company.open());
    machine.append_all(1..=2, 2);
    // No standby of this name exists, so a COMMIT waits for it.
    server.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    server.sql("SELECT pg_reload_conf()");
    std::thread::sleep(Duration::from_millis(300));
    let doubtful = std::thread::scope(|threads| {
        let waiting = threads.spawn(|| machine.append(3, 2));
        let begin = Instant::now();
        let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while server.sql(cancel) == "0" {
            assert!(begin.elapsed() < PATIENCE);
        }
        waiting.join().unwrap()
    });
    assert!(
        matches!(doubtful, Err(LogError::InDoubt { .. })),
        "{doubtful:?}"
    );
    assert_eq!(machine.lines().len(), 4, "it is not acknowledged");
    server.sql("ALTER SYSTEM RESET synchronous_standby_names");
    server.sql("SELECT pg_reload_conf()");
    std::thread::sleep(Duration::from_millis(300));
    machine.append(4, 1).unwrap();
    assert_eq!(machine.lines(), machine.lines_there());
    assert_eq!(machine.lines().len(), 7);
}

#[test]
fn a_killed_server_loses_nothing_acknowledged() {
    let mut server = Server::start();
    let port = server.port();
    let url = format!("postgres://popug@127.0.0.1:{port}/books");
    let company = CompanyId::from_uuid(uuid::Uuid::from_u128(1));
    let open = || -> Arc<dyn Remote> {
        Arc::new(Postgres::new(
            Address::parse(&url).unwrap(),
            company,
            PATIENCE,
        ))
    };
    let machine = Machine::with(open());
    let mut acknowledged = 0;
    for round in 0..3_u64 {
        let writing = std::thread::scope(|threads| {
            let machine = &machine;
            let writing = threads.spawn(move || {
                let numbers = round * 1_000 + 1..round * 1_000 + 1_000;
                let written = numbers.take_while(|number| machine.append(*number, 2).is_ok());
                written.count()
            });
            std::thread::sleep(Duration::from_millis(300));
            server.kill();
            writing.join().unwrap()
        });
        acknowledged += writing;
        server.start_again();
        std::thread::sleep(Duration::from_secs(2));
    }
    let other = Machine::with(open());
    machine.append(9_999, 1).unwrap();
    other.log().follow().unwrap();
    assert_eq!(other.lines(), machine.lines());
    let batches = (other.lines().len() - 1) / 2;
    println!("{acknowledged} acknowledged, {batches} in the log");
    assert!(acknowledged > 0 && (acknowledged..=acknowledged + 3).contains(&batches));
}

#[test]
fn a_database_that_cannot_hold_a_log_is_refused() {
    let server = Server::start();
    let open = |url: &str, within| {
        let company = CompanyId::from_uuid(uuid::Uuid::from_u128(1));
        Postgres::new(Address::parse(url).unwrap(), company, within).standing()
    };
    let refused = |url: &str| match open(url, PATIENCE) {
        Err(LogError::Refused { what, .. }) => what,
        other => panic!("{url}: {other:?}"),
    };
    let url = |database: &str| format!("postgres://popug@127.0.0.1:{}/{database}", server.port());
    assert_eq!(refused(&url("postgres")), super::session::NO_TABLES);
    assert!(refused(&url("nowhere")).contains("does not exist"));
    server.sql("CREATE DATABASE old ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    assert!(refused(&url("old")).contains("UTF8"));
    let unreachable = open("postgres://popug@127.0.0.1:1/books", Duration::from_secs(2));
    let told = unreachable.unwrap_err().to_string();
    assert_eq!(
        told,
        "the log at 127.0.0.1:1 cannot be reached (connection refused); nothing was written"
    );
}

#[test]
fn a_certificate_is_verified_with_the_name() {
    let server = Server::with(&["ssl=on"]);
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("authority.pem");
    std::fs::write(&authority, server.certificate()).unwrap();
    let standing = |host: &str, options: &str| {
        let port = server.port();
        let url = format!("postgres://popug@{host}:{port}/books?sslmode=verify-full{options}");
        let company = CompanyId::from_uuid(uuid::Uuid::from_u128(1));
        Postgres::new(Address::parse(&url).unwrap(), company, PATIENCE).standing()
    };
    let trusted = format!("&sslrootcert={}", authority.display());
    standing("localhost", &trusted).unwrap();
    for (host, options) in [("localhost", ""), ("127.0.0.1", trusted.as_str())] {
        match standing(host, options) {
            Err(LogError::Refused { what, .. }) => assert!(what.contains("certificate"), "{what}"),
            other => panic!("{host}{options}: {other:?}"),
        }
    }
    let plain = Server::start();
    let url = format!(
        "postgres://popug@localhost:{}/books?sslmode=require",
        plain.port()
    );
    let company = CompanyId::from_uuid(uuid::Uuid::from_u128(1));
    let refused = Postgres::new(Address::parse(&url).unwrap(), company, PATIENCE).standing();
    assert!(
        matches!(refused, Err(LogError::Refused { .. })),
        "{refused:?}"
    );
}

//! SMTP against a real server: `scripts/mail-server`.

use std::collections::HashSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use mail_parser::MessageParser;
use uuid::Uuid;

use crate::domain::id::PayoutId;
use crate::mail::compose::ComposedMail;
use crate::mail::compose::tests::{composed, pay_mail};
use crate::mail::mail_server::MailServer;
use crate::mail::pay_mail::PayMail;
use crate::mail::settings::SmtpServer;
use crate::mail::smtp::SmtpTransport;
use crate::mail::transport::{Delivery, MailTransport, SendError};

const PATIENCE: Duration = Duration::from_secs(5);

fn to(address: &str, number: u128) -> ComposedMail {
    let payout_id = PayoutId::from_uuid(Uuid::from_u128(number));
    composed(&PayMail {
        payout_id,
        to_address: address.into(),
        ..pay_mail()
    })
}

fn settings(url: &str) -> SmtpServer {
    SmtpServer {
        patience: PATIENCE,
        ..SmtpServer::parse(url).unwrap()
    }
}

fn transport(url: &str) -> SmtpTransport {
    SmtpTransport::new(settings(url)).unwrap()
}

fn only(mut results: Vec<Result<Delivery, SendError>>) -> Result<Delivery, SendError> {
    assert_eq!(results.len(), 1);
    results.remove(0)
}

#[test]
fn a_server_receives_the_bytes_that_were_composed() {
    let server = MailServer::start(&[]);
    let mut mail = pay_mail();
    mail.lines[0].title = ".\u{a}.\u{a}a dot at the start of lines".into();
    mail.lines[1].title = format!("{} 🦜", "Накормить попугов ".repeat(20));
    let mail = composed(&mail);
    assert_eq!(
        transport(&server.url()).send_all(std::slice::from_ref(&mail)),
        [Ok(Delivery::Sent)]
    );
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].envelope.from, "popug-cli@localhost");
    assert_eq!(taken[0].envelope.to, ["anna@popug.example"]);
    let received = String::from_utf8_lossy(&taken[0].bytes).into_owned();
    assert_eq!(
        received.trim_end(),
        String::from_utf8_lossy(mail.bytes()).trim_end()
    );
}

#[test]
fn a_mail_that_is_sent_again_keeps_its_message_id() {
    let server = MailServer::start(&[]);
    for _ in 0..2 {
        transport(&server.url()).send_all(&[to("anna@popug.example", 5)]);
    }
    let ids: Vec<_> = server
        .taken()
        .iter()
        .map(|mail| {
            MessageParser::default()
                .parse(&mail.bytes)
                .unwrap()
                .message_id()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn many_mails_share_at_most_eight_connections() {
    let server = MailServer::start(&[]);
    let transport = transport(&server.url());
    let mails: Vec<_> = (0..60)
        .map(|number| to(&format!("popug{number}@popug.example"), number))
        .collect();
    let (first, second) = mails.split_at(30);
    assert!(
        transport
            .send_all(first)
            .iter()
            .chain(&transport.send_all(second))
            .all(Result::is_ok)
    );
    let taken = server.taken();
    let recipients: HashSet<_> = taken
        .iter()
        .map(|mail| mail.envelope.to[0].clone())
        .collect();
    let connections: HashSet<_> = taken.iter().map(|mail| mail.envelope.client).collect();
    assert_eq!((taken.len(), recipients.len()), (60, 60));
    assert!(connections.len() <= 8, "{} connections", connections.len());
}

#[test]
fn a_connection_that_the_server_closed_is_replaced() {
    let server = MailServer::start(&["--close-after", "1"]);
    let transport = transport(&server.url());
    for number in 0..3 {
        assert_eq!(
            only(transport.send_all(&[to("anna@popug.example", number)])),
            Ok(Delivery::Sent)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let connections: HashSet<_> = server
        .taken()
        .iter()
        .map(|mail| mail.envelope.client)
        .collect();
    assert_eq!(connections.len(), 3);
}

#[test]
fn each_refusal_is_told_apart_and_holds_no_other_mail() {
    let server = MailServer::start(&[
        "--try-later",
        "grey@popug.example",
        "--refuse",
        "gone@popug.example",
        "--refuse-content",
        "picky@popug.example",
        "--drop",
        "dropped@popug.example",
        "--hang",
        "hung@popug.example",
    ]);
    let names = [
        "a", "grey", "b", "gone", "c", "picky", "d", "dropped", "e", "hung", "f",
    ];
    let mails: Vec<_> = names
        .iter()
        .zip(0..)
        .map(|(name, n)| to(&format!("{name}@popug.example"), n))
        .collect();
    let results = transport(&server.url()).send_all(&mails);
    let host = format!("127.0.0.1:{}", server.port);
    let transient = |text: &str| Err(SendError::Transient(format!("{host} {text}")));
    let permanent = |text: &str| Err(SendError::Permanent(format!("{host} {text}")));
    for (name, result) in names.iter().zip(results) {
        if *name == "dropped" {
            // The network decides whether the end or a reset arrives.
            let error = result.unwrap_err();
            assert!(
                !error.is_permanent() && error.to_string().contains("broke off the conversation: "),
                "{error}"
            );
            continue;
        }
        let expected = match *name {
            "grey" => {
                transient("did not take the mail for now: 451 4.7.1 Greylisted, try again later")
            }
            "gone" => permanent("refused the mail: 550 5.1.1 No such user here"),
            "picky" => permanent("refused the mail: 554 5.6.0 Content not wanted"),
            "hung" => transient("did not answer within 5s"),
            _ => Ok(Delivery::Sent),
        };
        assert_eq!(result, expected, "{name}");
    }
    assert_eq!(server.taken().len(), 6);
}

#[test]
fn the_right_password_is_let_in() {
    let server = MailServer::start(&["--login", "anna@popug:p/ss wörd"]);
    let url = format!(
        "smtp://anna%40popug:p%2Fss%20w%C3%B6rd@127.0.0.1:{}",
        server.port
    );
    assert_eq!(
        only(transport(&url).send_all(&[to("anna@popug.example", 1)])),
        Ok(Delivery::Sent)
    );
    assert_eq!(
        server.taken()[0].envelope.login.as_deref(),
        Some("anna@popug")
    );
}

#[test]
fn a_wrong_password_is_no_fault_of_the_mail_and_is_not_shown() {
    let server = MailServer::start(&["--login", "anna:right"]);
    let url = format!("smtp://anna:hunter2@127.0.0.1:{}", server.port);
    let error = only(transport(&url).send_all(&[to("anna@popug.example", 1)])).unwrap_err();
    let expected = format!(
        "127.0.0.1:{} did not accept the user name and password (535)",
        server.port
    );
    assert_eq!(error, SendError::Transient(expected));
}

#[test]
fn required_encryption_that_is_not_offered_sends_nothing() {
    let server = MailServer::start(&[]);
    let error = only(
        transport(&format!("{}?tls=required", server.url()))
            .send_all(&[to("anna@popug.example", 1)]),
    );
    let error = error.unwrap_err();
    assert!(
        !error.is_permanent() && error.to_string().contains("cannot encrypt"),
        "{error}"
    );
    assert!(server.taken().is_empty());
    let opportunistic = transport(&format!("{}?tls=opportunistic", server.url()));
    assert_eq!(
        only(opportunistic.send_all(&[to("anna@popug.example", 1)])),
        Ok(Delivery::Sent)
    );
}

/// Trusts the certificate that the server made for itself.
fn trusting(server: &MailServer) -> TlsParameters {
    let certificate = Certificate::from_pem(&server.certificate()).unwrap();
    TlsParameters::builder("127.0.0.1".into())
        .add_root_certificate(certificate)
        .build()
        .unwrap()
}

#[test]
fn mails_and_passwords_travel_encrypted() {
    for (option, url) in [
        ("starttls", "smtp://anna:right@127.0.0.1?tls=required"),
        ("always", "smtps://127.0.0.1"),
    ] {
        let server = MailServer::start(&["--tls", option, "--login", "anna:right"]);
        let mut settings = settings(url);
        settings.port = server.port;
        settings.credentials = Some(Credentials::new("anna".into(), "right".into()));
        settings.tls = match settings.tls {
            Tls::Required(_) => Tls::Required(trusting(&server)),
            _ => Tls::Wrapper(trusting(&server)),
        };
        let transport = SmtpTransport::new(settings).unwrap();
        assert_eq!(
            transport.send_all(&[to("a@popug.example", 1), to("b@popug.example", 2)]),
            [Ok(Delivery::Sent), Ok(Delivery::Sent)]
        );
        assert!(
            server.taken().iter().all(|mail| mail.envelope.encrypted),
            "{option}"
        );
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_trusted() {
    for (option, scheme, query) in [
        ("starttls", "smtp", "?tls=required"),
        ("starttls", "smtp", "?tls=opportunistic"),
        ("always", "smtps", ""),
    ] {
        let server = MailServer::start(&["--tls", option]);
        let url = format!("{scheme}://127.0.0.1:{}{query}", server.port);
        let error = only(transport(&url).send_all(&[to("anna@popug.example", 1)])).unwrap_err();
        assert!(
            !error.is_permanent() && error.to_string().contains("certificate"),
            "{error}"
        );
        assert!(server.taken().is_empty());
    }
}

#[test]
fn a_server_that_is_not_there_is_a_transient_failure() {
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error =
        only(transport(&format!("smtp://{unused}")).send_all(&[to("anna@popug.example", 1)]))
            .unwrap_err();
    assert!(
        !error.is_permanent()
            && error
                .to_string()
                .starts_with(&format!("cannot connect to {unused}: ")),
        "{error}"
    );
}

#[test]
fn a_server_that_never_greets_is_given_up_on() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let error = only(transport(&url).send_all(&[to("anna@popug.example", 1)])).unwrap_err();
    assert!(
        !error.is_permanent() && error.to_string().ends_with("did not answer within 5s"),
        "{error}"
    );
    assert!(started.elapsed() < PATIENCE * 3);
}

#[test]
fn an_address_in_another_script_needs_a_server_that_takes_it() {
    let server = MailServer::start(&[]);
    let result = only(transport(&server.url()).send_all(&[to("анна@popug.example", 1)]));
    assert_eq!(result, Ok(Delivery::Sent));
    assert_eq!(server.taken()[0].envelope.to, ["анна@popug.example"]);
    for (number, (address, taken)) in (2..).zip([
        ("मित्र@डाटा.भारत", "मित्र@xn--c2bd1gb.xn--h2brj9c"),
        ("e\u{301}lodie@popug.example", "e\u{301}lodie@popug.example"),
    ]) {
        assert_eq!(
            only(transport(&server.url()).send_all(&[to(address, number)])),
            Ok(Delivery::Sent),
            "{address}"
        );
        let envelopes: Vec<_> = server
            .taken()
            .iter()
            .flat_map(|mail| mail.envelope.to.clone())
            .collect();
        assert!(envelopes.contains(&taken.to_owned()), "{envelopes:?}");
    }
    let server = MailServer::start(&["--ascii-only"]);
    let error =
        only(transport(&server.url()).send_all(&[to("анна@popug.example", 1)])).unwrap_err();
    assert!(
        error.is_permanent() && error.to_string().contains("SMTPUTF8"),
        "{error}"
    );
}

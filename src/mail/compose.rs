//! A payout as an RFC 5322 message.
//!
//! No text of a user can forge a header: names are escaped and encoded, and invalid mail addresses
//! are refused. The bytes follow from the facts, the sender and the given time.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};

use crate::domain::displayed::Displayed;
use crate::domain::id::PayoutId;
use crate::domain::text::{ascii_domain, check_email};
use crate::domain::time::{BusinessDate, EventTime};
use crate::mail::letterhead::Letterhead;
use crate::mail::pay_mail::PayMail;
use crate::mail::template::{BadTemplate, Letter};

const TRIAL: &str = "This is a test of the settings of mails. Nobody was paid anything.\nA pay mail reads like this:";

/// A mail that any transport can send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComposedMail {
    pub payout_id: PayoutId,
    pub date: BusinessDate,
    /// The address alone, as `mail.sent` records it.
    pub to: String,
    pub message_id: String,
    envelope: Envelope,
    bytes: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    #[error("`{}` is not an address that mail can be sent to", Displayed(address))]
    BadAddress { address: String },
    #[error("the template of mails: {0}")]
    Template(#[from] BadTemplate),
    #[error("the message cannot be built")]
    Message(#[from] lettre::error::Error),
}

/// The Message-ID of a payout's mail, the same on every attempt. It names no host, so it stays the
/// same if the store moves to another machine.
pub fn message_id(payout: PayoutId) -> String {
    format!("<{payout}@popug-cli.invalid>")
}

impl PayMail {
    /// The message, dated `at`. A retry with the same `at` gets the same bytes.
    ///
    /// # Errors
    /// [`ComposeError::BadAddress`], which no retry can change; [`ComposeError::Template`].
    pub fn compose(&self, head: &Letterhead, at: EventTime) -> Result<ComposedMail, ComposeError> {
        self.enclose(self.letter(head)?, head, at)
    }

    /// The same as a mail that says that no payout was made.
    ///
    /// # Errors
    /// As [`PayMail::compose`].
    pub fn compose_trial(
        &self,
        head: &Letterhead,
        at: EventTime,
    ) -> Result<ComposedMail, ComposeError> {
        let Letter { subject, text } = self.letter(head)?;
        let letter = Letter {
            subject: format!("[test] {subject}"),
            text: format!("{TRIAL}\n\n{text}"),
        };
        self.enclose(letter, head, at)
    }

    fn letter(&self, head: &Letterhead) -> Result<Letter, ComposeError> {
        let reply_to = head.reply_to.as_ref();
        let reply_to = reply_to.map(|reply_to| reply_to.mailbox().email.to_string());
        Ok(head.template.write(self, reply_to.as_deref())?)
    }

    fn enclose(
        &self,
        letter: Letter,
        head: &Letterhead,
        at: EventTime,
    ) -> Result<ComposedMail, ComposeError> {
        let (to, from) = (self.recipient()?, head.sender.mailbox());
        let envelope = Envelope::new(Some(from.email.clone()), vec![to.email.clone()])?;
        let header = |name, value: &str| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
        };
        let mut message = Message::builder()
            .date(UNIX_EPOCH + since_epoch(at))
            .from(from.clone())
            .to(to)
            .subject(letter.subject)
            .message_id(Some(message_id(self.payout_id)))
            // RFC 3834: no answering machine answers.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Popug-Payout-Id", &self.payout_id.to_string()))
            .envelope(envelope.clone());
        if let Some(reply_to) = &head.reply_to {
            message = message.reply_to(reply_to.mailbox().clone());
        }
        let message = message.singlepart(SinglePart::plain(letter.text))?;
        Ok(ComposedMail {
            payout_id: self.payout_id,
            date: self.date,
            to: self.to_address.clone(),
            message_id: message_id(self.payout_id),
            envelope,
            bytes: message.formatted(),
        })
    }

    fn recipient(&self) -> Result<Mailbox, ComposeError> {
        let email = address(&self.to_address).ok_or_else(|| ComposeError::BadAddress {
            address: self.to_address.clone(),
        })?;
        let name = self.to_name.trim();
        Ok(Mailbox::new(
            (!name.is_empty()).then(|| Displayed(name).to_string()),
            email,
        ))
    }
}

impl ComposedMail {
    /// The message as it is sent: CRLF line ends, ASCII except for the addresses.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// Parses an address that a user may have. A domain in another script is written in ASCII
/// (punycode), which every server accepts. The local part may be in any script; the crate accepts
/// only some of them.
fn address(text: &str) -> Option<Address> {
    let checked = check_email(text).ok()?;
    let (local, domain) = checked.split_once('@')?;
    let domain = if domain.is_ascii() {
        domain.into()
    } else {
        ascii_domain(domain)?
    };
    Some(Address::new_dangerous(local, domain))
}

/// Mail has no dates before 1970.
fn since_epoch(at: EventTime) -> Duration {
    Duration::from_micros(at.micros().try_into().unwrap_or(0))
}

#[cfg(test)]
pub(super) mod tests {
    use mail_parser::MessageParser;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ledger::entry::EntryKind;
    use crate::domain::money::Money;
    use crate::mail::pay_mail::Line;
    use crate::mail::settings::Sender;
    use crate::mail::template::{Language, Template};

    pub(crate) fn pay_mail() -> PayMail {
        PayMail {
            payout_id: PayoutId::from_uuid(Uuid::from_u128(0x1234)),
            company: "UberPopug Inc.".into(),
            currency: "EUR".into(),
            zone: "Europe/Moscow".into(),
            date: "2026-11-22".parse().unwrap(),
            to_name: "Анна Кузнецова".into(),
            to_address: "anna@popug.example".into(),
            amount: Money::units(13),
            opening: Money::units(-12),
            earned: Money::units(25),
            lines: vec![
                Line {
                    kind: EntryKind::Fee,
                    task_number: 12,
                    jira_id: Some("UP-7".into()),
                    title: "Fix the login page".into(),
                    amount: Money::units(-15),
                },
                Line {
                    kind: EntryKind::Reward,
                    task_number: 3,
                    jira_id: None,
                    title: "Накормить попугов".into(),
                    amount: Money::units(40),
                },
            ],
        }
    }

    pub(crate) fn composed(mail: &PayMail) -> ComposedMail {
        mail.compose(
            &Letterhead::of(Sender::parse(None).unwrap()),
            "2026-11-23T00:05:00Z".parse().unwrap(),
        )
        .unwrap()
    }

    fn header_names(mail: &ComposedMail) -> Vec<String> {
        let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
        parsed
            .headers()
            .iter()
            .map(|header| header.name().to_owned())
            .collect()
    }

    const HEADERS: [&str; 10] = [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "Auto-Submitted",
        "X-Popug-Payout-Id",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];

    #[test]
    fn another_parser_reads_back_what_was_composed() {
        let mail = composed(&pay_mail());
        let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
        let to = parsed.to().unwrap().first().unwrap();
        assert_eq!(
            (to.name(), to.address()),
            (Some("Анна Кузнецова"), Some("anna@popug.example"))
        );
        let from = parsed.from().unwrap().first().unwrap();
        assert_eq!(
            (from.name(), from.address()),
            (None, Some("popug-cli@localhost"))
        );
        assert_eq!(parsed.subject(), Some("Payout of 13.00 EUR for 2026-11-22"));
        assert_eq!(parsed.date().unwrap().to_rfc3339(), "2026-11-23T00:05:00Z");
        assert_eq!(
            parsed.message_id(),
            Some("00000000-0000-0000-0000-000000001234@popug-cli.invalid")
        );
        let payout_id = parsed.header_raw("X-Popug-Payout-Id").unwrap().trim();
        assert_eq!(payout_id, pay_mail().payout_id.to_string());
        let text = parsed.body_text(0).unwrap().replace("\r\n", "\n");
        let template = Template::in_language(Language::English);
        let letter = template.write(&pay_mail(), None).unwrap();
        assert_eq!(text.trim_end(), letter.text.trim_end());
        let content_type = parsed.header_raw("Content-Type").unwrap().trim();
        assert_eq!(content_type, "text/plain; charset=utf-8");
        assert_eq!(header_names(&mail), HEADERS);
    }

    #[test]
    fn composing_again_gives_the_same_bytes() {
        assert_eq!(composed(&pay_mail()), composed(&pay_mail()));
    }

    #[test]
    fn a_name_cannot_forge_headers_or_addresses() {
        for (name, shown) in [
            (
                "Anna\r\nBcc: eve@evil.example",
                "Anna\\u{d}\\u{a}Bcc: eve@evil.example",
            ),
            (
                "Anna\" <eve@evil.example>, \"",
                "Anna\" <eve@evil.example>, \"",
            ),
            (
                "=?utf-8?q?Eve?= <eve@evil.example>",
                "=?utf-8?q?Eve?= <eve@evil.example>",
            ),
            ("Anna\u{202e}nimdA", "Anna\\u{202e}nimdA"),
            ("Anna\0", "Anna\\u{0}"),
            ("Anna \\ \"the popug\"", "Anna \\ \"the popug\""),
            ("Попуг 🦜 Петрович", "Попуг 🦜 Петрович"),
            ("O'Neil, John (temp); x", "O'Neil, John (temp); x"),
        ] {
            let mail = composed(&PayMail {
                to_name: name.into(),
                ..pay_mail()
            });
            let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
            let recipients: Vec<_> = parsed
                .to()
                .unwrap()
                .iter()
                .map(|to| (to.name(), to.address()))
                .collect();
            assert_eq!(recipients, [(Some(shown), Some("anna@popug.example"))]);
            assert_eq!(header_names(&mail), HEADERS, "{name}");
        }
    }

    #[test]
    fn the_longest_names_keep_every_line_within_the_limits_of_mail() {
        for name in [
            "ж".repeat(200),
            "a".repeat(200),
            "Анна ".repeat(40),
            "🦜".repeat(200),
        ] {
            let mail = composed(&PayMail {
                to_name: name.clone(),
                ..pay_mail()
            });
            let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
            assert_eq!(
                parsed.to().unwrap().first().unwrap().name(),
                Some(name.trim())
            );
            assert_lines_fit(&mail);
        }
    }

    #[test]
    fn the_longest_titles_arrive_whole() {
        for title in [
            "ж".repeat(500),
            "x".repeat(500),
            "🦜".repeat(500),
            ".\u{2028}".repeat(250),
        ] {
            let mut pay_mail = pay_mail();
            pay_mail.lines[0].title = title.clone();
            let mail = composed(&pay_mail);
            let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
            let without_breaks = |text: &str| {
                text.chars()
                    .filter(|c| !c.is_whitespace())
                    .collect::<String>()
            };
            let text = without_breaks(&parsed.body_text(0).unwrap());
            assert!(
                text.contains(&without_breaks(&Displayed(&title).to_string())),
                "{title}"
            );
            assert_lines_fit(&mail);
        }
    }

    fn assert_lines_fit(mail: &ComposedMail) {
        assert!(mail.bytes().is_ascii());
        let text = std::str::from_utf8(mail.bytes()).unwrap();
        for line in text.split("\r\n") {
            assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line}");
        }
    }

    #[test]
    fn a_text_that_is_no_address_is_refused() {
        for address in [
            "",
            "anna",
            "anna@",
            "a@b\r\nBcc: x@y",
            "anna@popug.example, eve@evil.example",
            "a b@c",
        ] {
            let mail = PayMail {
                to_address: address.into(),
                ..pay_mail()
            };
            let refused = mail.compose(
                &Letterhead::of(Sender::parse(None).unwrap()),
                "2026-11-23T00:05:00Z".parse().unwrap(),
            );
            assert!(
                matches!(refused, Err(ComposeError::BadAddress { .. })),
                "{address}"
            );
        }
    }

    /// Every address that can be registered can get a mail.
    #[test]
    fn an_address_that_users_may_have_is_one_of_a_mail() {
        let parts = [
            "a", "Z9", "ж", "é", "中", "🦜", ".", "-", "_", "+", "'", "\u{202e}", "\u{200d}",
            "\u{7}", "\\", "/", "(", "[", " ",
        ];
        let mut accepted = 0;
        for (one, other) in parts
            .iter()
            .flat_map(|one| parts.iter().map(move |other| (one, other)))
        {
            for text in [
                format!("{one}{other}@p.example"),
                format!("a@{one}{other}.example"),
                format!("a@b{one}{other}c"),
            ] {
                let Ok(email) = check_email(&text) else {
                    continue;
                };
                accepted += 1;
                let mail = composed(&PayMail {
                    to_address: email.clone(),
                    ..pay_mail()
                });
                let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
                let (local, domain) = email.split_once('@').unwrap();
                let domain = if domain.is_ascii() {
                    domain.into()
                } else {
                    ascii_domain(domain).unwrap()
                };
                let expected = format!("{local}@{domain}");
                assert_eq!(
                    parsed.to().unwrap().first().unwrap().address(),
                    Some(expected.as_str())
                );
                assert_eq!(header_names(&mail), HEADERS, "{email:?}");
            }
        }
        assert!(accepted > 100, "{accepted}");
    }

    #[test]
    fn a_domain_in_another_script_is_written_in_ascii() {
        let mail = composed(&PayMail {
            to_address: "ivan@почта.рф".into(),
            ..pay_mail()
        });
        let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
        assert_eq!(
            parsed.to().unwrap().first().unwrap().address(),
            Some("ivan@xn--80a1acny.xn--p1ai")
        );
        assert_eq!(mail.to, "ivan@почта.рф");
    }

    #[test]
    fn a_configured_sender_may_have_a_name_in_any_script() {
        let from = Sender::parse(Some("Бухгалтерия <pay@popug.example>")).unwrap();
        let from = Letterhead::of(from);
        let mail = pay_mail()
            .compose(&from, "1969-12-31T00:00:00Z".parse().unwrap())
            .unwrap();
        let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
        let sender = parsed.from().unwrap().first().unwrap();
        assert_eq!(
            (sender.name(), sender.address()),
            (Some("Бухгалтерия"), Some("pay@popug.example"))
        );
        assert_eq!(parsed.date().unwrap().to_rfc3339(), "1970-01-01T00:00:00Z");
    }
}

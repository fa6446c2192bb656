//! Pay mails: their text, their transport, and the schedule of retries (rule A9).
//!
//! A mail is composed from facts alone, so composing it again gives the same bytes. A transport may
//! therefore get the same mail any number of times: a file is written once, and a mail server sees
//! the same Message-ID. This module reads no log, no clock and no environment. The notifier decides
//! whether a mail is owed.

pub mod compose;
pub mod letterhead;

#[cfg(test)]
pub(crate) mod mail_server;
pub mod outbox;
pub mod pay_mail;
pub mod schedule;
pub mod settings;
pub mod smtp;
pub mod template;
pub mod transport;

pub use compose::{ComposeError, ComposedMail, message_id};
pub use letterhead::Letterhead;
pub use outbox::FileTransport;
pub use pay_mail::{Line, PayMail};
pub use schedule::{NextTry, after_failure};
pub use settings::{BadSetting, MAIL_FROM_VARIABLE, SMTP_URL_VARIABLE, Sender, SmtpServer};
pub use smtp::SmtpTransport;
pub use template::{BadTemplate, Language, Template};
pub use transport::{Delivery, MailTransport, SendError};

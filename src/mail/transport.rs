//! The transport of mails, and its errors.

use crate::domain::event::Transport;
use crate::mail::compose::{ComposeError, ComposedMail};

/// Sends mails. If it gets the same mail twice, it may deliver two copies; both have the same
/// Message-ID.
pub trait MailTransport {
    /// The transport that `mail.sent` records.
    fn kind(&self) -> Transport;

    /// One result for each mail, in their order. A failed mail does not hold up the others.
    fn send_all(&self, mails: &[ComposedMail]) -> Vec<Result<Delivery, SendError>>;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Written, or accepted by the server.
    Sent,
    /// An identical file was there already.
    Unchanged,
    /// A file with other content was there and was replaced.
    Replaced,
}

/// Why a mail was not sent: one line for users, without credentials.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// No retry can succeed.
    #[error("{0}")]
    Permanent(String),
    /// A retry may succeed.
    #[error("{0}")]
    Transient(String),
}

impl SendError {
    pub const fn is_permanent(&self) -> bool {
        matches!(self, SendError::Permanent(_))
    }
}

/// A mail that cannot be composed can never be sent, unless the template is mended.
impl From<ComposeError> for SendError {
    fn from(error: ComposeError) -> SendError {
        match error {
            ComposeError::Template(_) => SendError::Transient(error.to_string()),
            ComposeError::BadAddress { .. } | ComposeError::Message(_) => {
                SendError::Permanent(error.to_string())
            }
        }
    }
}

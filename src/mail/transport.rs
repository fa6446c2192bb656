//! The transport of a mail, and its errors.

use crate::domain::event::Transport;
use crate::mail::compose::{ComposeError, ComposedMail};

/// Takes mails. Asked for the same mail twice, it may deliver it twice, but never as two mails:
/// both have one Message-ID.
pub trait MailTransport {
    /// What `mail.sent` says.
    fn kind(&self) -> Transport;

    /// One result for each mail, in their order. A mail that fails holds no other.
    fn send_all(&self, mails: &[ComposedMail]) -> Vec<Result<Delivery, SendError>>;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Written, or accepted by the server.
    Sent,
    /// The same file was there already.
    Unchanged,
    /// A file of other content was there and has been replaced.
    Replaced,
}

/// Why a mail did not leave: one line for people, without credentials.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// This mail will not be taken however often it is sent.
    #[error("{0}")]
    Permanent(String),
    /// Worth another try.
    #[error("{0}")]
    Transient(String),
}

impl SendError {
    pub const fn is_permanent(&self) -> bool {
        matches!(self, SendError::Permanent(_))
    }
}

/// What cannot be composed cannot be sent, now or later.
impl From<ComposeError> for SendError {
    fn from(error: ComposeError) -> SendError {
        SendError::Permanent(error.to_string())
    }
}

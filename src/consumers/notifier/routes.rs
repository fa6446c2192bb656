//! The route of a mail: the normal one, and that of imported history or of a restored store.

use crate::domain::event::Transport;
use crate::mail::{FileTransport, Letterhead, MailTransport, SmtpTransport};
use crate::store::StoreDirectory;

/// The normal route of mails.
pub enum Outgoing {
    /// As files in the outbox.
    Files,
    Smtp(Box<SmtpTransport>),
    /// Recorded as sent and written nowhere: simulated history.
    Nowhere,
}

/// Rule A9: mails of imported history and of a restored store go to the outbox only, unless
/// `--send-imported` is given, because their recipients may have had them long ago.
pub struct MailRoutes {
    letterhead: Letterhead,
    outgoing: Outgoing,
    files: FileTransport,
    hold_imported: bool,
    hold_all: bool,
}

impl MailRoutes {
    /// `send_imported` lifts the restriction. Checks whether the store was restored.
    pub fn new(
        directory: &StoreDirectory,
        letterhead: Letterhead,
        outgoing: Outgoing,
        send_imported: bool,
    ) -> MailRoutes {
        MailRoutes {
            letterhead,
            outgoing,
            files: FileTransport::new(&directory.outbox()),
            hold_imported: !send_imported,
            hold_all: !send_imported && directory.restored_marker().exists(),
        }
    }

    pub(super) fn letterhead(&self) -> &Letterhead {
        &self.letterhead
    }

    /// Whether a mail leaves this machine.
    pub(super) fn sends(&self, imported: bool) -> bool {
        self.transport(imported)
            .is_some_and(|transport| transport.kind() == Transport::Smtp)
    }

    /// Whether there is a mail server.
    pub fn has_server(&self) -> bool {
        matches!(self.outgoing, Outgoing::Smtp(_))
    }

    /// `None`: the mail is not even written.
    pub(super) fn transport(&self, imported: bool) -> Option<&dyn MailTransport> {
        let held = self.hold_all || (imported && self.hold_imported);
        match &self.outgoing {
            Outgoing::Nowhere => None,
            Outgoing::Smtp(smtp) if !held => Some(smtp.as_ref()),
            Outgoing::Smtp(_) | Outgoing::Files => Some(&self.files),
        }
    }
}

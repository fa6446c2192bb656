//! The parts of every pay mail that follow from settings: sender, address for answers, template.

use crate::mail::settings::Sender;
use crate::mail::template::{Language, Template};

pub struct Letterhead {
    pub sender: Sender,
    /// `None`: answers go to the sender.
    pub reply_to: Option<Sender>,
    pub template: Template,
}

impl Letterhead {
    /// Mails of this sender in English.
    pub fn of(sender: Sender) -> Letterhead {
        Letterhead {
            sender,
            reply_to: None,
            template: Template::in_language(Language::English),
        }
    }
}

//! The properties of a command that decide where its answer may go, and what the command may reach.

/// The facts about a command that are needed before it is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Nature {
    /// It changes something, so repeating it differs from doing it once.
    pub changes: bool,
    /// It always prints data if it succeeds.
    pub surely_answers: bool,
    /// It writes text in a format of its own: the extensions that a file of this text may have.
    pub own_text: Option<&'static [&'static str]>,
    /// It can answer in the text format of Prometheus.
    pub has_metrics: bool,
}

/// The things that a command uses besides stdin and stdout. A restricted shell decides by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// The data of the company, as an identified user. Paths that a line names are judged apart.
    Company,
    /// The session of the Unix user who calls.
    Session,
    /// Other files, or a store without a login.
    Machine,
}

impl Nature {
    pub(super) const ASKS: Nature = Nature {
        changes: false,
        surely_answers: false,
        own_text: None,
        has_metrics: false,
    };
    /// A command that changes something and may print nothing.
    pub(super) const DOES: Nature = Nature {
        changes: true,
        ..Nature::ASKS
    };
    pub(super) const DOES_AND_ANSWERS: Nature = Nature {
        surely_answers: true,
        ..Nature::DOES
    };
    pub(super) const MEASURES: Nature = Nature {
        has_metrics: true,
        ..Nature::ASKS
    };
    pub(super) const fn tells(extensions: &'static [&'static str]) -> Nature {
        Nature {
            own_text: Some(extensions),
            ..Nature::ASKS
        }
    }
}

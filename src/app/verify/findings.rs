//! The findings of a verification, in words for people and scripts.

use serde::Serialize;

use crate::consumers::standing::{NEWER, set_aside_command};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::Head;
use crate::event_log::audit::{Audit, Fault, FaultKind};

const RESTORE: &str = "popug-cli repair --from BACKUP_DIR replaces the damaged bytes by those of a backup, if they reach the head; \
                       otherwise make a new store of the backup: popug-cli -C NEW-DIR restore BACKUP_DIR";
const DOUBT: &str = "popug-cli repair --from BACKUP_DIR takes it from a backup that has it; without one popug-cli repair \
                     cuts it and keeps a copy";
const REPORT: &str = "no command repairs this: keep the store as it is, restore a backup from before this event \
                      (popug-cli -C NEW-DIR restore BACKUP_DIR) and find out which program wrote it";
const HEAD: &str = "popug-cli repair writes the head file again, as the next write command would; \
                    if no writer was killed, check the disk";

/// The result of a verification.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    pub checked_events: u64,
    /// The bytes of the checked lines.
    pub checked_bytes: u64,
    /// `None` if the end of the log is unknown.
    pub head: Option<Head>,
    /// Facts that are no faults.
    pub notes: Vec<String>,
    /// Acknowledged bytes are missing or changed: exit 12.
    pub damage: Vec<Damage>,
    /// Other violations of the rules: exit 7.
    pub violations: Vec<Violation>,
}

/// A bad place in the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// The segment's file name.
    pub segment: String,
    /// Offset of the line's first byte.
    pub byte: u64,
    /// The sequence that the line has or should have.
    pub sequence: u64,
    pub what: String,
    pub remedy: String,
}

/// A rule that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// The rule of docs/RULES.md, `I1` to `I14`; or `head`, `envelope`, `decoding`, `schema` or
    /// `checkpoint`.
    pub invariant: &'static str,
    /// An event, a file or a row of a table.
    pub place: String,
    pub what: String,
    pub remedy: String,
}

impl Findings {
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.violations.is_empty()
    }

    pub(super) fn of_audit(audit: Audit) -> Findings {
        let mut findings = Findings {
            checked_events: audit.events,
            checked_bytes: audit.bytes,
            head: audit.head,
            notes: audit.notes,
            ..Findings::default()
        };
        for fault in audit.faults {
            findings.take(fault);
        }
        if audit.unlisted_faults > 0 {
            findings.notes.push(format!(
                "{} further faults of lines are not listed",
                audit.unlisted_faults
            ));
        }
        findings
    }

    fn take(&mut self, Fault { kind, place, what }: Fault) {
        let (invariant, remedy) = match kind {
            FaultKind::Damage | FaultKind::Doubt => {
                let (segment, byte, sequence) = (place.segment, place.byte, place.sequence.0);
                let remedy = if kind == FaultKind::Damage {
                    RESTORE
                } else {
                    DOUBT
                }
                .to_owned();
                return self.damage.push(Damage {
                    segment,
                    byte,
                    sequence,
                    what,
                    remedy,
                });
            }
            FaultKind::Head => ("head", HEAD),
            FaultKind::Envelope => ("envelope", REPORT),
            FaultKind::Decoding => ("decoding", REPORT),
            FaultKind::Schema => ("schema", REPORT),
            FaultKind::Identity => ("I10", REPORT),
        };
        let place = if kind == FaultKind::Head {
            format!("log/{} byte {}", place.segment, place.byte)
        } else {
            place.to_string()
        };
        self.violations.push(Violation {
            invariant,
            place,
            what,
            remedy: remedy.to_owned(),
        });
    }

    /// An event that these consumers cannot read.
    pub(super) fn unknown_version(&mut self, at: Sequence, type_name: &str, stopped: &[Consumer]) {
        let names: Vec<&str> = stopped.iter().map(|consumer| consumer.name()).collect();
        let what = format!(
            "the type is {type_name}, which this version does not know, so that {} cannot continue",
            names.join(", ")
        );
        // If the state index stops, no command can be decided.
        let remedy = if stopped.contains(&Consumer::Tracker) {
            NEWER.to_owned()
        } else {
            let aside: Vec<String> = stopped
                .iter()
                .map(|consumer| set_aside_command(at, *consumer))
                .collect();
            format!("{NEWER}; or leave it out for now: {}", aside.join(", "))
        };
        self.violations.push(Violation {
            invariant: "decoding",
            place: format!("event {at}"),
            what,
            remedy,
        });
    }

    /// The finding about a file that `popug-cli consume NAME --rebuild` rebuilds.
    pub(super) fn rebuildable(
        &mut self,
        invariant: &'static str,
        consumer: &str,
        place: String,
        what: String,
    ) {
        let remedy = format!("popug-cli consume {consumer} --rebuild");
        self.violations.push(Violation {
            invariant,
            place,
            what,
            remedy,
        });
    }
}

impl Violation {
    /// Events that contradict each other although the hash of each is right.
    pub(super) fn of_log(invariant: &'static str, what: String) -> Violation {
        Violation {
            invariant,
            place: "log".to_owned(),
            what,
            remedy: REPORT.to_owned(),
        }
    }

    /// An event that contradicts the rules although its hash is right.
    pub(super) fn of_event(invariant: &'static str, sequence: u64, what: String) -> Violation {
        Violation {
            invariant,
            place: format!("event {sequence}"),
            what,
            remedy: REPORT.to_owned(),
        }
    }
}

//! Warnings about pay mails that could not be sent: how many, why, and when they are retried.
//!
//! Every `consume` reports the mails that wait for another attempt; the `consume` that gives a mail
//! up reports that once, and from then on `status` and `doctor` show it. Servers repeat addresses,
//! which not all users may see: here they are left out, and `mail list` has them.

use crate::app::App;
use crate::app::doctor::counted;
use crate::cli::reporter::Reporter;
use crate::consumers::notifier::Outstanding;
use crate::turn::Notices;

/// Reports mails after they were sent. Unreadable tables stop the notifier, which is reported
/// separately.
pub(super) struct Teller {
    before: Outstanding,
}

impl Teller {
    /// Called before any mail is sent.
    pub(super) fn before(app: &App<'_>) -> Teller {
        Teller {
            before: app.outstanding_mails().unwrap_or_default(),
        }
    }

    pub(super) fn tell(&mut self, app: &App<'_>, reporter: &Reporter) {
        let Ok(now) = app.outstanding_mails() else {
            return;
        };
        if let Some(warning) = warning(&now, &self.before) {
            reporter.warn(&warning);
        }
        self.before = now;
    }
}

/// One line; `None` if no mail waits for another attempt and none was given up since `before`.
fn warning(now: &Outstanding, before: &Outstanding) -> Option<String> {
    let mut told = Vec::new();
    if now.retrying > 0 {
        let at = now
            .next_try
            .map(|at| format!(" from {at} on"))
            .unwrap_or_default();
        let again = format!("`popug-cli consume notifier` tries again{at}");
        told.push(format!(
            "{} not sent{}: {again}",
            counted(now.retrying, "pay mail is", "pay mails are"),
            because(now.retried_because.as_deref())
        ));
    }
    let given_up = now.failed.saturating_sub(before.failed);
    if given_up > 0 {
        let asked = "`popug-cli mail retry ID` tries again";
        told.push(format!(
            "{} given up{}: {asked}",
            counted(given_up, "pay mail is", "pay mails are"),
            because(now.failed_because.as_deref())
        ));
    }
    (!told.is_empty()).then(|| format!("{}; `popug-cli mail list` shows which", told.join("; ")))
}

/// All unsent mails; `None` if every mail is sent.
pub(super) fn summary(mails: &Outstanding) -> Option<String> {
    let Outstanding {
        untried,
        retrying,
        failed,
        ..
    } = mails;
    if untried + retrying + failed == 0 {
        return None;
    }
    let next = mails
        .next_try
        .map(|at| format!(", from {at} on"))
        .unwrap_or_default();
    let why = last_error(mails)
        .map(|error| format!("; {error}"))
        .unwrap_or_default();
    Some(format!(
        "{untried} to be sent, {retrying} to be tried again{next}, {failed} given up{why}"
    ))
}

/// The error of the latest of them, if any failed.
pub(super) fn last_error(mails: &Outstanding) -> Option<String> {
    mails
        .failed_because
        .as_deref()
        .or(mails.retried_because.as_deref())
        .map(without_addresses)
}

fn because(error: Option<&str>) -> String {
    error
        .map(|error| format!(" ({})", without_addresses(error)))
        .unwrap_or_default()
}

fn without_addresses(text: &str) -> String {
    let hidden = |word| {
        if str::contains(word, '@') {
            "<address>"
        } else {
            word
        }
    };
    text.split(' ').map(hidden).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(retrying: u64, failed: u64) -> Outstanding {
        let error = |times: u64, text: &str| (times > 0).then(|| text.to_owned());
        Outstanding {
            untried: 0,
            retrying,
            next_try: (retrying > 0).then(|| "2026-11-22T10:00:00Z".parse().unwrap()),
            retried_because: error(retrying, "cannot connect"),
            failed,
            failed_because: error(failed, "550 <anna@popug.example>: No such user"),
        }
    }

    #[test]
    fn mails_that_wait_are_told_of_each_time_and_those_that_were_given_up_once() {
        let nothing = Outstanding::default();
        assert_eq!(warning(&nothing, &nothing), None);
        let waiting = "2 pay mails are not sent (cannot connect): `popug-cli consume notifier` tries again from \
                       2026-11-22T10:00:00.000000Z on; `popug-cli mail list` shows which";
        assert_eq!(warning(&refused(2, 0), &nothing).unwrap(), waiting);
        assert_eq!(warning(&refused(2, 3), &refused(2, 3)).unwrap(), waiting);
        let given_up = "1 pay mail is given up (550 <address> No such user): `popug-cli mail retry ID` tries again; \
                        `popug-cli mail list` shows which";
        assert_eq!(warning(&refused(0, 4), &refused(0, 3)).unwrap(), given_up);
        assert_eq!(warning(&refused(0, 3), &refused(0, 3)), None);
    }

    #[test]
    fn status_tells_of_all_mails_that_are_not_sent() {
        assert_eq!(summary(&Outstanding::default()), None);
        let told = summary(&Outstanding {
            untried: 1,
            ..refused(2, 3)
        })
        .unwrap();
        assert_eq!(
            told,
            "1 to be sent, 2 to be tried again, from 2026-11-22T10:00:00.000000Z on, 3 given up; \
             550 <address> No such user"
        );
    }
}

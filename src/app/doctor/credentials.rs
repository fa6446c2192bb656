//! Checks passwords, tokens and the caller's session: usable, closed to others, not about to
//! expire.

use std::io::ErrorKind;

use crate::app::App;
use crate::app::doctor::files::hint_of_denied;
use crate::app::doctor::{Check, counted};
use crate::app::error::in_full;
use crate::credentials::{AuthDir, CredentialError, Sessions, TokenKind, TokenRecord, TokenState};
use crate::domain::id::CompanyId;
use crate::domain::time::EventTime;
use crate::store::StoreDirectory;

/// If a program's token ends sooner than this, a new one should be issued.
const SOON_MICROS: i64 = 14 * 24 * 60 * 60 * 1_000_000;
const SESSION: &str = "`ls -ld` shows its owner and mode; remove it and log in again, or name a directory of your own in XDG_STATE_HOME";
const REMEDY: &str = "bring auth/ back from a backup made with --with-secrets";

pub(super) fn checks(
    app: &App<'_>,
    company: Option<CompanyId>,
    sessions: &dyn Fn(CompanyId) -> Sessions,
) -> Vec<Check> {
    // Only the hash of a token depends on the company, and no hash is checked here.
    let id = company.unwrap_or_else(|| CompanyId::from_uuid(uuid::Uuid::nil()));
    let auth =
        AuthDir::open(app.directory.place(), id).map(|auth| auth.with_lock_wait(app.lock_wait));
    let mut checks = match auth {
        Ok(auth) => [
            faults(&auth, &app.directory),
            vec![tokens(&auth, app.environment.system_now())],
        ]
        .concat(),
        Err(error) => vec![fault(&error, &app.directory)],
    };
    checks.extend(company.map(|company| session(&sessions(company))));
    checks
}

fn fault(error: &CredentialError, store: &StoreDirectory) -> Check {
    Check::problem("credentials", in_full(error), remedy(error, store))
}

fn remedy(error: &CredentialError, store: &StoreDirectory) -> String {
    match error {
        CredentialError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            hint_of_denied(store)
        }
        CredentialError::Io { source, .. } if source.kind() == ErrorKind::ReadOnlyFilesystem => {
            "mount its disk for writing; reports and lists still work".to_owned()
        }
        other => other.hint().unwrap_or_else(|| REMEDY.to_owned()),
    }
}

fn faults(auth: &AuthDir, store: &StoreDirectory) -> Vec<Check> {
    let faults = auth.faults();
    if faults.is_empty() {
        return vec![Check::ok(
            "credentials",
            "passwords and tokens can be read, by their owner alone",
        )];
    }
    faults.iter().map(|error| fault(error, store)).collect()
}

/// Checks tokens for programs; sessions end every day.
fn tokens(auth: &AuthDir, now: EventTime) -> Check {
    const NAME: &str = "tokens";
    let Ok(records) = auth.tokens().list() else {
        return Check::warning(
            NAME,
            "the list of tokens cannot be read",
            "mend auth/ first",
        );
    };
    let is_valid = |record: &&TokenRecord| {
        record.kind == TokenKind::Token && record.state(now) == TokenState::Valid
    };
    let valid: Vec<_> = records.iter().filter(is_valid).collect();
    let ending = valid
        .iter()
        .filter(|record| now.micros_until(record.expires_at) < SOON_MICROS);
    let ending: Vec<String> = ending
        .map(|record| format!("{} at {}", record.token_id, record.expires_at))
        .collect();
    let count = counted(
        valid.len() as u64,
        "token for programs is valid",
        "tokens for programs are valid",
    );
    if ending.is_empty() {
        return Check::ok(NAME, count);
    }
    let detail = format!(
        "{count}; {} soon: {}",
        counted(ending.len() as u64, "ends", "end"),
        ending.join(", ")
    );
    Check::warning(
        NAME,
        detail,
        "`popug-cli token list` shows whose; `popug-cli token issue LOGIN` issues the next",
    )
}

fn session(sessions: &Sessions) -> Check {
    match sessions.load() {
        Ok(Some(_)) => Check::ok("session", "there is one, for its owner alone"),
        Ok(None) => Check::ok("session", "there is none for this account"),
        Err(error) => {
            let hint = error.hint().unwrap_or_else(|| SESSION.to_owned());
            Check::problem("session", in_full(&error), hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_may_not_be_read_need_no_backup() {
        let fault = |kind: ErrorKind| {
            let error = CredentialError::Io {
                action: "read",
                path: "auth/passwords.json".into(),
                source: kind.into(),
            };
            remedy(&error, &StoreDirectory::new("/nowhere"))
        };
        assert!(fault(ErrorKind::PermissionDenied).contains("chmod"));
        assert!(fault(ErrorKind::Other).contains("backup"));
    }
}

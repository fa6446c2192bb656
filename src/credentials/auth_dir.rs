//! The `auth/` directory of a store: its lock and the paths of its files.
//!
//! ```text
//! auth/lock                            held while a file here is changed
//! auth/passwords.json                  one Argon2id hash per user
//! auth/attempts.json                   recent wrong passwords
//! auth/mail.json                       the settings of mails, with the mail server's password
//! auth/invites.json                    the hashes of one-time codes
//! auth/tokens/<expiry date>/<id>.json  the record of an issued token, with its revocation
//! auth/access/<id>.json                the record of an access by ssh
//! auth/access/<id>                     its token
//! ```

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::credentials::error::CredentialError;
use crate::credentials::private_file::{self, io_error};
use crate::domain::id::CompanyId;
use crate::files::held::{self, Held};
use crate::files::lock::lock;
use crate::files::regular_file;

pub const DIRECTORY: &str = "auth";
const LOCK_FILE: &str = "lock";
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The directory of the credentials of one store.
#[derive(Clone, Debug)]
pub struct AuthDir {
    path: PathBuf,
    company: CompanyId,
    lock_wait: Duration,
    _held: Option<Arc<Held>>,
}

/// The lock of `auth/`; dropping it releases the lock.
pub(super) struct Locked {
    _file: File,
}

impl AuthDir {
    /// Makes the missing directories of `<store>/auth/`.
    ///
    /// # Errors
    /// [`CredentialError::OpenToOthers`]
    pub(super) fn make(store: &Path, company: CompanyId) -> Result<AuthDir, CredentialError> {
        let auth = AuthDir::at(store, company);
        private_file::create_directory(&auth.path)?;
        private_file::check_directory(&auth.path)?;
        private_file::create_directory(&auth.tokens_directory())?;
        Ok(auth)
    }

    /// # Errors
    /// [`CredentialError::Missing`] or [`CredentialError::OpenToOthers`]
    pub fn open(store: &Path, company: CompanyId) -> Result<AuthDir, CredentialError> {
        let auth = AuthDir::at(store, company);
        private_file::check_directory(&auth.path)?;
        Ok(auth)
    }

    fn at(store: &Path, company: CompanyId) -> AuthDir {
        AuthDir {
            path: store.join(DIRECTORY),
            company,
            lock_wait: LOCK_WAIT,
            _held: held::keeper(store),
        }
    }

    /// The time to wait for another process before a change; ten seconds by default.
    #[must_use]
    pub fn with_lock_wait(self, lock_wait: Duration) -> AuthDir {
        AuthDir { lock_wait, ..self }
    }

    pub fn company(&self) -> CompanyId {
        self.company
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn tokens_directory(&self) -> PathBuf {
        self.file("tokens")
    }

    /// Waits until no other process changes files here, and takes the lock.
    ///
    /// # Errors
    /// [`CredentialError::Locked`]
    pub(super) fn lock(&self) -> Result<Locked, CredentialError> {
        let path = self.file(LOCK_FILE);
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(private_file::FILE_MODE);
        let file = regular_file::open(&path, &options)
            .map_err(|source| io_error("open", &path, source))?;
        if lock(&file, self.lock_wait).map_err(|source| io_error("lock", &path, source))? {
            return Ok(Locked { _file: file });
        }
        Err(CredentialError::Locked {
            path,
            waited_millis: self.lock_wait.as_millis(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::credentials::Password;
    use crate::credentials::fixture::{at, company, store, user};
    use crate::credentials::passwords::PASSWORDS_FILE;
    use crate::credentials::{TokenKind, Ttl};

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        found.push(path.to_owned());
        if path.is_dir() {
            std::fs::read_dir(path)
                .unwrap()
                .for_each(|entry| walk(&entry.unwrap().path(), found));
        }
    }

    #[test]
    fn everything_belongs_to_the_owner_alone_and_nothing_unfinished_stays() {
        let (directory, auth) = store();
        auth.passwords()
            .set_password(user(1), &Password::new("long enough"))
            .unwrap();
        auth.passwords()
            .verify(user(1), &Password::new("wrong password"), at(0))
            .unwrap();
        auth.tokens()
            .issue(user(1), TokenKind::Session, Ttl::SESSION, at(0))
            .unwrap();
        let mut found = Vec::new();
        walk(&directory.path().join(DIRECTORY), &mut found);
        assert_eq!(found.len(), 7, "{found:?}");
        for path in found {
            assert_eq!(
                mode(&path),
                if path.is_dir() { 0o700 } else { 0o600 },
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn a_store_gets_its_credentials_once() {
        let (directory, _auth) = store();
        assert!(matches!(
            AuthDir::create(directory.path(), company()),
            Err(CredentialError::Exists { .. })
        ));
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(
            AuthDir::open(empty.path(), company()),
            Err(CredentialError::Missing { .. })
        ));
    }

    #[test]
    fn a_creation_that_was_killed_is_finished_by_the_next_one() {
        let (directory, auth) = store();
        std::fs::remove_file(auth.file(PASSWORDS_FILE)).unwrap();
        let refused = auth.passwords().check();
        assert!(matches!(refused, Err(CredentialError::Missing { .. })));
        let auth = AuthDir::create(directory.path(), company()).unwrap();
        auth.passwords().check().unwrap();
    }

    #[test]
    fn secrets_that_others_can_read_are_refused_with_the_command_that_helps() {
        let (directory, auth) = store();
        let issued = auth
            .tokens()
            .issue(user(1), TokenKind::Session, Ttl::SESSION, at(0))
            .unwrap();
        let record = format!("tokens/2026-11-22/{}.json", issued.record.token_id);
        for (name, open, closed) in [
            (record.as_str(), 0o640, 0o600),
            (".", 0o750, 0o700),
            (record.as_str(), 0o604, 0o600),
        ] {
            let path = auth.file(name);
            set_mode(&path, open);
            let refused = AuthDir::open(directory.path(), company())
                .and_then(|a| a.tokens().verify(&issued.token, at(1)));
            let refused = refused.unwrap_err();
            assert!(
                matches!(refused, CredentialError::OpenToOthers { mode, .. } if mode == open),
                "{refused}"
            );
            assert!(
                refused
                    .hint()
                    .unwrap()
                    .starts_with(&format!("chmod {closed:o} /")),
                "{:?}",
                refused.hint()
            );
            set_mode(&path, closed);
        }
        set_mode(&auth.file("passwords.json"), 0o644);
        let refused = auth
            .passwords()
            .verify(user(1), &Password::new("long enough"), at(1))
            .unwrap_err();
        assert!(
            refused
                .to_string()
                .ends_with("passwords.json is open to other users (mode 644)"),
            "{refused}"
        );
    }

    #[test]
    fn a_lock_that_another_holds_is_waited_for_and_then_named() {
        let (_directory, auth) = store();
        let held = auth.lock().unwrap();
        let impatient = auth.clone().with_lock_wait(Duration::from_millis(30));
        let Err(CredentialError::Locked {
            path,
            waited_millis,
        }) = impatient.lock().map(drop)
        else {
            panic!("the lock is held");
        };
        assert!(waited_millis >= 30 && path.ends_with("auth/lock"));
        let waiting = std::thread::spawn(move || auth.lock().map(drop));
        std::thread::sleep(Duration::from_millis(30));
        drop(held);
        waiting.join().unwrap().unwrap();
    }
}

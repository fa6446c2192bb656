//! The contents of `auth/` as files, for backups with secrets.
//!
//! Invariant: the files are read together, under the lock; wherever they are written, only
//! their owner can read them.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::credentials::auth_dir::{AuthDir, DIRECTORY};
use crate::credentials::error::CredentialError;
use crate::credentials::passwords::PASSWORDS_FILE;
use crate::credentials::private_file::{self, io_error};

/// A file of `auth/`. Its contents are never printed.
pub struct SecretFile {
    /// The path below `auth/`, such as `passwords.json` or `tokens/2026-12-01/ID.json`.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl AuthDir {
    /// Every file but the lock, in the order of paths.
    ///
    /// # Errors
    /// If the lock cannot be taken, or a file cannot be read or is open to others.
    pub fn files(&self) -> Result<Vec<SecretFile>, CredentialError> {
        let _lock = self.lock()?;
        let mut files = Vec::new();
        collect(&self.file(""), "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Makes `<store>/auth/` from files that [`AuthDir::files`] returned.
    ///
    /// # Errors
    /// If one cannot be written, or its path leads elsewhere.
    pub fn put_files(store: &Path, files: &[SecretFile]) -> Result<(), CredentialError> {
        put_secret_files(&store.join(DIRECTORY), files)
    }
}

/// The file that `files` lacks and without which nobody can log in.
pub fn lacking(files: &[SecretFile]) -> Option<&'static str> {
    let is_there = files.iter().any(|file| file.path == PASSWORDS_FILE);
    (!is_there).then_some(PASSWORDS_FILE)
}

/// Writes the files below `directory`, which is created with mode 0700.
///
/// # Errors
/// If one cannot be written, or its path leads elsewhere.
pub fn put_secret_files(directory: &Path, files: &[SecretFile]) -> Result<(), CredentialError> {
    private_file::create_directory(directory)?;
    for file in files {
        let path = below(directory, &file.path)?;
        create_directories(directory, &file.path)?;
        private_file::replace(&path, &file.bytes)?;
        failpoint!("secrets.between_files");
    }
    Ok(())
}

fn below(directory: &Path, path: &str) -> Result<PathBuf, CredentialError> {
    let is_plain = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || !is_plain {
        let source = io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path leads out of its directory",
        );
        return Err(io_error("write", Path::new(path), source));
    }
    Ok(directory.join(path))
}

fn create_directories(directory: &Path, path: &str) -> Result<(), CredentialError> {
    let mut at = directory.to_owned();
    for part in Path::new(path)
        .parent()
        .into_iter()
        .flat_map(Path::components)
    {
        at.push(part);
        private_file::create_directory(&at)?;
    }
    Ok(())
}

fn collect(
    directory: &Path,
    prefix: &str,
    files: &mut Vec<SecretFile>,
) -> Result<(), CredentialError> {
    let failed = |source| io_error("list", directory, source);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // The names of unfinished files begin with a dot, and all our names are UTF-8.
        let Some(name) = entry
            .file_name()
            .to_str()
            .filter(|name| !name.starts_with('.'))
            .map(str::to_owned)
        else {
            continue;
        };
        let path = format!("{prefix}{name}");
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if path != "lock"
            && let Some(bytes) = private_file::read(&entry.path())?
        {
            files.push(SecretFile { path, bytes });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::fixture::{at, company, store, user};
    use crate::credentials::{Password, TokenKind, Ttl};

    #[test]
    fn credentials_that_are_put_elsewhere_prove_the_same() {
        let (_directory, auth) = store();
        auth.passwords()
            .set_password(user(1), &Password::new("long enough"))
            .unwrap();
        let issued = auth
            .tokens()
            .issue(user(1), TokenKind::Token, Ttl::TOKEN, at(0))
            .unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let files = auth.files().unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert!(
            paths[0] == "passwords.json" && paths[1].starts_with("tokens/") && paths.len() == 2,
            "{paths:?}"
        );
        AuthDir::put_files(elsewhere.path(), &files).unwrap();
        let other = AuthDir::open(elsewhere.path(), company()).unwrap();
        assert_eq!(
            other.tokens().verify(&issued.token, at(1)).unwrap().user_id,
            user(1)
        );
        assert!(
            other
                .passwords()
                .verify(user(1), &Password::new("long enough"), at(1))
                .unwrap()
        );
    }

    #[test]
    fn no_file_is_put_outside_its_directory() {
        for path in ["../key", "/tmp/key", "tokens/../../key", ""] {
            let elsewhere = tempfile::tempdir().unwrap();
            let file = SecretFile {
                path: path.to_owned(),
                bytes: b"x".to_vec(),
            };
            assert!(
                put_secret_files(&elsewhere.path().join("auth"), &[file]).is_err(),
                "{path}"
            );
            assert!(!elsewhere.path().join("key").exists());
        }
    }
}

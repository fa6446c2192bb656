//! The place of a session: `$XDG_STATE_HOME/popug-cli/<company_id>`, mode 0600, which holds a token
//! of kind session and nothing else.
//!
//! It lies outside the store, so that each person on a machine has a separate session. People who
//! use one account through `sudo` have separate sessions too, in `popug-cli/caller-<uid>/`. What
//! must hold: a person without a place for a session has no session, and gets an error only when
//! one is to be stored.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::credentials::callers::Callers;
use crate::credentials::error::CredentialError;
use crate::credentials::private_file::{self, io_error};
use crate::credentials::secret::{SIGNED_HEADER, TOKEN_HEADER, TokenText};
use crate::domain::id::CompanyId;

const DIRECTORY: &str = "popug-cli";
const REMEDY: &str = "remove it and run `login`";

/// The program's directory below the value of `XDG_STATE_HOME` or `HOME`, or the callers' directory
/// in it. Empty and relative values count as unset, as the XDG specification demands.
pub fn state_directory(
    xdg_state_home: Option<OsString>,
    home: Option<OsString>,
    callers: &Callers,
) -> Option<PathBuf> {
    let absolute =
        |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    let state_home =
        absolute(xdg_state_home).or_else(|| absolute(home).map(|home| home.join(".local/state")));
    let own = state_home?.join(DIRECTORY);
    Some(
        callers
            .directory_name()
            .map_or_else(|| own.clone(), |name| own.join(name)),
    )
}

/// The session of one person with one company.
#[derive(Clone, Debug)]
pub struct Sessions {
    path: Option<PathBuf>,
}

impl Sessions {
    /// The session in the directory that [`state_directory`] gives, if any.
    pub fn in_directory(directory: Option<PathBuf>, company: CompanyId) -> Sessions {
        Sessions {
            path: directory.map(|directory| directory.join(company.to_string())),
        }
    }

    /// # Errors
    /// [`CredentialError::NoStateHome`]
    pub fn save(&self, token: &TokenText) -> Result<(), CredentialError> {
        let path = self.path.as_deref().ok_or(CredentialError::NoStateHome)?;
        let directory = path.parent().expect("located in a directory");
        create_with_parents(directory)?;
        private_file::replace(path, format!("{}\n", token.reveal()).as_bytes())
    }

    /// The token of the session; `None` if nobody is logged in. It may have expired.
    pub fn load(&self) -> Result<Option<TokenText>, CredentialError> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        let Some(bytes) = private_file::read(path)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes).ok().map(TokenText::new);
        let begins = |token: &TokenText, header| token.reveal().starts_with(header);
        let token =
            text.filter(|token| begins(token, TOKEN_HEADER) || begins(token, SIGNED_HEADER));
        token.map(Some).ok_or_else(|| CredentialError::Damaged {
            path: path.clone(),
            what: "it does not hold a token".to_owned(),
            remedy: REMEDY,
        })
    }

    /// Removes the session. Returns whether there was one.
    pub fn remove(&self) -> Result<bool, CredentialError> {
        self.path.as_deref().map_or(Ok(false), private_file::remove)
    }
}

/// Makes a directory and its missing parents.
///
/// An existing state directory is left as it is; new directories are open to their owner alone.
pub fn create_with_parents(directory: &Path) -> Result<(), CredentialError> {
    let missing: Vec<_> = directory
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    missing
        .into_iter()
        .rev()
        .try_for_each(private_file::create_directory)?;
    if directory.is_dir() {
        return Ok(());
    }
    Err(io_error(
        "use",
        directory,
        std::io::ErrorKind::NotADirectory.into(),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::credentials::fixture::company;

    fn located_by(xdg_state_home: Option<OsString>, home: Option<OsString>) -> Sessions {
        Sessions::in_directory(
            state_directory(xdg_state_home, home, &Callers::default()),
            company(),
        )
    }

    fn located() -> (tempfile::TempDir, Sessions) {
        let home = tempfile::tempdir().unwrap();
        let sessions = located_by(None, Some(home.path().into()));
        (home, sessions)
    }

    #[test]
    fn a_session_is_kept_until_it_is_removed() {
        let (home, sessions) = located();
        assert_eq!(sessions.load().unwrap(), None);
        assert!(!sessions.remove().unwrap());
        for text in ["popug_token_first", "popug_token_second"] {
            sessions.save(&TokenText::new(text)).unwrap();
            assert_eq!(sessions.load().unwrap().unwrap().reveal(), text);
        }
        let path = home
            .path()
            .join(".local/state/popug-cli")
            .join(company().to_string());
        for (path, mode) in [(path.as_path(), 0o600), (path.parent().unwrap(), 0o700)] {
            assert_eq!(
                std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
                mode
            );
        }
        assert!(sessions.remove().unwrap());
        assert_eq!(sessions.load().unwrap(), None);
    }

    #[test]
    fn the_state_home_of_the_environment_comes_first_if_it_is_absolute() {
        let path = |xdg: &str, home: &str| located_by(Some(xdg.into()), Some(home.into())).path;
        let expected =
            |state: &str| Some(PathBuf::from(format!("{state}/popug-cli/{}", company())));
        assert_eq!(path("/state", "/home/anna"), expected("/state"));
        assert_eq!(path("", "/home/anna"), expected("/home/anna/.local/state"));
        assert_eq!(
            path("state", "/home/anna"),
            expected("/home/anna/.local/state")
        );
    }

    #[test]
    fn callers_of_one_account_have_a_session_each() {
        let home = tempfile::tempdir().unwrap();
        let of = |caller: Option<u32>| {
            let callers = Callers::of(900, [caller], None);
            Sessions::in_directory(
                state_directory(None, Some(home.path().into()), &callers),
                company(),
            )
        };
        of(Some(1001))
            .save(&TokenText::new("popug_token_anna"))
            .unwrap();
        assert_eq!(
            (of(Some(1002)).load().unwrap(), of(None).load().unwrap()),
            (None, None)
        );
        of(None).save(&TokenText::new("popug_token_popug")).unwrap();
        assert!(!of(Some(1002)).remove().unwrap());
        assert_eq!(
            of(Some(1001)).load().unwrap().unwrap().reveal(),
            "popug_token_anna"
        );
        let directory = home.path().join(".local/state/popug-cli/caller-1001");
        assert_eq!(
            std::fs::metadata(directory).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn without_a_home_nobody_is_logged_in_and_only_a_login_fails() {
        let sessions = located_by(None, Some("".into()));
        assert_eq!(sessions.load().unwrap(), None);
        assert!(!sessions.remove().unwrap());
        let refused = sessions.save(&TokenText::new("popug_token_x")).unwrap_err();
        assert!(matches!(refused, CredentialError::NoStateHome));
        assert!(refused.hint().unwrap().contains("POPUG_TOKEN"));
    }

    #[test]
    fn a_session_that_others_can_read_or_that_is_damaged_is_refused() {
        let (_home, sessions) = located();
        sessions.save(&TokenText::new("popug_token_x")).unwrap();
        let path = sessions.path.clone().unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = sessions.load().unwrap_err();
        assert_eq!(
            refused.hint().unwrap(),
            format!("chmod 600 {}", path.display())
        );
        for bytes in [&b""[..], b"\xff\xfe", b"hello"] {
            private_file::replace(&path, bytes).unwrap();
            let refused = sessions.load().unwrap_err();
            assert!(
                matches!(refused, CredentialError::Damaged { .. }),
                "{refused}"
            );
            assert_eq!(refused.hint().unwrap(), REMEDY);
        }
    }

    #[test]
    fn a_state_home_that_is_a_file_is_an_error_that_names_it() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("popug-cli"), "").unwrap();
        let sessions = located_by(Some(home.path().into()), None);
        let refused = sessions.save(&TokenText::new("popug_token_x")).unwrap_err();
        assert!(refused.to_string().ends_with("popug-cli"), "{refused}");
    }
}

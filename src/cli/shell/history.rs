//! The typed lines, for the arrow keys of the next shell: `history` beside the sessions, mode 0600.
//!
//! Each line is appended before it is carried out, so that nothing is lost with the process and
//! several shells may write at once. Invariant: a line that begins with a blank or contains a
//! token or a control character is not kept, and the file does not grow without end.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::credentials::private_file::{self, FILE_MODE, io_error};
use crate::credentials::secret::without_tokens;
use crate::credentials::{CredentialError, sessions};

const FILE: &str = "history";

/// The number of different lines that are remembered.
pub(super) const LINES_MAX: usize = 1_000;

/// Longer lines are not kept.
const LINE_BYTES_MAX: usize = 4_096;

pub(super) struct History {
    path: PathBuf,
    last: Option<String>,
}

impl History {
    /// Opens the history in `directory` and returns its lines, the oldest first, each once.
    ///
    /// # Errors
    /// If there is no place for it, others could read it, or it cannot be written.
    pub(super) fn open(
        directory: Option<PathBuf>,
    ) -> Result<(History, Vec<String>), CredentialError> {
        let directory = directory.ok_or(CredentialError::NoStateHome)?;
        sessions::create_with_parents(&directory)?;
        let path = directory.join(FILE);
        let text = private_file::read(&path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines = newest(&text);
        if text.lines().count() > 2 * LINES_MAX {
            private_file::replace(&path, (lines.join("\n") + "\n").as_bytes())?;
        }
        append(&path, b"")?;
        let last = lines.last().cloned();
        Ok((History { path, last }, lines))
    }

    /// Keeps a line, unless it repeats the last one; false for a line that is not kept.
    pub(super) fn keep(&mut self, line: &str) -> Result<bool, CredentialError> {
        if !is_kept(line) {
            return Ok(false);
        }
        if self.last.as_deref() != Some(line) {
            append(&self.path, format!("{line}\n").as_bytes())?;
            self.last = Some(line.to_owned());
        }
        Ok(true)
    }
}

/// Whether a line is remembered at all.
pub(super) fn is_kept(line: &str) -> bool {
    !line.is_empty()
        && !line.starts_with([' ', '\t'])
        && line.len() <= LINE_BYTES_MAX
        && !line.contains(|c: char| c.is_control() && c != '\t')
        && without_tokens(line) == line
}

/// The last lines of the file; a repeated line counts at its last place.
fn newest(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let lines = text
        .lines()
        .rev()
        .filter(|line| is_kept(line) && seen.insert(*line))
        .take(LINES_MAX);
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.reverse();
    lines
}

/// In one write, so that lines of several shells do not mix.
fn append(path: &Path, bytes: &[u8]) -> Result<(), CredentialError> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .open(path);
    file.and_then(|mut file| file.write_all(bytes))
        .map_err(|source| io_error("write", path, source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn lines_are_there_again_each_once_and_for_their_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("state/popug-cli");
        let (mut history, lines) = History::open(Some(directory.clone())).unwrap();
        assert!(lines.is_empty());
        for line in [
            "task list",
            "task list",
            "status",
            "task list",
            " secret",
            "",
            "a\u{1b}[2J",
            "token revoke popug_token_abc",
        ] {
            let _ = history.keep(line).unwrap();
        }
        let text = std::fs::read_to_string(directory.join(FILE)).unwrap();
        assert_eq!(text, "task list\nstatus\ntask list\n");
        let mode = std::fs::metadata(directory.join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            History::open(Some(directory)).unwrap().1,
            ["status", "task list"]
        );
    }

    #[test]
    fn a_long_history_is_cut_when_it_is_opened() {
        let home = tempfile::tempdir().unwrap();
        let lines = (0..=2 * LINES_MAX)
            .map(|n| format!("task show {n}\n"))
            .collect::<String>();
        private_file::replace(&home.path().join(FILE), lines.as_bytes()).unwrap();
        let (_, lines) = History::open(Some(home.path().to_owned())).unwrap();
        assert_eq!(
            (lines.len(), lines.last().map(String::as_str)),
            (LINES_MAX, Some("task show 2000"))
        );
        let kept = std::fs::read_to_string(home.path().join(FILE)).unwrap();
        assert_eq!(kept.lines().count(), LINES_MAX);
    }

    #[test]
    fn a_history_that_others_can_read_or_that_has_no_place_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        std::fs::write(&path, "x\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = History::open(Some(home.path().to_owned()))
            .err()
            .expect("others can read it");
        assert_eq!(
            refused.hint().unwrap(),
            format!("chmod 600 {}", path.display())
        );
        assert!(matches!(
            History::open(None),
            Err(CredentialError::NoStateHome)
        ));
    }

    #[test]
    fn a_file_of_any_bytes_is_no_failure() {
        let home = tempfile::tempdir().unwrap();
        private_file::replace(&home.path().join(FILE), b"ok\n\xff\xfe\x00\n\x1b[2J\nfine").unwrap();
        assert_eq!(
            History::open(Some(home.path().to_owned())).unwrap().1,
            ["ok", "fine"]
        );
    }
}

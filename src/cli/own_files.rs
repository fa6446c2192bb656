//! Recognises files that this program wrote; others are not replaced unasked.
//!
//! A written file gets a mark, an extended attribute with its size and the time of its last change:
//! a file that another program has changed later is no longer ours. On a file system without
//! attributes, and for files of versions that set none, the first bytes decide: they must be the
//! columns of an output of this program.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::XattrFlags;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::cli::failure::Failure;
use crate::reports::render::parquet_columns;

const MARK: &str = "user.popug-cli";
const MARK_BYTES_MAX: usize = 64;

/// More than the longest header.
const BEGINNING_BYTES: u64 = 4096;

/// The first columns of reports, lists and answers, and the first members of single objects. Tokens
/// are missing, because a file with a token is never replaced unasked.
const BEGINNINGS: &[&str] = &[
    "account,type,debit,credit,balance",
    "business_date,closed_at,closed_by,sequence",
    "changed,sequence,replayed",
    "check,result,detail,hint",
    "checked_events,checked_bytes",
    "company_id,admin_id,store",
    "completed,sequence,replayed",
    "consumer,from,to,applied,appended",
    "cut,damage",
    "date,fees,rewards,corrections",
    "date,payout_id",
    "date,result,payouts_count,payouts_total",
    "date,user_id,login,name,role,active",
    "dir,sequence,hash",
    "entry_id,corrects,amount,balance",
    "event,decisions",
    "finding,place,what,remedy",
    "first_date,last_date,commands",
    "head,consumers",
    "name,sequence,lag_events",
    "open_tasks,eligible_users,moved",
    "period_start,period_end",
    "report,as_of_sequence,head_sequence",
    "rows,imported,replayed,skipped",
    "sequence,consumer,standing",
    "sequence,entry_id,time,posted_at",
    "sequence,time,type,source,subject",
    "sequence,type,subject,time,waiting",
    "specversion,id,source,type",
    "step,detail",
    "store,sequence,hash",
    "task_id,number",
    "token_id,login,kind",
    "type,events,bytes",
    "user_id,login",
];

/// The last columns of a file of rejected rows.
const REJECTED_END: &str = "line,column,reason";

/// Marks a file as written by this program, after all of it is written. Without extended attributes
/// its content has to decide.
pub(super) fn mark(file: &File) {
    let state = file.metadata().map(|found| state_of(&found));
    let _ =
        state.map(|state| rustix::fs::fsetxattr(file, MARK, state.as_bytes(), XattrFlags::empty()));
}

/// Size and time of the last change, which differ after a write to the file.
fn state_of(found: &Metadata) -> String {
    format!(
        "{} {}.{:09}",
        found.len(),
        found.mtime(),
        found.mtime_nsec()
    )
}

/// Refuses to replace a file that another program wrote. An empty file, a pipe and a device may be
/// written to.
///
/// # Errors
/// If `path` is a file that this program did not write, and `force` is not given.
pub(super) fn check_replaceable(path: &Path, force: bool) -> Result<(), Failure> {
    if force || is_free(path) || is_own(path) {
        return Ok(());
    }
    Err(not_own(path))
}

pub(super) fn not_own(path: &Path) -> Failure {
    let message = format!(
        "{} is there already and was not written by popug-cli",
        path.display()
    );
    Failure::usage(message).hint("use another name, or replace this file with --force")
}

fn is_free(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| !found.is_file() || found.len() == 0)
}

/// Whether the file has a mark and another program changed it later.
pub(super) fn is_changed(path: &Path) -> bool {
    fits_its_mark(path) == Some(false)
}

/// Whether the file is unchanged since it was marked; `None` without a mark.
fn fits_its_mark(path: &Path) -> Option<bool> {
    let mut marked = [0; MARK_BYTES_MAX];
    let length = rustix::fs::getxattr(path, MARK, &mut marked[..]).ok()?;
    let found = std::fs::metadata(path);
    Some(found.is_ok_and(|found| state_of(&found).as_bytes() == &marked[..length]))
}

/// Whether this program wrote the file.
pub(super) fn is_own(path: &Path) -> bool {
    if let Some(fits) = fits_its_mark(path) {
        return fits;
    }
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    let mut beginning = Vec::new();
    if file
        .by_ref()
        .take(BEGINNING_BYTES)
        .read_to_end(&mut beginning)
        .is_err()
    {
        return false;
    }
    if beginning.starts_with(b"PAR1") {
        return parquet_columns(file).is_some_and(|columns| is_known(&columns));
    }
    let line = beginning
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    match line.chars().next() {
        Some('{') => is_known(&members(&line)),
        Some('|') => is_known(
            &line
                .trim_matches(['|', ' '])
                .split(" | ")
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        ),
        _ => {
            line.ends_with(REJECTED_END)
                || is_known(&line.split(',').map(str::to_owned).collect::<Vec<_>>())
        }
    }
}

fn is_known(columns: &[String]) -> bool {
    BEGINNINGS.iter().any(|beginning| {
        let mut columns = columns.iter();
        beginning
            .split(',')
            .all(|wanted| columns.next().is_some_and(|column| column == wanted))
    })
}

/// The names of the first object's members in a line, which may be cut.
fn members(line: &str) -> Vec<String> {
    struct Names<'a>(&'a mut Vec<String>);

    impl<'de> Visitor<'de> for Names<'_> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(name) = map.next_key::<String>()? {
                self.0.push(name);
                let _ = map.next_value::<IgnoredAny>()?;
            }
            Err(A::Error::custom("all names are known"))
        }
    }

    let mut names = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(line);
    let _ = reader.deserialize_map(Names(&mut names));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own_content(content: &[u8]) -> bool {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, content).unwrap();
        is_own(&path)
    }

    #[test]
    fn a_file_is_known_by_its_beginning() {
        for own in [
            "business_date,closed_at,closed_by,sequence,entries\n2026-03-02,",
            "| task_id | number | title |\n| --- | ---: | --- |\n",
            "{\"report\":\"balances\",\"as_of_sequence\":1,\"head_sequence\":1,\"rows\":[{\"date\":null",
            "{\"user_id\":\"1\",\"login\":\"ada\"}\n{",
            "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/popug/auth\",\"type\":\"x\",\"data\":{\"a\":\"",
            "login,name,email,role,line,column,reason\n",
        ] {
            assert!(is_own_content(own.as_bytes()), "{own}");
        }
        for foreign in [
            "export PATH=/bin\n",
            "v4.public.eyJzdWIi",
            "token,token_id,login,expires_at\nv4.public.x",
            "login,name,email,role\n",
            "key,title,jira_id,description\n",
            "{\"name\":\"package\",\"version\":\"1.0\"}",
            "{\"number\":1,\"task_id\":2}",
            "| Feature | State |\n",
            "# Notes\n",
            "date\n",
            "PAR1 and nothing else",
            "\u{0}\u{1}\u{ff}",
        ] {
            assert!(!is_own_content(foreign.as_bytes()), "{foreign}");
        }
    }

    #[test]
    fn a_mark_tells_where_the_content_does_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, "T-7\tada\n").unwrap();
        assert!(check_replaceable(&path, false).is_err() && check_replaceable(&path, true).is_ok());
        mark(&File::open(&path).unwrap());
        // On a file system without extended attributes nothing changes.
        assert_eq!(
            is_own(&path),
            rustix::fs::getxattr(&path, MARK, &mut [0; MARK_BYTES_MAX][..]).is_ok()
        );
        // After another program has written to it, the file is not ours.
        std::fs::write(&path, "mine\n").unwrap();
        assert!(!is_own(&path));
    }

    #[test]
    fn nothing_and_an_empty_file_may_be_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        assert!(check_replaceable(&path, false).is_ok());
        std::fs::write(&path, "").unwrap();
        assert!(
            check_replaceable(&path, false).is_ok()
                && check_replaceable(Path::new("/dev/null"), false).is_ok()
        );
    }
}

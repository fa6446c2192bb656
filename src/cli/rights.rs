//! The owner of a store, and the hint if the system denies this account something. Root makes no
//! files in a store of another account.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::cli::environment::is_lent;
use crate::cli::failure::{Exit, Failure};
use crate::files::held::{named_path, shell_word};
use crate::store::StoreDirectory;

/// The list of the system's own accounts; an account that is not in it is shown by its number.
const ACCOUNTS: &str = "/etc/passwd";
const ROOT: u32 = 0;

impl Failure {
    /// Adds the hint why the system denied access, inside or outside the `store`.
    #[must_use]
    pub(super) fn explained(mut self, store: &Path) -> Failure {
        if let Some(path) = self.denied.take() {
            let path = named_path(&path);
            let is_inside = path.as_os_str().is_empty() || path.starts_with(store);
            self.hints.extend(if is_inside {
                why_in_store(&path, store)
            } else {
                why(&path)
            });
        }
        self
    }
}

/// Refuses root in a store of another account. Root could write everything there, but the owner
/// could not use the new files.
///
/// # Errors
/// If this is root and the store belongs to another account.
pub(super) fn refuse_root(store: &StoreDirectory) -> Result<(), Failure> {
    let Ok(owner) = std::fs::metadata(store.place()).map(|found| found.uid()) else {
        return Ok(());
    };
    if me() != ROOT || owner == ROOT {
        return Ok(());
    }
    let message = "root does not work in the store of another account, because that account could not write the files of root";
    Err(Failure::new(Exit::NotAllowed, "not_the_owner", message)
        .hint(of_another("this store", owner)))
}

/// The name of this account, which must own the store itself and not only borrow its owner.
///
/// # Errors
/// If the store belongs to another account, or another person uses this one through `sudo`.
pub(super) fn owner(store: &StoreDirectory) -> Result<String, Failure> {
    let owner = std::fs::metadata(store.place()).map(|found| found.uid())?;
    let name = account(owner).unwrap_or_else(|| owner.to_string());
    let refused = |message: &str| Failure::new(Exit::NotAllowed, "not_the_owner", message);
    if owner != me() {
        return Err(
            refused("only the account that owns the store's files may do this")
                .hint(of_another("this store", owner)),
        );
    }
    if is_lent() {
        return Err(refused("only the owner of the store's files may do this, not a person who borrows the account by `sudo`")
            .hint(format!("log in as `{name}`, or as root use `su - {name} -s /bin/sh`")));
    }
    Ok(name)
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn why_in_store(path: &Path, store: &Path) -> Option<String> {
    let owner = std::fs::metadata(store).ok()?.uid();
    if owner != me() {
        return Some(of_another("this store", owner));
    }
    // A SQLite file cannot be opened without its companions.
    let files = ["", "-wal", "-shm", ".lock"].map(|suffix| {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        PathBuf::from(file)
    });
    let found: Vec<_> = files.iter().filter_map(|file| nearest(file)).collect();
    let word = shell_word(store);
    if let Some((place, metadata)) = found.iter().find(|(_, metadata)| metadata.uid() != owner) {
        let (theirs, mine, place) = (named(metadata.uid()), named(owner), place.display());
        return Some(format!(
            "{place} belongs to {theirs}, this store to {mine}: `sudo chown -R -h {owner} {word}`"
        ));
    }
    let is_closed =
        |place: &Path| access(place, Access::READ_OK | Access::WRITE_OK) == Err(Errno::ACCESS);
    let hint =
        || format!("this store is yours, but its modes keep you out: `chmod -R u+rwX {word}`");
    found.iter().any(|(place, _)| is_closed(place)).then(hint)
}

fn why(path: &Path) -> Option<String> {
    let (place, found) = nearest(path)?;
    if found.uid() != me() {
        return Some(of_another(&place.display().to_string(), found.uid()));
    }
    Some(format!(
        "{} is yours, but its mode keeps you out: `ls -ld` shows it",
        place.display()
    ))
}

/// The path or the first directory above it whose metadata can be read.
fn nearest(path: &Path) -> Option<(&Path, Metadata)> {
    let above = path.ancestors().filter(|path| !path.as_os_str().is_empty());
    above
        .into_iter()
        .find_map(|path| Some((path, std::fs::metadata(path).ok()?)))
}

fn of_another(what: &str, owner: u32) -> String {
    let sudo = account(owner).unwrap_or_else(|| format!("'#{owner}'"));
    format!(
        "{what} belongs to {}; you are {}. Use `sudo -u {sudo} popug-cli ...`",
        named(owner),
        {
            let me = me();
            account(me).map_or_else(|| format!("uid {me}"), |name| format!("`{name}`"))
        }
    )
}

fn named(uid: u32) -> String {
    account(uid).map_or_else(
        || format!("the account with uid {uid}"),
        |name| format!("the account `{name}`"),
    )
}

fn account(uid: u32) -> Option<String> {
    account_in(&std::fs::read_to_string(ACCOUNTS).ok()?, uid)
}

/// A line is `name:password:uid:...`.
fn account_in(accounts: &str, uid: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_its_name_and_otherwise_by_its_number() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nbroken\npopug:x:1001:1001::/srv/popug:/bin/sh\n";
        assert_eq!(account_in(accounts, 1001).as_deref(), Some("popug"));
        assert_eq!(account_in(accounts, 1002), None);
        let unknown = of_another("this store", 4_000_000_001);
        assert!(
            unknown.starts_with("this store belongs to the account with uid 4000000001; you are "),
            "{unknown}"
        );
        assert!(
            unknown.ends_with(". Use `sudo -u '#4000000001' popug-cli ...`"),
            "{unknown}"
        );
    }
}

//! Mails as files: `<outbox>/<date>/<payout_id>.eml`.
//!
//! A file appears whole or not at all: it is written under another name in the same directory,
//! synced and renamed into place. A mail is reported as sent only when its name is durable.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::event::Transport;
use crate::domain::time::BusinessDate;
use crate::files::held::{self, Held, named_path};
use crate::files::replace::write_beside;
use crate::files::sync_directory;
use crate::mail::compose::ComposedMail;
use crate::mail::transport::{Delivery, MailTransport, SendError};

/// The umask is subtracted.
const MODE: u32 = 0o666;

/// Writes into one outbox directory and creates it with the first mail; its parent must exist. For
/// one process at a time.
pub struct FileTransport {
    outbox: PathBuf,
    _held: Option<Arc<Held>>,
}

impl FileTransport {
    pub fn new(outbox: &Path) -> FileTransport {
        FileTransport {
            outbox: outbox.to_owned(),
            _held: held::keeper(outbox),
        }
    }

    /// The file of a payout's mail.
    pub fn path(&self, mail: &ComposedMail) -> PathBuf {
        self.directory(mail.date)
            .join(format!("{}.eml", mail.payout_id))
    }

    fn directory(&self, date: BusinessDate) -> PathBuf {
        self.outbox.join(date.to_string())
    }

    /// Moves the file into its place. [`FileTransport::sync`] makes the names of many mails durable
    /// at once, so this function does not wait for each of them.
    fn place(&self, mail: &ComposedMail) -> Result<Delivery, SendError> {
        let path = self.path(mail);
        let delivery = match fs::read(&path) {
            Ok(bytes) if bytes == mail.bytes() => return Ok(Delivery::Unchanged),
            Ok(_) => Delivery::Replaced,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Delivery::Sent,
            Err(error) => return Err(failed("read", &path, &error)),
        };
        let directory = self.directory(mail.date);
        fs::create_dir_all(&directory).map_err(|error| failed("create", &directory, &error))?;
        let unfinished = path.with_extension("eml.tmp");
        write_beside(&unfinished, MODE, |file| file.write_all(mail.bytes()))
            .map_err(|error| failed("write", &unfinished, &error))?;
        failpoint!("mail.before_rename");
        fs::rename(&unfinished, &path).map_err(|error| failed("write", &path, &error))?;
        Ok(delivery)
    }

    /// The directories may be as new as the files in them, or unsynced since a crash.
    fn sync(&self, date: BusinessDate) -> Result<(), SendError> {
        let directory = self.directory(date);
        for directory in directory
            .ancestors()
            .take(3)
            .filter(|path| !path.as_os_str().is_empty())
        {
            sync_directory(directory).map_err(|error| failed("sync", directory, &error))?;
        }
        Ok(())
    }
}

impl MailTransport for FileTransport {
    fn kind(&self) -> Transport {
        Transport::File
    }

    /// Syncs the directories once for each date, after its last mail.
    fn send_all(&self, mails: &[ComposedMail]) -> Vec<Result<Delivery, SendError>> {
        let placed: Vec<_> = mails.iter().map(|mail| self.place(mail)).collect();
        let mut unsynced = BTreeMap::new();
        for (mail, _) in mails
            .iter()
            .zip(&placed)
            .filter(|(_, result)| result.is_ok())
        {
            unsynced
                .entry(mail.date)
                .or_insert_with(|| self.sync(mail.date));
        }
        let checked = |(mail, result): (&ComposedMail, Result<Delivery, SendError>)| {
            let delivery = result?;
            unsynced[&mail.date].clone().map(|()| delivery)
        };
        mails.iter().zip(placed).map(checked).collect()
    }
}

/// Never permanent, because disk space and permissions can change.
fn failed(action: &str, path: &Path, error: &io::Error) -> SendError {
    SendError::Transient(format!(
        "cannot {action} {}: {error}",
        named_path(path).display()
    ))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::PayoutId;
    use crate::mail::compose::tests::{composed, pay_mail};
    use crate::mail::pay_mail::PayMail;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_mail_is_a_file_under_its_date_with_crlf_line_ends() {
        let home = tempfile::tempdir().unwrap();
        let transport = FileTransport::new(&home.path().join("outbox"));
        let mail = composed(&pay_mail());
        assert_eq!(
            transport.send_all(std::slice::from_ref(&mail)),
            [Ok(Delivery::Sent)]
        );
        let path = home
            .path()
            .join("outbox/2026-11-22/00000000-0000-0000-0000-000000001234.eml");
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes, mail.bytes());
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        assert_eq!(
            names(path.parent().unwrap()).len(),
            1,
            "nothing unfinished is left"
        );
    }

    #[test]
    fn writing_a_mail_again_leaves_the_file_alone() {
        let home = tempfile::tempdir().unwrap();
        let transport = FileTransport::new(home.path());
        let mail = composed(&pay_mail());
        transport.send_all(std::slice::from_ref(&mail));
        let written = fs::metadata(transport.path(&mail))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(
            transport.send_all(std::slice::from_ref(&mail)),
            [Ok(Delivery::Unchanged)]
        );
        assert_eq!(
            fs::metadata(transport.path(&mail))
                .unwrap()
                .modified()
                .unwrap(),
            written
        );
    }

    #[test]
    fn a_file_of_other_content_is_replaced_and_said_so() {
        let home = tempfile::tempdir().unwrap();
        let transport = FileTransport::new(home.path());
        let mail = composed(&pay_mail());
        fs::create_dir(home.path().join("2026-11-22")).unwrap();
        fs::write(transport.path(&mail), "half a mail").unwrap();
        fs::write(
            transport.path(&mail).with_extension("eml.tmp"),
            "left by a crash",
        )
        .unwrap();
        assert_eq!(
            transport.send_all(std::slice::from_ref(&mail)),
            [Ok(Delivery::Replaced)]
        );
        assert_eq!(fs::read(transport.path(&mail)).unwrap(), mail.bytes());
        assert_eq!(names(&home.path().join("2026-11-22")).len(), 1);
    }

    #[test]
    fn a_mail_that_cannot_be_written_holds_no_other() {
        let home = tempfile::tempdir().unwrap();
        let transport = FileTransport::new(home.path());
        fs::write(home.path().join("2026-11-22"), "in the way").unwrap();
        let blocked = composed(&pay_mail());
        let other = PayMail {
            payout_id: PayoutId::from_uuid(Uuid::from_u128(7)),
            date: "2026-11-23".parse().unwrap(),
            ..pay_mail()
        };
        let results = transport.send_all(&[blocked, composed(&other)]);
        let error = results[0].clone().unwrap_err();
        assert!(
            !error.is_permanent() && error.to_string().contains("2026-11-22"),
            "{error}"
        );
        assert_eq!(results[1], Ok(Delivery::Sent));
    }
}

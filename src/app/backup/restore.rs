//! `restore`: a new store from a backup, at its end or at an earlier event or time.
//!
//! Invariant: everything that the backup states is checked before the store appears, including
//! the part that is not restored; the store appears whole or not at all.

use std::path::Path;

use crate::app::backup::{BackupDirectory, BackupError, Manifest};
use crate::app::{AppError, new_store};
use crate::credentials::{AuthDir, Password, SecretFile, archive};
use crate::domain::event::Event;
use crate::domain::id::{CompanyId, Sequence};
use crate::domain::role::Role;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::event_log::copy::{Extent, Progress, publish_first_head};
use crate::event_log::storage::Disk;
use crate::event_log::{FileLog, Head, Line, LogError, segment};
use crate::store::StoreDirectory;

/// The end of the restored log: the last whole batch at or before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    End,
    Sequence(Sequence),
    Time(EventTime),
}

/// A backup whose contents were checked.
pub struct Restorable {
    directory: BackupDirectory,
    pub manifest: Manifest,
    extent: Extent,
    /// The end of the restored log.
    pub end: Head,
    pub end_time: EventTime,
    /// The user who gets a new password: the first admin who is active at `end`.
    pub first_admin: User,
    secrets: Vec<SecretFile>,
}

impl Restorable {
    /// Checks every file against the manifest and every line against the chain.
    ///
    /// # Errors
    /// [`BackupError`]
    pub fn examine(
        backup: &Path,
        until: Until,
        progress: Progress<'_>,
    ) -> Result<Restorable, AppError> {
        let directory = BackupDirectory::at(backup);
        let manifest = directory.manifest()?;
        let extent = directory.extent(&manifest)?;
        check_files(&directory, &extent, progress)?;
        let secrets = directory.secrets(&manifest)?;
        if let Some(lacking) = archive::lacking(&secrets).filter(|_| manifest.with_secrets) {
            return Err(directory.damaged("auth", format!("`{lacking}` is not among its secrets")));
        }
        let history = History::read(&directory, &extent, until)?;
        let Some((end, end_time)) = history.end else {
            let (sequence, time) = history
                .founding
                .expect("a log that was read has a first batch");
            return Err(BackupError::BeforeFounding { sequence, time }.into());
        };
        if history.company != Some(manifest.company_id) {
            return Err(directory.damaged("manifest.json", "its log is that of another company"));
        }
        let first_admin = history
            .first_admin()
            .ok_or_else(|| directory.damaged("log", "no admin is active at that moment"))?;
        Ok(Restorable {
            directory,
            manifest,
            extent,
            end,
            end_time,
            first_admin,
            secrets,
        })
    }

    /// Whether the restored store needs a new password before anybody can log in.
    pub fn needs_password(&self) -> bool {
        !self.manifest.with_secrets
    }

    /// Makes the store. Without secrets in the backup it has no tokens, and `password` becomes that
    /// of the first admin.
    ///
    /// # Errors
    /// [`AppError::StoreExists`]; an error of writing. Then no file stays.
    ///
    /// # Panics
    /// Without a password that is needed.
    pub fn restore(
        &self,
        root: &Path,
        password: Option<&Password>,
        progress: Progress<'_>,
    ) -> Result<(), AppError> {
        new_store::build_and_move(root, "restoring", |beside| {
            self.put_log(beside, progress)?;
            failpoint!("restore.before_credentials");
            self.put_credentials(beside, password)?;
            failpoint!("restore.before_marker");
            self.mark(beside)
        })
        .map(drop)
    }

    fn put_log(&self, beside: &Path, progress: Progress<'_>) -> Result<(), AppError> {
        let path = beside.join("log");
        std::fs::create_dir(&path).map_err(|source| AppError::Io {
            action: "create",
            path: path.clone(),
            source,
        })?;
        let target = Disk::open(&path).map_err(|source| AppError::Io {
            action: "open",
            path: path.clone(),
            source,
        })?;
        let counted = Box::new(self.directory.counted(&self.extent)?);
        let copied = FileLog::as_of(counted, self.end).copy_to(&target, None, progress);
        copied.map_err(|error| in_backup(&self.directory, error))?;
        failpoint!("restore.before_head");
        Ok(publish_first_head(&target, self.end)?)
    }

    fn put_credentials(&self, beside: &Path, password: Option<&Password>) -> Result<(), AppError> {
        if !self.needs_password() {
            AuthDir::put_files(beside, &self.secrets)?;
            // Nobody could log in to a store whose passwords cannot be read.
            let auth = AuthDir::open(beside, self.manifest.company_id)?;
            let usable = auth.passwords().check();
            return usable.map_err(|_| {
                self.directory
                    .damaged("auth", "its passwords cannot be read")
            });
        }
        let password = password.expect("a password is given where it is needed");
        let auth = AuthDir::create(beside, self.manifest.company_id)?;
        Ok(auth
            .passwords()
            .set_password(self.first_admin.id, password)?)
    }

    /// Keeps the mails of this store in its outbox.
    fn mark(&self, beside: &Path) -> Result<(), AppError> {
        let path = StoreDirectory::new(beside).restored_marker();
        let text = format!(
            "from a backup of {}, up to event {}\n",
            self.manifest.made_at, self.end.sequence
        );
        let written =
            std::fs::write(&path, text).and_then(|()| std::fs::File::open(&path)?.sync_all());
        written.map_err(|source| AppError::Io {
            action: "write",
            path,
            source,
        })
    }
}

/// # Errors
/// [`BackupError::Damaged`] names the first segment that differs from the manifest.
pub fn check_files(
    directory: &BackupDirectory,
    extent: &Extent,
    progress: Progress<'_>,
) -> Result<(), AppError> {
    match extent.lacking(&directory.log()?, progress)?.first() {
        None => Ok(()),
        Some(prefix) => {
            let name = format!("log/{}", segment::file_name(prefix.segment));
            Err(directory.damaged(&name, "it differs from the manifest"))
        }
    }
}

/// Turns damage of the log into damage of the backup.
fn in_backup(directory: &BackupDirectory, error: LogError) -> AppError {
    match error {
        LogError::Damaged { place, what } => directory.damaged(
            &format!("log/{}", place.segment),
            format!("byte {}, event {}: {what}", place.byte, place.sequence),
        ),
        LogError::Undecodable {
            sequence, reason, ..
        } => directory.damaged("log", format!("event {sequence}: {reason}")),
        LogError::NotOnChain { sequence } => {
            directory.damaged("log", format!("it does not reach event {sequence}"))
        }
        other => other.into(),
    }
}

/// The first admin who is active at the end of a log.
///
/// # Errors
/// If the log cannot be read.
pub(in crate::app) fn first_admin(log: &FileLog) -> Result<Option<User>, LogError> {
    let mut history = History::until(Until::End);
    history.follow(log)?;
    Ok(history.first_admin())
}

/// The facts about the restored store in the log of a backup.
struct History {
    until: Until,
    company: Option<CompanyId>,
    /// The end of the first batch.
    founding: Option<(Sequence, EventTime)>,
    /// The end of the last batch to restore.
    end: Option<(Head, EventTime)>,
    /// As of `end`, in order of registration.
    users: Vec<User>,
}

impl History {
    fn until(until: Until) -> History {
        History {
            until,
            company: None,
            founding: None,
            end: None,
            users: Vec::new(),
        }
    }

    fn first_admin(self) -> Option<User> {
        self.users
            .into_iter()
            .find(|user| user.active && user.role == Role::Admin)
    }

    /// Reads the whole log, also after the end to restore.
    fn read(
        directory: &BackupDirectory,
        extent: &Extent,
        until: Until,
    ) -> Result<History, AppError> {
        let log = FileLog::as_of(Box::new(directory.counted(extent)?), extent.head);
        let mut history = History::until(until);
        history
            .follow(&log)
            .map_err(|error| in_backup(directory, error))?;
        Ok(history)
    }

    fn follow(&mut self, log: &FileLog) -> Result<(), LogError> {
        let mut reader = log.read(Sequence::FIRST)?;
        while let Some(line) = reader.next_line()? {
            let time = line.event_time()?;
            let is_wanted = self.is_wanted(&line, time);
            if is_wanted {
                self.take(&line)?;
            }
            let (sequence, hash, is_last) = (line.sequence, line.hash, line.more == 0);
            if is_last {
                self.founding.get_or_insert((sequence, time));
            }
            if is_last && is_wanted {
                let (segment, position) = reader.position().expect("a line was read");
                self.end = Some((
                    Head {
                        sequence,
                        hash,
                        segment,
                        position,
                    },
                    time,
                ));
            }
        }
        Ok(())
    }

    /// Whether the batch of the line is restored. All events of a batch have one time and state how
    /// many follow, so the answer is the same for the whole batch.
    fn is_wanted(&self, line: &Line<'_>, time: EventTime) -> bool {
        match self.until {
            Until::End => true,
            Until::Sequence(last) => line.sequence.0.saturating_add(line.more) <= last.0,
            Until::Time(last) => time <= last,
        }
    }

    fn take(&mut self, line: &Line<'_>) -> Result<(), LogError> {
        if !line.type_name.starts_with("user.") && !line.type_name.starts_with("company.") {
            return Ok(());
        }
        let event = line.event()?;
        match &event {
            Event::CompanyFounded(founded) => self.company = Some(founded.company_id),
            Event::UserRegistered(registered) => self.users.push(User::registered(registered)),
            _ => self.users.iter_mut().for_each(|user| user.evolve(&event)),
        }
        Ok(())
    }
}

//! Founding a company: a new store, whole or not at all.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::app::write::with_ids;
use crate::app::{AppError, Environment};
use crate::credentials::passwords::check_length;
use crate::credentials::{AuthDir, Password};
use crate::domain::company::{self, FoundCompany};
use crate::domain::event::{Actor, Event};
use crate::domain::id::{CompanyId, EventId, Sequence, UserId};
use crate::domain::time::EventTime;
use crate::event_log::{Batch, FileLog, Hash, Head, Patience, encode};
use crate::store::StoreDirectory;

/// What `init` is told.
pub struct Founding {
    pub company: FoundCompany,
    pub admin_password: Password,
    /// When the company was founded, if not now.
    pub founded_at: Option<EventTime>,
}

/// The new company and its first admin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Founded {
    pub company: CompanyId,
    pub admin: UserId,
}

impl Founding {
    /// Makes the store beside its place and moves it there when it is complete, so that a store
    /// is never half founded.
    ///
    /// # Errors
    /// [`AppError::StoreExists`]; a founding in the future; a text that is not well formed.
    pub fn carry_out(
        &self,
        directory: &StoreDirectory,
        environment: &dyn Environment,
        patience: &Patience,
    ) -> Result<Founded, AppError> {
        let root = directory.root();
        let (batch, founded) = self.decide(root, environment)?;
        let beside = beside(root)?;
        let moved = self.build(&beside, &batch, founded, patience).and_then(|()| move_into_place(&beside, root));
        if moved.is_err() {
            // What was begun is no store and of no use to anybody.
            let _ = std::fs::remove_dir_all(&beside);
        }
        moved.map(|()| founded)
    }

    /// The lines that the log would begin with. Nothing is made.
    ///
    /// # Errors
    /// As [`Founding::carry_out`].
    pub fn draft(&self, directory: &StoreDirectory, environment: &dyn Environment) -> Result<Vec<u8>, AppError> {
        let (batch, _) = self.decide(directory.root(), environment)?;
        let mut lines = Vec::new();
        encode::encode(&batch, Sequence::FIRST, Hash::ZERO, &mut lines);
        Ok(lines)
    }

    fn decide(&self, root: &Path, environment: &dyn Environment) -> Result<(Batch, Founded), AppError> {
        if !is_free(root) {
            return Err(AppError::StoreExists { path: root.to_owned() });
        }
        let now = environment.now();
        let at = self.founded_at.unwrap_or(now);
        company::check_founded(at, now)?;
        let mut dice = environment.dice("1");
        let events = self.company.decide(at, dice.as_mut())?;
        let founded = founded(&events);
        let facts = with_ids(events, || EventId::from_uuid(dice.uuid_v7(at)));
        let actor = Actor::User(founded.admin);
        let command_id = dice.uuid_v7(at).to_string();
        check_length(&self.admin_password)?;
        Ok((Batch { time: at, actor, command_id, command_hash: None, facts }, founded))
    }

    fn build(&self, root: &Path, batch: &Batch, founded: Founded, patience: &Patience) -> Result<(), AppError> {
        let log = FileLog::create(&root.join("log"))?;
        log.writer(patience)?.append(&Head::EMPTY, batch)?;
        let auth = AuthDir::create(root, founded.company)?;
        auth.passwords().set_password(founded.admin, &self.admin_password)?;
        Ok(())
    }
}

fn founded(events: &[Event]) -> Founded {
    let [Event::CompanyFounded(company), Event::UserRegistered(admin)] = events else {
        unreachable!("a founding is a company and its first admin")
    };
    Founded { company: company.company_id, admin: admin.user_id }
}

/// Nothing there, or an empty directory.
fn is_free(root: &Path) -> bool {
    match std::fs::read_dir(root) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn parent_of(root: &Path) -> &Path {
    root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(root: &Path) -> Result<PathBuf, AppError> {
    let name = root.file_name().map_or_else(|| "store".into(), |name| name.to_string_lossy().into_owned());
    let beside = parent_of(root).join(format!(".{name}.founding-{}", std::process::id()));
    // Nobody else looks into a store, however its files were made.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&beside);
    made.map_err(|source| AppError::Io { action: "create", path: beside.clone(), source })?;
    Ok(beside)
}

fn move_into_place(beside: &Path, root: &Path) -> Result<(), AppError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| AppError::Io { action, path, source }
    };
    std::fs::rename(beside, root).map_err(io("create", root))?;
    let parent = parent_of(root);
    std::fs::File::open(parent).and_then(|directory| directory.sync_all()).map_err(io("sync", parent))
}

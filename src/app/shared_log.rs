//! A log that several machines share: the store is a verified copy of it.
//!
//! `init --log` founds a company there, `join` makes another store of it, `remote push` and
//! `remote adopt` bring an existing store there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::app::backup::restore::first_admin;
use crate::app::identity::Caller;
use crate::app::{App, AppError, new_store};
use crate::credentials::passwords::check_length;
use crate::credentials::{AuthDir, Password};
use crate::domain::event::Event;
use crate::domain::id::{CompanyId, Sequence};
use crate::domain::role::Right;
use crate::domain::user::User;
use crate::event_log::remote::role::Role;
use crate::event_log::remote::{End, Standing, TurnOf};
use crate::event_log::{FileLog, LogError, OwnedLine, Remote};
use crate::postgres::{Address, Postgres};
use crate::store::StoreDirectory;

/// What the environment says about shared logs. It may hold passwords.
#[derive(Clone, Default)]
pub struct Access {
    /// POPUG_LOG_URL, which replaces the URL that a store keeps.
    pub url: Option<String>,
    /// The lines of `.pgpass`.
    pub pgpass: Option<String>,
}

impl Access {
    /// The address of the URL, or of the environment's, with its password.
    ///
    /// # Errors
    /// If the URL is none of a database.
    pub fn address(&self, url: &str) -> Result<Address, AppError> {
        let text = self.url.as_deref().unwrap_or(url);
        let address = Address::parse(text).map_err(|error| AppError::Usage {
            message: format!("the URL of the shared log cannot be used: {error}"),
            hint: Some("its form is postgres://USER@HOST/DATABASE".to_owned()),
        })?;
        Ok(address.with_password_of(self.pgpass.as_deref().unwrap_or_default()))
    }
}

/// A company that a new store joins.
pub struct Joining {
    remote: Arc<dyn Remote>,
    role: Role,
}

/// A store that joined.
pub struct Joined {
    pub company: CompanyId,
    pub end: End,
    /// The admin who has the new password.
    pub admin: User,
}

/// A copy and its remote.
pub struct RemoteStatus {
    pub role: Role,
    pub name: String,
    pub here: Sequence,
    /// The end of the remote, or why it could not be asked.
    pub there: Result<Standing, LogError>,
    /// Whether the remote has the last event of the copy; unknown if it could not be asked.
    pub has_ours: Option<bool>,
}

impl Joining {
    /// Finds the company in the database. `wanted` names it if there are several.
    ///
    /// # Errors
    /// If there is none, or several and none is named; if the database cannot be reached.
    pub fn find(
        address: Address,
        wanted: Option<CompanyId>,
        within: Duration,
        sends_mails: bool,
    ) -> Result<Joining, AppError> {
        let companies = Postgres::companies(&address, within)?;
        let found = match (wanted, &companies[..]) {
            (Some(wanted), all) => all.iter().find(|one| one.company == wanted),
            (None, [only]) => Some(only),
            (None, []) => None,
            (None, all) => {
                let named = |line: &str| founded_name(line).unwrap_or_default();
                let candidates = all
                    .iter()
                    .map(|one| format!("--company {} ({})", one.company, named(&one.first_line)));
                return Err(AppError::Ambiguous {
                    name: address.shown().to_owned(),
                    what: "companies",
                    candidates: candidates.collect(),
                });
            }
        };
        let Some(company) = found.map(|found| found.company) else {
            return Err(AppError::NoCompany {
                name: address.names(),
            });
        };
        let role = Role::new(company, address.shown().to_owned(), sends_mails);
        let remote = Arc::new(Postgres::new(address, company, within));
        Ok(Joining { remote, role })
    }

    /// Makes the store: fetches and checks every event. Nobody but the first active admin can log
    /// in to it.
    ///
    /// # Errors
    /// [`AppError::StoreExists`]; an error of the log. Then no file stays.
    pub fn carry_out(
        &self,
        root: &Path,
        password: &Password,
    ) -> Result<(Joined, StoreDirectory), AppError> {
        check_length(password)?;
        new_store::build_and_move(root, "joining", |beside| {
            let log = FileLog::create(&beside.join("log"))?
                .become_copy(&self.role, Arc::clone(&self.remote))?;
            log.follow()?;
            let head = log.head()?;
            let admin = first_admin(&log)?.ok_or_else(|| AppError::NoCompany {
                name: self.remote.name(),
            })?;
            let auth = AuthDir::create(beside, self.role.company)?;
            auth.passwords().set_password(admin.id, password)?;
            Ok(Joined {
                company: self.role.company,
                end: (head.sequence, head.hash),
                admin,
            })
        })
    }
}

/// The name in the founding event.
fn founded_name(line: &str) -> Option<String> {
    match OwnedLine::parse(line.as_bytes())
        .ok()?
        .line()
        .event()
        .ok()?
    {
        Event::CompanyFounded(founded) => Some(founded.name),
        _ => None,
    }
}

impl<'e> App<'e> {
    /// The store with the log of which it is a copy, if it is one. Nothing is asked yet.
    ///
    /// # Errors
    /// If the files or the environment do not name a database.
    pub fn with_remote(self, access: &Access) -> Result<App<'e>, AppError> {
        let Some(role) = self.log.role()? else {
            return Ok(self);
        };
        let address = access.address(&role.url)?;
        let remote = Postgres::new(address, role.company, self.lock_wait);
        Ok(App {
            log: self.log.copying(Arc::new(remote)),
            ..self
        })
    }

    /// Brings a copy to the end of its remote. If that fails, the command reads the copy as it is,
    /// with a warning.
    pub fn follow(&self) {
        let Err(error) = self.log.follow() else {
            return;
        };
        let as_of = match self.log.head() {
            Ok(head) => format!("; this is as of event {}", head.sequence),
            Err(_) => String::new(),
        };
        let what = match error {
            LogError::Unreachable { name, what } | LogError::Refused { name, what } => {
                format!("the log at {name} was not reached ({what})")
            }
            other => other.to_string(),
        };
        self.notices.warn(&format!("{what}{as_of}"));
    }

    /// Whether `consume` sends pay mails from this store if no consumer is named.
    ///
    /// # Errors
    /// If the role of the log cannot be read.
    pub fn sends_mails(&self) -> Result<bool, AppError> {
        Ok(self.log.role()?.is_none_or(|role| role.sends_mails))
    }

    /// Appends the events of this store that the database lacks. A copy gives back so what its remote
    /// has lost.
    ///
    /// # Errors
    /// [`LogError::Diverged`] if the database has other events of this company.
    pub fn push_to(
        &self,
        caller: &Caller,
        company: CompanyId,
        address: Address,
    ) -> Result<(u64, Sequence), AppError> {
        caller.require(Right::Administer)?;
        let remote = Postgres::new(address, company, self.lock_wait);
        let _turn = remote.turn(TurnOf::Writer, &self.holder, self.lock_wait)?;
        let pushed = self.log.push_to(&remote)?;
        Ok((pushed, self.log.head()?.sequence))
    }

    /// Appends the rest of this store to the database, and makes the store a copy of it.
    ///
    /// # Errors
    /// As [`App::push_to`].
    pub fn adopt(
        &self,
        caller: &Caller,
        company: CompanyId,
        address: Address,
    ) -> Result<Sequence, AppError> {
        caller.require(Right::Administer)?;
        self.check_is_no_copy()?;
        let role = Role::new(company, address.shown().to_owned(), true);
        let remote = Postgres::new(address, company, self.lock_wait);
        Ok(self
            .log
            .adopt(&role, &remote, &self.around().patience())?
            .sequence)
    }

    /// # Errors
    /// [`AppError::IsCopy`]
    pub(super) fn check_is_no_copy(&self) -> Result<(), AppError> {
        match self.log.role()? {
            None => Ok(()),
            Some(role) => Err(AppError::IsCopy { url: role.url }),
        }
    }

    /// The copy and its remote; `None` if the store is no copy.
    ///
    /// # Errors
    /// If the copy cannot be read.
    pub fn remote_status(&self) -> Result<Option<RemoteStatus>, AppError> {
        let (Some(role), Some(remote)) = (self.log.role()?, self.log.remote()) else {
            return Ok(None);
        };
        let head = self.log.head()?;
        let there = remote.standing();
        let has_ours = match &there {
            Ok(standing) if standing.end == (head.sequence, head.hash) => Some(true),
            Ok(standing) if standing.end.0 <= head.sequence => Some(false),
            Ok(_) => {
                let hash = crate::event_log::remote::hash_at(&**remote, head.sequence)?;
                Some(hash == Some(head.hash))
            }
            Err(_) => None,
        };
        Ok(Some(RemoteStatus {
            role,
            name: remote.name(),
            here: head.sequence,
            there,
            has_ours,
        }))
    }
}

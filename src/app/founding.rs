//! Founding a company: a new store, whole or not at all.

use std::path::Path;
use std::sync::Arc;

use crate::app::write::with_ids;
use crate::app::{AppError, Environment, new_store};
use crate::credentials::passwords::check_length;
use crate::credentials::{AuthDir, Password};
use crate::domain::company::{self, FoundCompany};
use crate::domain::event::{Actor, Event};
use crate::domain::id::{CompanyId, Sequence, UserId};
use crate::domain::time::EventTime;
use crate::event_log::remote::role::Role;
use crate::event_log::{Batch, Encoded, FileLog, Hash, Head, Patience};
use crate::postgres::{Address, Postgres};
use crate::store::StoreDirectory;

/// The arguments of `init`.
pub struct Founding {
    pub company: FoundCompany,
    pub admin_password: Password,
    /// The time of the founding, if not now.
    pub founded_at: Option<EventTime>,
    /// The database that is to hold the log; without one the store holds it.
    pub shared_log: Option<Address>,
}

/// The new company and its first admin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Founded {
    pub company: CompanyId,
    pub admin: UserId,
}

impl Founding {
    /// Makes the store whole or not at all, and holds it.
    ///
    /// # Errors
    /// [`AppError::StoreExists`]; a founding in the future; a text that is not well formed.
    pub fn carry_out(
        &self,
        directory: &StoreDirectory,
        environment: &dyn Environment,
        patience: &Patience,
    ) -> Result<(Founded, StoreDirectory), AppError> {
        let root = directory.root();
        let (batch, founded) = self.decide(root, environment)?;
        new_store::build_and_move(root, "founding", |beside| {
            self.build(beside, &batch, founded, patience)?;
            Ok(founded)
        })
    }

    /// The first lines of the log. Nothing is made.
    ///
    /// # Errors
    /// As [`Founding::carry_out`].
    pub fn draft(
        &self,
        directory: &StoreDirectory,
        environment: &dyn Environment,
    ) -> Result<Vec<u8>, AppError> {
        let (batch, _) = self.decide(directory.root(), environment)?;
        Ok(Encoded::behind(Sequence::ZERO, Hash::ZERO, std::slice::from_ref(&batch))?.into_lines())
    }

    fn decide(
        &self,
        root: &Path,
        environment: &dyn Environment,
    ) -> Result<(Batch, Founded), AppError> {
        new_store::check_free(root)?;
        let now = environment.now();
        let at = self.founded_at.unwrap_or(now);
        company::check_founded(at, now)?;
        let mut dice = environment.dice("1");
        let events = self.company.decide(at, dice.as_mut())?;
        let founded = founded(&events);
        let facts = with_ids(events, at, dice.as_mut());
        let actor = Actor::User(founded.admin);
        let command_id = dice.uuid_v7(at).to_string();
        check_length(&self.admin_password)?;
        Ok((
            Batch {
                time: at,
                actor,
                command_id,
                command_hash: None,
                facts,
            },
            founded,
        ))
    }

    fn build(
        &self,
        root: &Path,
        batch: &Batch,
        founded: Founded,
        patience: &Patience,
    ) -> Result<(), AppError> {
        let mut log = FileLog::create(&root.join("log"))?;
        if let Some(address) = &self.shared_log {
            let role = Role::new(founded.company, address.shown().to_owned(), true);
            let remote = Postgres::new(address.clone(), founded.company, patience.wait);
            log = log.become_copy(&role, Arc::new(remote))?;
        }
        log.writer(patience)?.append(&Head::EMPTY, batch)?;
        let auth = AuthDir::create(root, founded.company)?;
        auth.passwords()
            .set_password(founded.admin, &self.admin_password)?;
        Ok(())
    }
}

fn founded(events: &[Event]) -> Founded {
    let [Event::CompanyFounded(company), Event::UserRegistered(admin)] = events else {
        unreachable!("a founding is a company and its first admin")
    };
    Founded {
        company: company.company_id,
        admin: admin.user_id,
    }
}

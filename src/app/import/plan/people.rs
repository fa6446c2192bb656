//! The actors of rows.

use std::collections::HashMap;
use std::rc::Rc;

use crate::app::import::columns::Column;
use crate::app::import::fault::Fault;
use crate::app::import::plan::Trouble;
use crate::domain::id::UserId;
use crate::domain::rejection::Rejection;
use crate::domain::user::User;
use crate::state::StateIndex;

/// The actors of rows, in their state at that moment.
pub(super) struct People<'a> {
    index: &'a StateIndex,
    by_name: HashMap<String, Rc<User>>,
    by_id: HashMap<UserId, Rc<User>>,
}

impl<'a> People<'a> {
    pub(super) fn new(index: &'a StateIndex) -> People<'a> {
        People {
            index,
            by_name: HashMap::new(),
            by_id: HashMap::new(),
        }
    }

    /// Reads users again: one has changed.
    pub(super) fn forget(&mut self) {
        self.by_name.clear();
        self.by_id.clear();
    }

    pub(super) fn named(&mut self, name: &str) -> Result<Rc<User>, Trouble> {
        if let Some(user) = self.by_name.get(name) {
            return Ok(Rc::clone(user));
        }
        let Some(user) = self.index.user_named(name)? else {
            let rejection = Rejection::UnknownUser {
                name: name.to_owned(),
            };
            return Err(Fault::of(Column::Actor, rejection.to_string()).into());
        };
        let user = Rc::new(user);
        self.by_name.insert(name.to_owned(), Rc::clone(&user));
        Ok(user)
    }

    pub(super) fn by_id(&mut self, id: UserId) -> Result<Rc<User>, Trouble> {
        if let Some(user) = self.by_id.get(&id) {
            return Ok(Rc::clone(user));
        }
        let user = self.index.user(id)?;
        let user = Rc::new(user.ok_or_else(|| Rejection::UnknownUser {
            name: id.to_string(),
        })?);
        self.by_id.insert(id, Rc::clone(&user));
        Ok(user)
    }
}

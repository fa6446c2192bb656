//! The notifier on real stores: a log, accounting's tables, files and a mail server.

mod failing;
mod rebuilding;
mod routing;
mod sending;
mod unreadable;

use crate::consumers::fixture::Store;
use crate::consumers::notifier;
use crate::consumers::standing::{Obstacle, Standing};
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::state::Checkpoint;

fn standing(store: &Store) -> Standing {
    let around = store.around();
    let withheld = Withheld::load(&around, Consumer::Notifier).unwrap();
    notifier::standing(&around, &withheld).unwrap()
}

fn checkpoint(store: &Store) -> Checkpoint {
    standing(store).checkpoint
}

fn stops_at(store: &Store) -> Option<Stop> {
    match standing(store).obstacle {
        Some(Obstacle::Contradiction(stop)) => Some(stop),
        _ => None,
    }
}

//! I3: exactly one price per task, equal to the price function, in range, in whole units.

use sha2::{Digest, Sha256};

use crate::app::verify::history::History;
use crate::domain::company::Company;
use crate::domain::event::TaskPriced;
use crate::domain::id::TaskId;
use crate::domain::pricing::Price;
use crate::state::Recorded;

impl History {
    pub(super) fn task_priced(&mut self, recorded: &Recorded<'_>, e: &TaskPriced) {
        let at = recorded.sequence;
        let Some(task) = self.tasks.known.get_mut(&e.task_id) else {
            return self.violates("I3", at, "the priced task does not exist");
        };
        if task.price.is_some() {
            return self.violates("I3", at, "the task has a price already");
        }
        task.price = Some(Price {
            fee: e.fee,
            reward: e.reward,
        });
        let cause = task.id;
        self.check_derived(recorded, "task.priced", cause);
        let Some(company) = &self.company else { return };
        let (fee, reward) = drawn(company, e.task_id);
        let range = company.pricing;
        let in_range = (range.fee_min..=range.fee_max).contains(&e.fee)
            && (range.reward_min..=range.reward_max).contains(&e.reward);
        let is_whole = e.fee.minor() % 100 == 0 && e.reward.minor() % 100 == 0;
        if (e.fee.minor(), e.reward.minor()) != (fee, reward) || !in_range || !is_whole {
            let what = format!(
                "the price is {} and {}, the price function gives {}.00 and {}.00",
                e.fee,
                e.reward,
                fee / 100,
                reward / 100
            );
            self.violates("I3", at, what);
        }
    }

    /// Whatever was created before accounting's last cause has its price.
    pub(super) fn check_prices_there(&mut self) {
        let is_missing =
            |at| at < self.reacted_through && self.withheld.last_decision(at, "").is_none();
        let tasks = self
            .tasks
            .known
            .values()
            .filter(|task| task.price.is_none() && is_missing(task.created_at));
        let mut places: Vec<_> = tasks
            .filter(|task| task.fees_charged != 0)
            .map(|task| task.created_at)
            .collect();
        places.sort_unstable();
        for at in places {
            self.violates("I3", at, "the task never got a price");
        }
    }
}

/// Rule A1, as it is documented: fee and reward in minor units.
fn drawn(company: &Company, task: TaskId) -> (i64, i64) {
    let digest = Sha256::new()
        .chain_update(company.id.bytes())
        .chain_update(task.bytes())
        .finalize();
    let word = |at: usize| {
        digest[at..at + 8]
            .iter()
            .fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
    };
    let choose = |word: u64, min: i64, max: i64| {
        let choices = u64::try_from((max - min) / 100 + 1).unwrap_or(1).max(1);
        min + 100 * i64::try_from(word % choices).unwrap_or_default()
    };
    let range = &company.pricing;
    let fee = choose(word(0), range.fee_min.minor(), range.fee_max.minor());
    (
        fee,
        choose(word(8), range.reward_min.minor(), range.reward_max.minor()),
    )
}

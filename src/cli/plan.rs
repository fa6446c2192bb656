//! A plan: what a command would do, in sentences and sums, from the events of its draft. A dry run
//! shows it at a terminal, and a question is asked with it.
//!
//! A plan names nothing that is drawn when the command is carried out: no new assignee, and no
//! price of a new task.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::app::command::known_task;
use crate::app::doctor::counted;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::prompt;
use crate::domain::displayed::Displayed;
use crate::domain::event::{AssignmentReason, Event, TaskAssigned};
use crate::domain::id::{TaskId, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::reports::render::grouped;

/// The number of sentences about events of one kind; more of them are counted.
const SENTENCES_MAX: usize = 20;

/// The kinds of effects, in the order in which a plan tells them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Effect {
    Registered,
    Changed,
    GivenARole,
    Deactivated,
    Reactivated,
    Created,
    Edited,
    Reshuffled,
    HandedOver,
    Completed,
    Cancelled,
    Charged,
    Credited,
    Corrected,
    Decided,
    Paid,
    Closed,
}

/// The events of one kind.
#[derive(Default)]
struct Group {
    count: u64,
    sum: Money,
    sentences: Vec<String>,
}

/// The sentences of a plan.
pub(super) struct Plan(Vec<String>);

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return writeln!(f, "nothing would change");
        }
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Plan {
    /// The plan of a store whose log is a draft. The draft ends, and its locks are released.
    ///
    /// # Errors
    /// If the draft or the state index cannot be read.
    pub(super) fn of(store: &OpenStore<'_>) -> Result<Plan, Failure> {
        store.index.forget()?;
        store.app.log.end_draft();
        let mut reading = Reading::of(store);
        store.app.log.for_each_drafted(|line| {
            let event = line.event()?;
            reading.follow(&event)
        })?;
        Ok(reading.plan())
    }
}

/// Follows the events of a draft.
struct Reading<'s> {
    store: &'s OpenStore<'s>,
    groups: BTreeMap<Effect, Group>,
    logins: HashMap<UserId, String>,
    numbers: HashMap<TaskId, u64>,
    /// The users whose tasks go to others.
    givers: BTreeSet<UserId>,
    payouts: u64,
}

impl<'s> Reading<'s> {
    fn of(store: &'s OpenStore<'s>) -> Reading<'s> {
        Reading {
            store,
            groups: BTreeMap::new(),
            logins: HashMap::new(),
            numbers: HashMap::new(),
            givers: BTreeSet::new(),
            payouts: 0,
        }
    }

    fn login(&self, user: UserId) -> String {
        let known = || self.store.index.user(user).ok().flatten();
        let drafted = self.logins.get(&user).cloned();
        drafted
            .or_else(|| known().map(|user| user.login))
            .unwrap_or_else(|| user.to_string())
    }

    fn task(&self, task: TaskId) -> String {
        let known = || known_task(&self.store.index, &task.to_string()).ok();
        let number = self.numbers.get(&task).copied();
        let number = number.or_else(|| known().map(|task| task.number));
        number.map_or_else(|| task.to_string(), |number| format!("T-{number}"))
    }

    fn money(&self, money: Money) -> String {
        let currency = &self.store.company.currency;
        format!("{} {currency}", grouped(&money.to_string()))
    }

    fn add(&mut self, effect: Effect, sum: Money, sentence: impl FnOnce(&Self) -> String) {
        let shown = self
            .groups
            .get(&effect)
            .map_or(0, |group| group.sentences.len());
        let sentence = (shown <= SENTENCES_MAX).then(|| sentence(self));
        let group = self.groups.entry(effect).or_default();
        group.count += 1;
        group.sum += sum;
        group.sentences.extend(sentence);
    }

    fn follow(&mut self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::UserRegistered(_)
            | Event::UserChanged(_)
            | Event::UserRoleChanged(_)
            | Event::UserDeactivated(_)
            | Event::UserReactivated(_) => self.about_users(event)?,
            Event::TaskCreated(_)
            | Event::TaskAssigned(_)
            | Event::TaskChanged(_)
            | Event::TaskCompleted(_)
            | Event::TaskCancelled(_) => self.about_tasks(event),
            Event::BalanceChanged(_) | Event::PayoutMade(_) | Event::DayClosed(_) => {
                self.about_money(event);
            }
            Event::EventSetAside(e) => {
                self.decided(format!("event {} would be set aside", e.target_sequence));
            }
            Event::EventRetried(e) => {
                self.decided(format!("event {} would be retried", e.target_sequence));
            }
            Event::EventSkipped(e) => {
                self.decided(format!(
                    "event {} would be skipped for ever",
                    e.target_sequence
                ));
            }
            // These accompany the events above, or are not appended by a draft.
            Event::CompanyFounded(_)
            | Event::UserPasswordReset(_)
            | Event::TasksReshuffled(_)
            | Event::TaskPriced(_)
            | Event::TaskSettled(_)
            | Event::MailSent(_)
            | Event::MailFailed(_) => {}
        }
        Ok(())
    }

    fn decided(&mut self, sentence: String) {
        self.add(Effect::Decided, Money::ZERO, |_| sentence);
    }

    fn about_users(&mut self, event: &Event) -> Result<(), Failure> {
        let none = Money::ZERO;
        match event {
            Event::UserRegistered(e) => {
                let _ = self.logins.insert(e.user_id, e.login.clone());
                self.add(Effect::Registered, none, |_| {
                    format!("{} ({}) would be registered", e.login, e.role)
                });
            }
            Event::UserChanged(e) => self.add(Effect::Changed, none, |reading| {
                format!("the data of {} would be changed", reading.login(e.user_id))
            }),
            Event::UserRoleChanged(e) => {
                let kept = self.kept(e.user_id)?;
                self.add(Effect::GivenARole, none, |reading| {
                    let (login, new, old) = (reading.login(e.user_id), e.new_role, e.old_role);
                    let drawn = match (old.is_drawn(), new.is_drawn()) {
                        (true, false) => format!(" and get no more tasks{kept}"),
                        (false, true) => " and get tasks".to_owned(),
                        _ => String::new(),
                    };
                    format!("{login} would become {new} (now {old}){drawn}")
                });
            }
            Event::UserDeactivated(e) => {
                let is_caller = e.user_id == self.store.caller.user.id;
                let whom = if is_caller { " (this is you)" } else { "" };
                self.add(Effect::Deactivated, none, |reading| {
                    format!("{}{whom} would be deactivated", reading.login(e.user_id))
                });
            }
            Event::UserReactivated(e) => self.add(Effect::Reactivated, none, |reading| {
                format!("{} would be reactivated", reading.login(e.user_id))
            }),
            _ => {}
        }
        Ok(())
    }

    fn about_tasks(&mut self, event: &Event) {
        let none = Money::ZERO;
        match event {
            Event::TaskCreated(e) => {
                let _ = self.numbers.insert(e.task_id, e.number);
                self.add(Effect::Created, none, |_| {
                    let (number, title) = (e.number, Displayed(&e.title));
                    format!("T-{number} `{title}` would be created; its assignee and its price are drawn then")
                });
            }
            Event::TaskAssigned(e) => self.assigned(e),
            Event::TaskChanged(e) => self.add(Effect::Edited, none, |reading| {
                format!("the texts of {} would be changed", reading.task(e.task_id))
            }),
            Event::TaskCompleted(e) => {
                let reward = self.store.company.price_of(e.task_id).reward;
                self.add(Effect::Completed, reward, |reading| {
                    let (task, who) = (reading.task(e.task_id), reading.login(e.completed_by));
                    let reward = reading.money(reward);
                    format!("{task} would be done: reward {reward} to {who}")
                });
            }
            Event::TaskCancelled(e) => self.add(Effect::Cancelled, none, |reading| {
                let fees = if e.keep_fees {
                    "stay"
                } else {
                    "are given back"
                };
                format!(
                    "{} would be cancelled: its fees {fees}",
                    reading.task(e.task_id)
                )
            }),
            _ => {}
        }
    }

    fn assigned(&mut self, assigned: &TaskAssigned) {
        let effect = match assigned.reason {
            AssignmentReason::Created => return,
            AssignmentReason::Reshuffle => Effect::Reshuffled,
            AssignmentReason::Left => Effect::HandedOver,
        };
        let fee = self.store.company.price_of(assigned.task_id).fee;
        self.givers.extend(assigned.previous_assignee_id);
        self.add(effect, fee, |_| String::new());
    }

    fn about_money(&mut self, event: &Event) {
        match event {
            Event::BalanceChanged(e) => {
                let effect = match e.kind {
                    EntryKind::Fee => Effect::Charged,
                    EntryKind::Reward => Effect::Credited,
                    EntryKind::Correction => Effect::Corrected,
                    // Its payout follows.
                    EntryKind::Payout => return,
                };
                self.add(effect, e.amount, |_| String::new());
            }
            Event::PayoutMade(e) => self.add(Effect::Paid, e.amount, |reading| {
                let (who, sum) = (reading.login(e.user_id), reading.money(e.amount));
                format!("{who} would be paid {sum} for {}", e.business_date)
            }),
            Event::DayClosed(e) => {
                self.payouts += e.payouts_count;
                self.add(Effect::Closed, e.payouts_total, |reading| {
                    let paid = reading.paid(e.payouts_count, e.payouts_total);
                    format!("{} would be closed: {paid}", e.business_date)
                });
            }
            _ => {}
        }
    }

    /// How many open tasks a user keeps, as the end of a sentence.
    fn kept(&self, user: UserId) -> Result<String, Failure> {
        let open = self.store.index.open_tasks_of(user)?.len() as u64;
        Ok(match open {
            0 => String::new(),
            open => format!(", but keep {}", counted(open, "open task", "open tasks")),
        })
    }

    fn paid(&self, payouts: u64, total: Money) -> String {
        match payouts {
            0 => "no payouts".to_owned(),
            count => format!(
                "{}, {} in all",
                counted(count, "payout", "payouts"),
                self.money(total)
            ),
        }
    }

    fn plan(self) -> Plan {
        let lines = self.groups.iter().flat_map(|(effect, group)| {
            let is_told = group
                .sentences
                .first()
                .is_some_and(|first| !first.is_empty());
            if !is_told || group.sentences.len() > SENTENCES_MAX {
                return vec![self.in_sum(*effect, group)];
            }
            let mut lines = group.sentences.clone();
            if *effect == Effect::Closed && group.count > 1 {
                lines.push(self.in_sum(*effect, group));
            }
            lines
        });
        Plan(lines.collect())
    }

    /// One sentence for all events of a group.
    fn in_sum(&self, effect: Effect, group: &Group) -> String {
        let (n, sum) = (group.count, self.money(group.sum));
        let users = counted(n, "user", "users");
        let tasks = counted(n, "task", "tasks");
        let open = counted(n, "open task", "open tasks");
        match effect {
            Effect::Registered => format!("{users} would be registered"),
            Effect::Changed => format!("the data of {users} would be changed"),
            Effect::GivenARole => format!("{users} would have another role"),
            Effect::Deactivated => format!("{users} would be deactivated"),
            Effect::Reactivated => format!("{users} would be active again"),
            Effect::Created => format!("{tasks} would be created"),
            Effect::Edited => format!("the texts of {tasks} would be changed"),
            Effect::Reshuffled => {
                let people = counted(self.givers.len() as u64, "user", "users");
                format!("{open} of {people} would be handed out anew: fees {sum}")
            }
            Effect::HandedOver => {
                let givers = self.givers.iter().map(|user| self.login(*user));
                let givers = givers.collect::<Vec<_>>().join(", ");
                format!("{open} of {givers} would go to others: fees {sum}")
            }
            Effect::Completed => format!("{tasks} would be done: rewards {sum}"),
            Effect::Cancelled => format!("{tasks} would be cancelled"),
            Effect::Charged => {
                let sum = self.money(-group.sum);
                format!("{} would be charged: {sum}", counted(n, "fee", "fees"))
            }
            Effect::Credited => {
                format!(
                    "{} would be credited: {sum}",
                    counted(n, "reward", "rewards")
                )
            }
            Effect::Corrected => {
                let corrections = counted(n, "correction", "corrections");
                format!("{corrections} would be posted: {sum}")
            }
            Effect::Decided => format!("{} would be made", counted(n, "decision", "decisions")),
            Effect::Paid => format!("{} would be made", self.paid(n, group.sum)),
            Effect::Closed => {
                let dates = counted(n, "date", "dates");
                format!(
                    "{dates} would be closed: {}",
                    self.paid(self.payouts, group.sum)
                )
            }
        }
    }
}

impl Invocation<'_> {
    /// At a terminal, shows the plan of a command and asks whether to go on. `rehearse` carries the
    /// command out on a draft of the store, and returns whether it does anything.
    ///
    /// # Errors
    /// The refusal of the command; an answer that is not yes.
    pub(super) fn ask_before(
        &self,
        store: &OpenStore<'_>,
        rehearse: impl FnOnce(&OpenStore<'_>) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        if self.global.dry_run || self.global.yes || !prompt::may_ask(self.global) {
            return Ok(());
        }
        let draft = store.drafted()?;
        let is_something = rehearse(&draft)?;
        let plan = Plan::of(&draft)?;
        drop(draft);
        if is_something {
            self.ask(&format!("{plan}Go on?"))
        } else {
            Ok(())
        }
    }

    /// At a terminal, asks a question that is to be answered with yes.
    ///
    /// # Errors
    /// An answer that is not yes.
    pub(super) fn ask(&self, question: &str) -> Result<(), Failure> {
        if self.global.dry_run || self.global.yes || !prompt::may_ask(self.global) {
            return Ok(());
        }
        self.reporter.finish();
        if prompt::confirm(self.global, &format!("{question} [y/N] ")) {
            return Ok(());
        }
        let refused = "nothing was done, because the answer was not yes";
        Err(Failure::new(Exit::Failure, "not_agreed", refused)
            .hint("`--yes` carries the command out without a question"))
    }
}

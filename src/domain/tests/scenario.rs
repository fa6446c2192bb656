//! Tests in the form: given these events, when a user does this, then this happens or is refused.
//!
//! `evolve` builds the state from the given events, in memory; the dice are pinned. Users are named
//! by login and tasks by number.

use crate::domain::event::{Event, TaskCreated};
use crate::domain::id::UserId;
use crate::domain::rejection::Rejection;
use crate::domain::role::Role;
use crate::domain::task::cancel::Cancel;
use crate::domain::task::edit::{Edit, TaskText};
use crate::domain::task::{self, Add, Status, Task, hand_over};
use crate::domain::tests::dice::PinnedDice;
use crate::domain::tests::facts::{assigned, completed, created, joined, now};
use crate::domain::user::{Change, Deactivate, Reactivate, Register, SetRole, User};

type Decision = Result<Vec<Event>, Rejection>;

#[derive(Clone)]
pub(super) enum Command<'a> {
    Register(Register),
    Change(&'a str, Change),
    SetRole(&'a str, &'a str),
    /// And whether their tasks are kept.
    Deactivate(&'a str, bool),
    HandOver(&'a str),
    Reactivate(&'a str),
    Add(Add),
    Edit(u64, Edit),
    /// And whether anybody was charged.
    Cancel(u64, Cancel, bool),
    Complete(&'a [u64]),
    Reshuffle,
}

/// Users in order of registration, tasks in order of their numbers.
pub(super) struct World {
    pub users: Vec<User>,
    pub tasks: Vec<Task>,
    pub texts: Vec<TaskText>,
    pub dice: PinnedDice,
}

pub(super) fn given(events: impl IntoIterator<Item = Event>) -> World {
    let mut world = World {
        users: Vec::new(),
        tasks: Vec::new(),
        texts: Vec::new(),
        dice: PinnedDice::new(1),
    };
    events.into_iter().for_each(|event| world.evolve(&event));
    world
}

/// `anna` is an admin, `maria` a manager, `alexej` an accountant, `dima` a developer and `cron` a
/// service user. Task 1 of `dima` is open and their task 2 is done. `more` follows.
pub(super) fn company(more: impl IntoIterator<Item = Event>) -> World {
    let people = [
        joined("anna", Role::Admin),
        joined("maria", Role::Manager),
        joined("alexej", Role::Accountant),
        joined("dima", Role::Developer),
        joined("cron", Role::Service),
    ];
    let tasks = [
        created(1),
        assigned(1, "dima"),
        created(2),
        assigned(2, "dima"),
        completed(2, "dima"),
    ];
    given(people.into_iter().chain(tasks).chain(more))
}

impl World {
    fn evolve(&mut self, event: &Event) {
        match event {
            Event::UserRegistered(e) => self.users.push(User::registered(e)),
            Event::TaskCreated(TaskCreated {
                task_id: id,
                number,
                title,
                jira_id,
                description,
                created_by,
            }) => {
                self.texts.push(TaskText {
                    title: title.clone(),
                    jira_id: jira_id.clone(),
                    description: description.clone(),
                });
                // The assignment that follows names the assignee.
                self.tasks.push(Task {
                    id: *id,
                    number: *number,
                    created_by: *created_by,
                    status: Status::Open,
                    assignee: *created_by,
                    assignment_no: 0,
                });
            }
            Event::TaskChanged(e) => {
                let at = self.tasks.iter().position(|task| task.id == e.task_id);
                self.texts[at.expect("a given task")].evolve(e);
            }
            _ => {
                self.users.iter_mut().for_each(|user| user.evolve(event));
                self.tasks.iter_mut().for_each(|task| task.evolve(event));
            }
        }
    }

    pub(super) fn user(&self, login: &str) -> &User {
        self.users
            .iter()
            .find(|user| user.login == login)
            .expect("a given user")
    }

    pub(super) fn eligible(&self) -> Vec<UserId> {
        self.users
            .iter()
            .filter(|user| user.is_eligible())
            .map(|user| user.id)
            .collect()
    }

    fn open_of(&self, login: &str) -> Vec<Task> {
        let id = self.user(login).id;
        let open = self.tasks.iter().filter(|task| task.status == Status::Open);
        open.filter(|task| task.assignee == id).cloned().collect()
    }

    /// Decides `actor`'s command and applies its events.
    pub(super) fn when(&mut self, actor: &str, command: Command<'_>) -> Decision {
        let mut dice = self.dice.clone();
        let decision = self.decide(self.user(actor), command, &mut dice);
        self.dice = dice;
        decision
            .iter()
            .flatten()
            .for_each(|event| self.evolve(event));
        decision
    }

    fn decide(&self, actor: &User, command: Command<'_>, dice: &mut PinnedDice) -> Decision {
        let admins = self
            .users
            .iter()
            .filter(|user| user.active && user.role == Role::Admin)
            .count() as u64;
        let reason = || Some("for a reason".to_owned());
        match command {
            Command::Register(c) => c.decide(
                actor,
                self.users.iter().any(|user| user.login == c.login),
                now(),
                dice,
            ),
            Command::Change(login, c) => c.decide(actor, self.user(login)),
            Command::SetRole(login, role) => {
                SetRole { role: role.into() }.decide(actor, self.user(login), admins)
            }
            Command::Deactivate(login, keep_tasks) => {
                let change = Deactivate {
                    reason: reason(),
                    keep_tasks,
                };
                let (user, eligible) = (self.user(login), self.eligible());
                let tasks = (&self.open_of(login)[..], &eligible[..]);
                hand_over::deactivate(&change, actor, user, admins, tasks, dice)
            }
            Command::Reactivate(login) => {
                Reactivate { reason: reason() }.decide(actor, self.user(login))
            }
            Command::Add(c) => c.decide(
                actor,
                self.tasks.len() as u64 + 1,
                &self.eligible(),
                now(),
                dice,
            ),
            Command::Edit(number, edit) => {
                let at = number as usize - 1;
                edit.decide(actor, &self.tasks[at], &self.texts[at])
            }
            Command::Cancel(number, cancel, is_charged) => {
                cancel.decide(actor, &self.tasks[number as usize - 1], is_charged)
            }
            Command::Complete(numbers) => {
                let tasks: Vec<_> = numbers
                    .iter()
                    .map(|number| self.tasks[*number as usize - 1].clone())
                    .collect();
                task::complete(actor, &tasks, |id| {
                    self.users
                        .iter()
                        .find(|u| u.id == id)
                        .expect("known")
                        .login
                        .clone()
                })
            }
            Command::HandOver(login) => {
                let (user, eligible) = (self.user(login), self.eligible());
                hand_over::hand_over(actor, user, &self.open_of(login), &eligible, dice)
            }
            Command::Reshuffle => {
                let open: Vec<_> = self
                    .tasks
                    .iter()
                    .filter(|task| task.status == Status::Open)
                    .cloned()
                    .collect();
                task::reshuffle(actor, &open, &self.eligible(), dice)
            }
        }
    }
}

//! Checks the causes: users (I10) and tasks (I11). An open task has exactly one assignee, who was
//! eligible when it was assigned. Tasks are numbered 1, 2, 3 ...

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::app::verify::replay::Replay;
use crate::domain::displayed::Displayed;
use crate::domain::event::{
    AssignmentReason, Event, Subject, TaskAssigned, TaskCancelled, TaskChanged, TaskCompleted,
    TaskCreated, TasksReshuffled, UserRegistered,
};
use crate::domain::id::{EventId, Sequence, TaskId, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::reaction::{Cause, TaskAccount};
use crate::domain::money::Money;
use crate::domain::pricing;
use crate::domain::user::User;
use crate::state::Recorded;

/// A task that is open, or for which events of the books are still expected.
pub(super) struct Task {
    /// The creation.
    pub created: EventId,
    pub created_at: Sequence,
    /// The price is the recorded one as soon as there is one.
    pub account: TaskAccount,
    pub is_priced: bool,
    pub assignee: Option<UserId>,
    pub assignment_no: u32,
    pub completed: Option<Completion>,
    /// The event that cancelled it.
    pub cancelled: Option<Sequence>,
    pub keeps_fees: bool,
    /// The posted fees without the parts that were given back.
    pub fees_left: Money,
    /// The number of assignments and completions without an entry.
    pub owed: u32,
}

pub(super) struct Completion {
    pub cause: Cause,
    pub event: TaskCompleted,
    pub is_settled: bool,
}

/// The cancellation of a task that is not over for accounting.
pub(super) struct Cancellation {
    pub cause: Cause,
    pub event: TaskCancelled,
}

#[derive(Default)]
pub(super) struct Tasks {
    pub known: HashMap<TaskId, Task>,
    /// Tasks for which no event is expected any more, with the sequences of their completions.
    pub finished: HashMap<TaskId, Sequence>,
    /// By sequence; those of finished tasks are forgotten.
    pub cancellations: BTreeMap<Sequence, Cancellation>,
    pub open: u64,
    /// The highest so far.
    last_number: u64,
    /// Created, and not assigned yet.
    unassigned: Option<TaskId>,
    reshuffle: Option<Reshuffle>,
}

struct Reshuffle {
    at: Sequence,
    moved: u64,
    seen: HashSet<TaskId>,
}

/// A cause for which accounting owes an entry.
pub(super) struct Owed {
    pub cause: Cause,
    pub event: Caused,
}

pub(super) enum Caused {
    Assigned(TaskAssigned),
    Completed(TaskCompleted),
}

impl Owed {
    pub(super) fn task(&self) -> TaskId {
        match &self.event {
            Caused::Assigned(e) => e.task_id,
            Caused::Completed(e) => e.task_id,
        }
    }

    /// Whose balance changes.
    pub(super) fn user(&self) -> UserId {
        match &self.event {
            Caused::Assigned(e) => e.assignee_id,
            Caused::Completed(e) => e.completed_by,
        }
    }

    pub(super) fn kind(&self) -> EntryKind {
        match &self.event {
            Caused::Assigned(_) => EntryKind::Fee,
            Caused::Completed(_) => EntryKind::Reward,
        }
    }
}

pub(super) fn cause_of(recorded: &Recorded<'_>) -> Cause {
    Cause {
        sequence: recorded.sequence,
        id: recorded.id,
        time: recorded.time,
    }
}

impl Tasks {
    /// The event that completed or cancelled a task.
    pub(super) fn ended(&self, task: TaskId) -> Option<Sequence> {
        let ended = |task: &Task| {
            let completed = task.completed.as_ref().map(|done| done.cause.sequence);
            completed.or(task.cancelled)
        };
        let finished = || self.finished.get(&task).copied();
        self.known.get(&task).and_then(ended).or_else(finished)
    }

    /// Forgets a task that no event of the books is expected of any more.
    pub(super) fn forget_if_finished(&mut self, id: TaskId) {
        let settled_at = |task: &Task| {
            let is_over = task.is_priced && task.owed == 0;
            let settled = task.completed.as_ref().filter(|done| done.is_settled);
            let settled = settled.map(|done| done.cause.sequence);
            let has_all_back = task.keeps_fees || !task.fees_left.is_positive();
            let cancelled = task.cancelled.filter(|_| has_all_back);
            settled.or(cancelled).filter(|_| is_over)
        };
        if let Some(at) = self.known.get(&id).and_then(settled_at) {
            self.known.remove(&id);
            self.cancellations.remove(&at);
            self.finished.insert(id, at);
        }
    }
}

impl Replay {
    pub(super) fn user_registered(&mut self, at: Sequence, e: &UserRegistered) {
        if !self.logins.insert(e.login.clone()) {
            let login = Displayed(&e.login);
            self.violates(
                "I10",
                at,
                format!("a user was registered as `{login}` before"),
            );
        }
        let before = self.users.insert(e.user_id, User::registered(e));
        if before.is_some() {
            self.violates(
                "I10",
                at,
                format!("user {} was registered before", e.user_id),
            );
        }
    }

    pub(super) fn user_changed(&mut self, recorded: &Recorded<'_>) {
        let Subject::User(user) = recorded.event.subject() else {
            return;
        };
        match self.users.get_mut(&user) {
            Some(user) => user.evolve(&recorded.event),
            None => {
                let what = format!("user {user} was never registered");
                self.violates("I10", recorded.sequence, what);
            }
        }
    }

    /// The first assignment must follow right after the creation.
    pub(super) fn check_unassigned(&mut self, recorded: &Recorded<'_>) {
        if let Some(task) = self.tasks.unassigned
            && !matches!(recorded.event.as_ref(), Event::TaskAssigned(e) if e.task_id == task)
        {
            self.never_assigned(recorded.sequence);
        }
    }

    fn never_assigned(&mut self, at: Sequence) {
        if let Some(task) = self.tasks.unassigned.take() {
            self.violates(
                "I11",
                at,
                format!("task {task} was created without an assignee"),
            );
        }
    }

    /// Checks the end of a batch.
    pub(super) fn end_batch(&mut self, at: Sequence) {
        self.never_assigned(at);
        let Some(Reshuffle { at, moved, seen }) = self.tasks.reshuffle.take() else {
            return;
        };
        if moved != seen.len() as u64 {
            let what = format!(
                "the reshuffle says that {moved} tasks moved, but {} assignments follow",
                seen.len()
            );
            self.violates("I11", at, what);
        }
    }

    /// Rule T1.
    fn check_number(&mut self, at: Sequence, number: u64) {
        let last = self.tasks.last_number;
        if number <= last {
            let what = format!("the number {number} was given before: the last one was {last}");
            self.violates("I11", at, what);
        } else if number != last + 1 {
            let what = format!("the task has the number {number}, the last one had {last}");
            self.violates("I11", at, what);
        }
        self.tasks.last_number = last.max(number);
    }

    pub(super) fn task_created(&mut self, recorded: &Recorded<'_>, e: &TaskCreated) {
        self.check_number(recorded.sequence, e.number);
        let Some(books) = &self.books else { return };
        let company = &books.company;
        let price = pricing::price(company.id, e.task_id, &company.pricing);
        let account = TaskAccount::created(e, price);
        let task = Task {
            created: recorded.id,
            created_at: recorded.sequence,
            account,
            is_priced: false,
            assignee: None,
            assignment_no: 0,
            completed: None,
            cancelled: None,
            keeps_fees: false,
            fees_left: Money::ZERO,
            owed: 0,
        };
        self.tasks.unassigned = Some(e.task_id);
        let was_finished = self.tasks.finished.contains_key(&e.task_id);
        if self.tasks.known.insert(e.task_id, task).is_some() || was_finished {
            let what = format!("task {} was created before", e.task_id);
            self.violates("I11", recorded.sequence, what);
        } else {
            self.tasks.open += 1;
        }
    }

    /// Rule T6: tasks that are finished may change as well.
    pub(super) fn task_changed(&mut self, at: Sequence, e: &TaskChanged) {
        match self.tasks.known.get_mut(&e.task_id) {
            Some(task) => task.account.change(at, e),
            None if self.tasks.finished.contains_key(&e.task_id) => {}
            None => self.violates("I11", at, "the changed task does not exist"),
        }
    }

    pub(super) fn tasks_reshuffled(&mut self, at: Sequence, e: &TasksReshuffled) {
        let open = self.tasks.open;
        let eligible = self
            .users
            .values()
            .filter(|user| user.is_eligible())
            .count() as u64;
        if (e.open_tasks, e.eligible_users, e.moved) != (open, eligible, open) {
            let what = format!(
                "the reshuffle counts {} open tasks, {} eligible users and {} moves; there were {open} tasks and {eligible} users",
                e.open_tasks, e.eligible_users, e.moved
            );
            self.violates("I11", at, what);
        }
        self.tasks.reshuffle = Some(Reshuffle {
            at,
            moved: e.moved,
            seen: HashSet::new(),
        });
    }

    pub(super) fn task_assigned(&mut self, recorded: &Recorded<'_>, e: &TaskAssigned) {
        self.tasks.unassigned = None;
        if let Some(what) = self.assignment_fault(e) {
            self.violates("I11", recorded.sequence, what);
        }
        if let Some(task) = self.tasks.known.get_mut(&e.task_id) {
            task.assignee = Some(e.assignee_id);
            task.assignment_no = e.assignment_no;
        }
        self.owe(recorded, e.task_id, Caused::Assigned(e.clone()));
    }

    fn owe(&mut self, recorded: &Recorded<'_>, task: TaskId, event: Caused) {
        if let Some(task) = self.tasks.known.get_mut(&task) {
            task.owed += 1;
        }
        let cause = cause_of(recorded);
        self.owed.insert(recorded.sequence, Owed { cause, event });
    }

    fn is_eligible(&self, user: Option<UserId>) -> bool {
        let user = user.and_then(|user| self.users.get(&user));
        user.is_some_and(User::is_eligible)
    }

    fn assignment_fault(&mut self, e: &TaskAssigned) -> Option<String> {
        let reshuffle = self.tasks.reshuffle.as_mut();
        let is_new = reshuffle.map(|reshuffle| reshuffle.seen.insert(e.task_id));
        let Some(task) = self.tasks.known.get(&e.task_id) else {
            let was_finished = self.tasks.finished.contains_key(&e.task_id);
            let what = if was_finished {
                "the task was completed or cancelled before"
            } else {
                "the task does not exist"
            };
            return Some(what.to_owned());
        };
        let (is_first, holder) = (task.assignee.is_none(), task.assignee);
        let is_fitting = match e.reason {
            AssignmentReason::Created => is_first && is_new.is_none(),
            AssignmentReason::Reshuffle => !is_first && is_new == Some(true),
            AssignmentReason::Left => !is_first && is_new.is_none() && !self.is_eligible(holder),
        };
        if !is_fitting {
            let what = "the assignment belongs to no creation, no reshuffle and nobody who left, or moves a task twice";
            return Some(what.to_owned());
        }
        if task.completed.is_some() || task.cancelled.is_some() {
            return Some("the task was completed or cancelled before".to_owned());
        }
        if (e.previous_assignee_id, e.assignment_no) != (task.assignee, task.assignment_no + 1) {
            let holder = task.assignee.map(|user| user.to_string());
            let holder = holder.unwrap_or_else(|| "nobody".to_owned());
            let number = task.assignment_no;
            return Some(format!(
                "the task was assigned to {holder} by assignment {number}"
            ));
        }
        let assignee = e.assignee_id;
        match self.users.get(&assignee) {
            Some(user) if user.is_eligible() => None,
            Some(user) if !user.active => Some(format!("the assignee {assignee} was deactivated")),
            Some(user) => Some(format!(
                "the assignee {assignee} is a {}, who is not drawn",
                user.role
            )),
            None => Some(format!("the assignee {assignee} does not exist")),
        }
    }

    /// Whether an event before `at` completed or cancelled the task, which is a finding unless `at` is left out.
    pub(super) fn has_ended(&mut self, task: TaskId, at: Sequence) -> bool {
        let Some(before) = self.tasks.ended(task) else {
            return false;
        };
        if !self.is_left_out(at) {
            let what = format!("the task was completed or cancelled by event {before} before");
            self.violates("I4", at, what);
        }
        true
    }

    pub(super) fn task_completed(&mut self, recorded: &Recorded<'_>, e: &TaskCompleted) {
        let at = recorded.sequence;
        if self.has_ended(e.task_id, at) {
            return;
        }
        let Some(task) = self.tasks.known.get_mut(&e.task_id) else {
            return self.violates("I11", at, "the completed task does not exist");
        };
        let holder = (task.assignee, task.assignment_no);
        task.completed = Some(Completion {
            cause: cause_of(recorded),
            event: e.clone(),
            is_settled: false,
        });
        self.tasks.open = self.tasks.open.saturating_sub(1);
        self.owe(recorded, e.task_id, Caused::Completed(e.clone()));
        if holder != (Some(e.completed_by), e.assignment_no) {
            let what = "the task was completed by a user who was not its assignee";
            self.violates("I11", at, what);
        }
    }
}

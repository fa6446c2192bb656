//! One simulated day: the commands of each user with their times, until the date is closed.

use std::rc::Rc;

use jiff::civil::Weekday;

use crate::app::AppError;
use crate::app::command::Command;
use crate::app::simulate::{Hours, SeededDice, errands, people};
use crate::app::timed_commands::{BatchAppender, BatchDecider, Timed};
use crate::consumers::accounting::CloseRequest;
use crate::domain::dice::Dice;
use crate::domain::event::Event;
use crate::domain::id::UserId;
use crate::domain::role::{Right, Role};
use crate::domain::time::{BusinessDate, EventTime};
use crate::domain::user::{Deactivate, Register, SetRole, User};
use crate::event_log::Batch;
use crate::state::StateIndex;

/// In a smaller office nobody is deactivated.
const STAFF_MIN: usize = 4;
const MINUTE_MICROS: usize = 60_000_000;

/// The users, the open tasks, and the way into the log.
pub(super) struct Office<'o, 'p, 'l, 'd> {
    index: &'o StateIndex,
    appender: BatchAppender<'p, 'l, 'd>,
    dice: SeededDice,
    admin: Rc<User>,
    /// All active users; those from before the simulation come first.
    staff: Vec<Rc<User>>,
    residents: usize,
    open: Vec<OpenTask>,
    tasks_per_day: u32,
    pub commands: u64,
    pub closed_dates: Vec<BusinessDate>,
}

struct OpenTask {
    number: u64,
    assignee: UserId,
}

/// An event of a day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Create,
    Complete,
    Reshuffle,
    ChangeRole,
    Deactivate,
}

impl<'o, 'p, 'l, 'd> Office<'o, 'p, 'l, 'd> {
    pub(super) fn open(
        index: &'o StateIndex,
        appender: BatchAppender<'p, 'l, 'd>,
        dice: SeededDice,
        admin: Rc<User>,
        tasks_per_day: u32,
    ) -> Office<'o, 'p, 'l, 'd> {
        let (staff, open, closed_dates) = (Vec::new(), Vec::new(), Vec::new());
        let (residents, commands) = (0, 0);
        Office {
            index,
            appender,
            dice,
            admin,
            staff,
            residents,
            open,
            tasks_per_day,
            commands,
            closed_dates,
        }
    }

    pub(super) fn appended(&self) -> u64 {
        self.appender.appended()
    }

    /// Registers the popugs: one manager, one accountant, developers and workers.
    pub(super) fn hire(
        &mut self,
        at: EventTime,
        popugs: u32,
        mut names: people::Names,
    ) -> Result<(), AppError> {
        let residents = self
            .index
            .users()?
            .into_iter()
            .filter(|user| user.active && user.role != Role::Service);
        self.staff = residents.map(Rc::new).collect();
        self.residents = self.staff.len();
        self.look_at_open_tasks()?;
        let mut decider = BatchDecider::begin(self.index, self.appender.head())?;
        for nth in 0..popugs {
            let people::Person {
                login,
                full_name,
                email,
            } = names.next();
            // The first is a developer, so that even the smallest company has an eligible user.
            let role = match nth {
                1 => Role::Manager,
                2 => Role::Accountant,
                _ if nth % 2 == 0 => Role::Developer,
                _ => Role::Worker,
            };
            let command = Command::RegisterUser(Register {
                login,
                full_name,
                email,
                role: role.name().into(),
            });
            let admin = Rc::clone(&self.admin);
            self.carry_out(&mut decider, at, &admin, &command)?;
        }
        self.appender.flush()?;
        Ok(decider.commit(self.appender.head())?)
    }

    fn look_at_open_tasks(&mut self) -> Result<(), AppError> {
        let tasks = self.index.open_tasks()?;
        self.open = tasks
            .iter()
            .map(|task| OpenTask {
                number: task.number,
                assignee: task.assignee,
            })
            .collect();
        Ok(())
    }

    /// Plays a date and closes it.
    pub(super) fn work(&mut self, hours: &Hours) -> Result<(), AppError> {
        let mut decider = BatchDecider::begin(self.index, self.appender.head())?;
        for (at, moment) in self.agenda(hours) {
            if let Some((actor, command)) = self.think_of(moment) {
                self.carry_out(&mut decider, at, &actor, &command)?;
            }
        }
        self.appender.flush()?;
        decider.commit(self.appender.head())?;
        let soon =
            EventTime::from_micros(hours.over.micros() + self.dice.below(MINUTE_MICROS) as i64);
        let at = soon.unwrap_or(hours.over).min(hours.now);
        let request = CloseRequest {
            by: self.bookkeeper().id,
            through: None,
            imported: None,
        };
        let closed = self.appender.close(at, &request)?;
        self.closed_dates
            .extend(closed.iter().map(|closed| closed.day.business_date));
        Ok(())
    }

    /// The events of a day with their times, in order.
    fn agenda(&mut self, hours: &Hours) -> Vec<(EventTime, Moment)> {
        let (tasks, open) = (self.tasks_per_day as usize, self.open.len());
        let completions = tasks * 4 / 5 + open / 15;
        let mut moments = vec![Moment::Create; tasks];
        moments.extend(std::iter::repeat_n(Moment::Complete, completions));
        if hours.date.civil().weekday() == Weekday::Monday {
            moments.push(Moment::Reshuffle);
        }
        if self.dice.below(6) == 0 {
            moments.push(Moment::ChangeRole);
        }
        if self.dice.below(12) == 0 {
            moments.push(Moment::Deactivate);
        }
        let length = usize::try_from(hours.begin.micros_until(hours.end))
            .expect("the day ends after it begins");
        let mut agenda: Vec<_> = moments
            .into_iter()
            .map(|moment| {
                let micros = hours.begin.micros() + self.dice.below(length) as i64;
                (
                    EventTime::from_micros(micros).expect("within the calendar"),
                    moment,
                )
            })
            .collect();
        agenda.sort_unstable();
        agenda
    }

    /// The actor and command of an event; `None` if there is no suitable user or task now.
    fn think_of(&mut self, moment: Moment) -> Option<(Rc<User>, Command)> {
        match moment {
            Moment::Create if !self.staff.iter().any(|user| user.is_eligible()) => None,
            Moment::Create => {
                let author = self.dice.below(self.staff.len());
                Some((
                    Rc::clone(&self.staff[author]),
                    errands::think_up(&mut self.dice),
                ))
            }
            Moment::Complete => self.think_of_completing(),
            Moment::Reshuffle if !self.staff.iter().any(|user| user.is_eligible()) => None,
            Moment::Reshuffle => {
                let manager = self
                    .staff
                    .iter()
                    .find(|user| user.role.may(Right::Reshuffle));
                Some((
                    Rc::clone(manager.unwrap_or(&self.admin)),
                    Command::Reshuffle,
                ))
            }
            Moment::ChangeRole => {
                let user = self.some_worker()?;
                let role = if user.role == Role::Worker {
                    Role::Developer
                } else {
                    Role::Worker
                };
                let command = Command::SetRole {
                    user: user.login.clone(),
                    change: SetRole {
                        role: role.name().into(),
                    },
                };
                Some((Rc::clone(&self.admin), command))
            }
            Moment::Deactivate if self.staff.len() <= STAFF_MIN => None,
            Moment::Deactivate => {
                let user = self.some_worker()?.login.clone();
                let change = Deactivate {
                    reason: Some("улетел в тёплые края".to_owned()),
                    keep_tasks: true,
                };
                let command = Command::DeactivateUser { user, change };
                Some((Rc::clone(&self.admin), command))
            }
        }
    }

    fn think_of_completing(&mut self) -> Option<(Rc<User>, Command)> {
        let nth = (!self.open.is_empty()).then(|| self.dice.below(self.open.len()))?;
        let OpenTask { number, assignee } = self.open[nth];
        // Deactivated users keep their tasks until the next reshuffle.
        let holder = Rc::clone(self.staff.iter().find(|user| user.id == assignee)?);
        self.open.swap_remove(nth);
        Some((
            holder,
            Command::CompleteTasks {
                tasks: vec![number.to_string()],
            },
        ))
    }

    fn some_worker(&mut self) -> Option<Rc<User>> {
        let is_worker = |user: &&Rc<User>| matches!(user.role, Role::Developer | Role::Worker);
        let workers: Vec<_> = self.staff[self.residents..]
            .iter()
            .filter(is_worker)
            .collect();
        // The last worker stays and keeps their role, because somebody has to do the work.
        (workers.len() > 1).then(|| Rc::clone(workers[self.dice.below(workers.len())]))
    }

    fn bookkeeper(&self) -> Rc<User> {
        let found = self.staff.iter().find(|user| user.role == Role::Accountant);
        Rc::clone(found.unwrap_or(&self.admin))
    }

    fn carry_out(
        &mut self,
        decider: &mut BatchDecider<'_>,
        at: EventTime,
        actor: &User,
        command: &Command,
    ) -> Result<(), AppError> {
        let timed = Timed {
            at,
            actor,
            command,
            key: None,
        };
        if let Some(batch) = decider.decide(&timed, &mut self.dice)? {
            self.follow(&batch)?;
            self.commands += 1;
            self.appender.append(&batch)?;
        }
        Ok(())
    }

    fn follow(&mut self, batch: &Batch) -> Result<(), AppError> {
        match batch
            .facts
            .iter()
            .map(|fact| &fact.event)
            .collect::<Vec<_>>()[..]
        {
            [Event::TaskCreated(created), Event::TaskAssigned(assigned)] => {
                self.open.push(OpenTask {
                    number: created.number,
                    assignee: assigned.assignee_id,
                });
            }
            [Event::TasksReshuffled(_), ..] => self.look_at_open_tasks()?,
            [Event::UserRegistered(registered)] => {
                self.staff.push(Rc::new(User::registered(registered)))
            }
            [Event::TaskCompleted(_)] => {}
            ref changes => {
                for change in changes {
                    self.staff
                        .iter_mut()
                        .for_each(|user| Rc::make_mut(user).evolve(change));
                }
                self.staff.retain(|user| user.active);
            }
        }
        Ok(())
    }
}

//! Stores that the benchmark fills itself, straight through the log.

use std::path::Path;
use std::time::Duration;

use popug_cli::app::founding::Founding;
use popug_cli::app::{App, Environment, Opening};
use popug_cli::credentials::Password;
use popug_cli::domain::clock::Clock;
use popug_cli::domain::company::FoundCompany;
use popug_cli::domain::dice::Dice;
use popug_cli::domain::event::{
    Actor, AssignmentReason, Consumer, Event, Fact, TaskAssigned, TaskCompleted, TaskCreated,
    UserRegistered,
};
use popug_cli::domain::id::{EventId, Sequence, TaskId, UserId};
use popug_cli::domain::role::Role;
use popug_cli::domain::time::EventTime;
use popug_cli::event_log::file_log::SEGMENT_BYTES_MAX;
use popug_cli::event_log::{Batch, Patience};
use popug_cli::store::StoreDirectory;
use popug_cli::turn::Notices;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use uuid::{Builder, Uuid};

pub const USERS: usize = 200;
pub const PASSWORD: &str = "a password of the benchmark";

pub struct Bench;

impl Clock for Bench {
    fn now(&self) -> EventTime {
        EventTime::new(jiff::Timestamp::now())
    }
}

struct Rolled(ChaCha12Rng);

impl Dice for Rolled {
    fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    fn uuid_v7(&mut self, at: EventTime) -> Uuid {
        let mut random = [0; 10];
        self.0.fill_bytes(&mut random);
        Builder::from_unix_timestamp_millis(u64::try_from(at.micros() / 1000).unwrap_or(0), &random)
            .into_uuid()
    }
}

impl Environment for Bench {
    fn dice(&self, _: &str) -> Box<dyn Dice> {
        Box::new(Rolled(ChaCha12Rng::from_rng(&mut rand::rng())))
    }

    fn pinned_by(&self) -> Option<&'static str> {
        None
    }

    fn system_now(&self) -> EventTime {
        self.now()
    }
}

impl Notices for Bench {
    fn warn(&self, message: &str) {
        eprintln!("warning: {message}");
    }

    fn advanced(&self, _: Consumer, _: Sequence, _: Sequence) {}
}

pub fn open(root: &Path) -> App<'static> {
    App::open(Opening {
        directory: StoreDirectory::new(root),
        environment: &Bench,
        notices: &Bench,
        lock_wait: Duration::from_secs(10),
        holder: "benchmark".into(),
        segment_bytes_max: SEGMENT_BYTES_MAX,
    })
    .expect("the store opens")
}

/// Founds a company long ago and writes about `task_events` events of tasks that are created, reshuffled and completed over a
/// hundred days.
pub fn fill(root: &Path, task_events: u64) -> u64 {
    let founded_at: EventTime = "2026-01-05T06:00:00Z".parse().expect("a time");
    let founding = Founding {
        company: FoundCompany {
            name: "Benchmark".into(),
            time_zone: "Europe/Moscow".into(),
            currency: "EUR".into(),
            admin_login: "root".into(),
            admin_name: "Root".into(),
            admin_email: "root@popug.example".into(),
            test_clock: false,
        },
        admin_password: Password::new(PASSWORD),
        founded_at: Some(founded_at),
        shared_log: None,
    };
    let patience = Patience {
        wait: Duration::from_secs(10),
        holder: "benchmark".into(),
    };
    founding
        .carry_out(&StoreDirectory::new(root), &Bench, &patience)
        .expect("the company is founded");
    let app = open(root);
    let mut script = Script {
        dice: Rolled(ChaCha12Rng::seed_from_u64(1)),
        users: Vec::new(),
        now: founded_at,
    };
    let mut writer = app.log.writer(&patience).expect("the log opens");
    let mut append = |batches: Vec<Batch>| {
        let head = *writer.head();
        writer
            .append_group(&head, &batches)
            .expect("a group is appended");
    };
    append(script.people());
    let step = 100 * 86_400 * 1_000_000 / (task_events / 3).max(1);
    let mut made = 0;
    let mut number = 0;
    while made < task_events {
        let mut group = Vec::new();
        for _ in 0..2_000.min(task_events / 3 + 1) {
            number += 1;
            script.now = EventTime::from_micros(script.now.micros() + step as i64).expect("a time");
            let batches = script.task(number);
            made += batches
                .iter()
                .map(|batch| batch.facts.len() as u64)
                .sum::<u64>();
            group.extend(batches);
        }
        append(group);
    }
    made
}

struct Script {
    dice: Rolled,
    users: Vec<UserId>,
    now: EventTime,
}

impl Script {
    fn people(&mut self) -> Vec<Batch> {
        let register = |script: &mut Script, n: usize| {
            let user_id = UserId::from_uuid(script.dice.uuid_v7(script.now));
            script.users.push(user_id);
            let (login, full_name) = (format!("popug{n}"), format!("Попуг {n}"));
            let email = format!("{login}@popug.example");
            script.batch(
                user_id,
                vec![
                    UserRegistered {
                        user_id,
                        login,
                        full_name,
                        email,
                        role: Role::Developer,
                    }
                    .into(),
                ],
            )
        };
        (0..USERS).map(|n| register(self, n)).collect()
    }

    fn batch(&mut self, actor: UserId, events: Vec<Event>) -> Batch {
        let mut fact = |event| Fact {
            id: EventId::from_uuid(self.dice.uuid_v7(self.now)),
            causation: None,
            event,
        };
        let facts = events.into_iter().map(&mut fact).collect();
        let command_id = self.dice.uuid_v7(self.now).to_string();
        Batch {
            time: self.now,
            actor: Actor::User(actor),
            command_id,
            command_hash: None,
            facts,
        }
    }

    /// A task that is created and, mostly, completed by its assignee.
    fn task(&mut self, number: u64) -> Vec<Batch> {
        let assignee_id = self.users[self.dice.below(USERS)];
        let created_by = self.users[self.dice.below(USERS)];
        let task_id = TaskId::from_uuid(self.dice.uuid_v7(self.now));
        let title = format!("Починить отчёт о выплатах номер {number}");
        let jira_id = number.is_multiple_of(3).then(|| format!("UP-{number}"));
        let created = TaskCreated {
            task_id,
            number,
            title,
            jira_id,
            description: None,
            created_by,
        };
        let reason = AssignmentReason::Created;
        let assigned = TaskAssigned {
            task_id,
            assignee_id,
            previous_assignee_id: None,
            reason,
            assignment_no: 1,
        };
        let mut batches = vec![self.batch(created_by, vec![created.into(), assigned.into()])];
        if self.dice.below(10) > 0 {
            let completed = TaskCompleted {
                task_id,
                completed_by: assignee_id,
                assignment_no: 1,
            };
            batches.push(self.batch(assignee_id, vec![completed.into()]));
        }
        batches
    }
}

//! popug-cli as a library: found a company, create and complete a task, close the date, show the books.
//!
//! ```sh
//! cargo run --release --example library
//! ```
//!
//! The command line is one caller of the use cases in [`popug_cli::app`]; this is another one. A caller
//! provides clock and dice ([`Environment`]), a receiver of warnings ([`Notices`]) and an identity. The
//! library does everything else, including locks and durability.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own has its own clock and terminal"
)]

use std::cell::Cell;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use popug_cli::app::command::Command;
use popug_cli::app::founding::Founding;
use popug_cli::app::identity::{Caller, Proof};
use popug_cli::app::reports::{Reports, Request};
use popug_cli::app::write::Manner;
use popug_cli::app::{App, Environment, Opening};
use popug_cli::consumers::run::consume_analytics;
use popug_cli::credentials::Password;
use popug_cli::domain::clock::Clock;
use popug_cli::domain::company::FoundCompany;
use popug_cli::domain::dice::Dice;
use popug_cli::domain::event::{Consumer, Event};
use popug_cli::domain::id::{Sequence, UserId};
use popug_cli::domain::task::Add;
use popug_cli::domain::time::EventTime;
use popug_cli::domain::user::Register;
use popug_cli::event_log::Patience;
use popug_cli::event_log::file_log::SEGMENT_BYTES_MAX;
use popug_cli::reports::name::ReportName;
use popug_cli::reports::render::{Format, Options, render};
use popug_cli::store::StoreDirectory;
use popug_cli::turn::Notices;
use rand::{Rng, RngExt};
use uuid::{Builder, Uuid};

const ADMIN: &str = "root";
const PASSWORD: &str = "an example's password";
const LOCK_WAIT: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let root = std::env::temp_dir().join(format!("popug-library-{}", std::process::id()));
    let outcome = a_day(&root.join("store"));
    std::fs::remove_dir_all(&root)?;
    outcome
}

fn a_day(root: &Path) -> Outcome<()> {
    let world = World::at("2026-11-20T09:00:00Z")?;
    std::fs::create_dir_all(root.parent().expect("the store lies in a directory"))?;
    let directory = StoreDirectory::new(root);
    found(&directory, &world)?;

    let app = App::open(Opening {
        directory,
        environment: &world,
        notices: &world,
        lock_wait: LOCK_WAIT,
        holder: "the library example".to_owned(),
        segment_bytes_max: SEGMENT_BYTES_MAX,
    })?;
    let proof = Proof::Password {
        login: ADMIN.to_owned(),
        password: Password::new(PASSWORD),
    };
    let admin = app.identify(&app.index()?, &proof)?;

    register(&app, &admin, "anna", "Анна Кузнецова")?;
    register(&app, &admin, "pyotr", "Pyotr Ilyich")?;
    for title in ["[UP-1] Fix the login page", "Накормить попугов"] {
        let assignee = add_task(&app, &admin, title, "first")?;
        println!("{title}: {assignee}");
    }
    complete(&app, "1")?;

    // Midnight has to be over before the day can be closed.
    world.advance_to("2026-11-21T00:05:00Z")?;
    for closed in app.close(&admin, None)?.unblocked()? {
        println!(
            "{} is closed: {} paid",
            closed.day.business_date, closed.day.payouts_total
        );
    }
    consume_analytics(&app.around())?;
    show(&app, &admin, ReportName::TrialBalance)?;
    show(&app, &admin, ReportName::Balances)
}

fn found(directory: &StoreDirectory, world: &World) -> Outcome<()> {
    let company = FoundCompany {
        name: "UberPopug Inc.".to_owned(),
        time_zone: "Europe/London".to_owned(),
        currency: "EUR".to_owned(),
        admin_login: ADMIN.to_owned(),
        admin_name: "The Root".to_owned(),
        admin_email: "root@popug.example".to_owned(),
        // Only a company that was founded so takes writes under a clock that is not the machine's.
        test_clock: true,
    };
    let founding = Founding {
        company,
        admin_password: Password::new(PASSWORD),
        founded_at: None,
        shared_log: None,
    };
    let patience = Patience {
        wait: LOCK_WAIT,
        holder: "the library example".to_owned(),
    };
    founding.carry_out(directory, world, &patience)?;
    Ok(())
}

fn register(app: &App<'_>, by: &Caller, login: &str, name: &str) -> Outcome<()> {
    let command = Command::RegisterUser(Register {
        login: login.to_owned(),
        full_name: name.to_owned(),
        email: format!("{login}@popug.example"),
        role: "developer".to_owned(),
    });
    app.execute(by.user.id, &command, &Manner::default())?;
    Ok(())
}

/// Creates a task and returns the login of whoever was drawn for it. The key makes it safe to be
/// called again.
fn add_task(app: &App<'_>, by: &Caller, title: &str, key: &str) -> Outcome<String> {
    let command = Command::AddTask(Add::new(title.to_owned(), None, None));
    let manner = Manner {
        key: Some(format!("{key}/{title}")),
    };
    let first = app.execute(by.user.id, &command, &manner)?;
    let again = app.execute(by.user.id, &command, &manner)?;
    assert!(
        again.replayed && again.events == first.events,
        "the same key gives the same result"
    );
    let [_, (_, Event::TaskAssigned(assigned))] = &first.events[..] else {
        unreachable!("a task is created together with its first assignment")
    };
    Ok(app
        .index()?
        .user(assigned.assignee_id)?
        .expect("whoever was drawn is registered")
        .login)
}

/// Completes a task as the one who holds it.
fn complete(app: &App<'_>, task: &str) -> Outcome<()> {
    let holder: UserId = {
        let index = app.index()?;
        popug_cli::app::command::known_task(&index, task)?.assignee
    };
    app.execute(
        holder,
        &Command::CompleteTasks {
            tasks: vec![task.to_owned()],
        },
        &Manner::default(),
    )?;
    Ok(())
}

fn show(app: &App<'_>, caller: &Caller, report: ReportName) -> Outcome<()> {
    let index = app.index()?;
    let reports = Reports {
        app,
        index: &index,
        company: &app.company(&index)?,
        caller,
        are_current: true,
    };
    let (report, _) = reports.load(&Request::of(report))?;
    println!("\n{}, as of event {}", report.name, report.as_of_sequence);
    Ok(render(
        &report,
        Format::Table,
        Options::default(),
        &mut std::io::stdout().lock(),
    )?)
}

/// A clock that moves when it is told to, real dice, and warnings on stderr.
struct World {
    now: Cell<EventTime>,
}

impl World {
    fn at(time: &str) -> Outcome<World> {
        Ok(World {
            now: Cell::new(time.parse()?),
        })
    }

    fn advance_to(&self, time: &str) -> Outcome<()> {
        self.now.set(time.parse()?);
        Ok(())
    }
}

impl Clock for World {
    fn now(&self) -> EventTime {
        self.now.get()
    }
}

impl Environment for World {
    fn dice(&self, _salt: &str) -> Box<dyn Dice> {
        Box::new(RealDice)
    }

    fn pinned_by(&self) -> Option<&'static str> {
        Some("the example's clock")
    }

    fn system_now(&self) -> EventTime {
        EventTime::new(jiff::Timestamp::now())
    }
}

impl Notices for World {
    fn warn(&self, message: &str) {
        eprintln!("warning: {message}");
    }

    fn advanced(&self, _consumer: Consumer, _done: Sequence, _total: Sequence) {}
}

struct RealDice;

impl Dice for RealDice {
    fn below(&mut self, bound: usize) -> usize {
        rand::rng().random_range(0..bound)
    }

    fn uuid_v7(&mut self, at: EventTime) -> Uuid {
        let mut random = [0; 10];
        rand::rng().fill_bytes(&mut random);
        let millis = u64::try_from(at.micros() / 1_000).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

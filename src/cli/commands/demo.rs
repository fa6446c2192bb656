//! `demo`: a simulated company in a new store, with every report shown.
//!
//! Invariant: one seed on one day gives the same company and the same reports, and an
//! unfinished demo leaves no file that it does not name.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::app::founding::Founding;
use crate::app::identity::Caller;
use crate::app::reports::Request;
use crate::app::simulate::Simulation;
use crate::app::{App, Environment, new_store};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::BY_OPTION;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::leftovers::Leftover;
use crate::cli::mail_settings;
use crate::credentials::Password;
use crate::domain::clock::Clock;
use crate::domain::company::FoundCompany;
use crate::domain::period::Unit;
use crate::domain::time::{BusinessDate, Zone};
use crate::reports::Report;
use crate::reports::name::ReportName;
use crate::reports::query::Dates;
use crate::reports::render::{Format, render};
use crate::store::StoreDirectory;

const TIME_ZONE: &str = "Europe/Moscow";
const ADMIN: &str = "root";
/// The rows of each report, few enough for a screen or two.
const ROWS_SHOWN: usize = 8;

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// The directory of the new store; by default a temporary directory that is named at the end
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Number of finished days to play
    #[arg(long, default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Number of popugs
    #[arg(long, default_value_t = 20, value_name = "N")]
    popugs: u32,
    /// Number of tasks created each day
    #[arg(long, default_value_t = 40, value_name = "N")]
    tasks_per_day: u32,
    /// Seed of the random choices; another seed plays another history
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

impl Demo {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let global = invocation.global;
        // In a shell the option may be that of the shell.
        if global.store_from == BY_OPTION && global.host.is_none() {
            return Err(
                Failure::usage("a demo makes a store of its own, without -C")
                    .hint("name its place with --dir DIR"),
            );
        }
        let why = "a demo needs a real store; `popug-cli simulate -n` shows the events of a simulation in an existing store";
        invocation
            .refuse_dry_run()
            .map_err(|refused| refused.hint(why))?;
        let (root, unfinished) = self.place()?;
        self.carry_out(invocation, &StoreDirectory::new(root))?;
        unfinished.keep();
        Ok(Exit::Done)
    }

    fn carry_out(
        &self,
        invocation: &Invocation<'_>,
        directory: &StoreDirectory,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let password = uuid::Uuid::from_u128(u128::from(self.seed))
            .simple()
            .to_string();
        let directory = self.found(invocation, directory, &password)?;
        let store = self.store(invocation, directory.clone())?;
        self.play(invocation, &store)?;
        let took = began.elapsed();
        self.show(invocation, &store)?;
        invocation.with_output(|out| {
            let events = store.app.log.head()?.sequence;
            let root = directory.root().display();
            writeln!(out, "{events} events in {:.1} s, every one of them a line of {root}/log", took.as_secs_f64())?;
            writeln!(out, "pay mails are in {root}/outbox")?;
            writeln!(out, "\nlook around: POPUG_PASSWORD={password} popug-cli -C {root} --as {ADMIN} report balances")?;
            Ok(())
        })
    }

    /// The place of the store, and its fate if the demo is not finished.
    fn place(&self) -> Result<(PathBuf, Leftover), Failure> {
        if let Some(dir) = &self.dir {
            new_store::check_free(dir)?;
            return Ok((dir.clone(), Leftover::told(dir)));
        }
        let mut numbers =
            std::iter::once(std::process::id()).chain(std::iter::repeat_with(rand::random));
        loop {
            let number = numbers.next().expect("numbers do not end");
            let around = std::env::temp_dir().join(format!("popug-demo-{number}"));
            match Leftover::create(&around, || DirBuilder::new().mode(0o700).create(&around)) {
                Ok((unfinished, ())) => return Ok((around.join("store"), unfinished)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let message = format!("cannot create {}: {error}", around.display());
                    return Err(Failure::new(Exit::Failure, "io", message)
                        .hint("name a place with --dir DIR"));
                }
            }
        }
    }

    /// Founds the company at the beginning of the first day to be played.
    fn found(
        &self,
        invocation: &Invocation<'_>,
        directory: &StoreDirectory,
        password: &str,
    ) -> Result<StoreDirectory, Failure> {
        let zone = Zone::named(TIME_ZONE).map_err(|error| Failure::usage(error.to_string()))?;
        let today = zone.date_of(invocation.environment.now());
        let first = today.plus_days(-i64::from(self.days));
        let company = FoundCompany {
            name: "UberPopug Inc.".into(),
            time_zone: TIME_ZONE.into(),
            currency: "EUR".into(),
            admin_login: ADMIN.into(),
            admin_name: "Корней Корнеев".into(),
            admin_email: "root@popug.example".into(),
            test_clock: invocation.environment.pinned_by().is_some(),
        };
        let founded_at = Some(zone.end_of(first.previous()));
        let founding = Founding {
            company,
            admin_password: Password::new(password),
            founded_at,
            shared_log: None,
        };
        // Prices follow from the ids of company and tasks, so these follow from the seed.
        let environment = invocation.environment.with_seed(self.seed);
        let (_, directory) = founding.carry_out(directory, &environment, &invocation.patience())?;
        Ok(directory)
    }

    fn store<'a>(
        &self,
        invocation: &Invocation<'a>,
        directory: StoreDirectory,
    ) -> Result<OpenStore<'a>, Failure> {
        let app = invocation.app_in(directory)?;
        let index = app.index()?;
        let company = app.company(&index)?;
        let user = index
            .user_named(ADMIN)?
            .expect("the admin was founded with the company");
        Ok(OpenStore {
            app,
            index,
            company,
            caller: Caller { user },
        })
    }

    fn play(&self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<(), Failure> {
        let simulation = Simulation {
            days: self.days,
            popugs: self.popugs,
            tasks_per_day: self.tasks_per_day,
            seed: self.seed,
        };
        let routes = mail_settings::files_only(store)?;
        let send = |app: &App<'_>| app.consume_notifier(&routes).map(drop);
        let progress = |days: u32| {
            invocation
                .reporter
                .progress("days", days.into(), self.days.into())
        };
        store
            .app
            .simulate(&store.caller, &simulation, &send, &progress)?;
        invocation.reporter.finish();
        Ok(())
    }

    fn show(&self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<(), Failure> {
        let today = store.company.zone.date_of(invocation.environment.now());
        for name in ReportName::ALL {
            let report = demo_report(store, name, today)?;
            invocation.with_output(|out| {
                writeln!(out, "── report {} ──", name.name())?;
                render(&report, Format::Table, invocation.options(), out)?;
                Ok(writeln!(out)?)
            })?;
        }
        Ok(())
    }
}

/// Each report with the most interesting dates.
fn demo_report(
    store: &OpenStore<'_>,
    name: ReportName,
    today: BusinessDate,
) -> Result<Report, Failure> {
    let mut request = Request::of(name);
    request.arrangement.limit = Some(ROWS_SHOWN);
    let all = Dates::Range {
        from: None,
        to: None,
    };
    match name {
        ReportName::Earnings | ReportName::TopTask | ReportName::Flow => {
            request.dates = Dates::Range {
                from: Some(today.plus_days(-7)),
                to: Some(today.previous()),
            };
            request.granularity = (name == ReportName::TopTask).then_some(Unit::Day);
        }
        ReportName::People | ReportName::Pay => {
            request.dates = all;
        }
        ReportName::Statement | ReportName::Payslip => {
            request.dates = all;
            let users = store.index.users()?;
            let popug = users.iter().find(|user| user.is_eligible());
            request.user = popug.map(|user| user.id);
        }
        _ => {}
    }
    Ok(store.reports().load(&request)?.0)
}

//! Many processes on one store for a long time: eight writers, two consumers, a reader, and one
//! that moves the clock on and closes the days; some of them are killed.
//!
//! Invariant: no process waits in vain, reports balance at every moment, and in the end all
//! acknowledged events are in the log exactly once, under their acknowledged sequences.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;

use crate::helpers::chain;
use crate::helpers::harness::Text::Any;
use crate::helpers::harness::{Call, FOUNDED, World};
use crate::helpers::kills::{Asked, Seeded};
use crate::helpers::kills::{Death, Ended, Tally};
use crate::model::books::Books;

const WRITERS: usize = 8;
const DAY_SECONDS: i64 = 86_400;

struct Crowd<'w> {
    world: &'w World,
    /// Seconds since 1970, the same for everybody.
    now: AtomicI64,
    stop: AtomicBool,
    tally: Tally,
    /// The answer under each key.
    acknowledged: Mutex<BTreeMap<String, Value>>,
    reports: AtomicU64,
    days: AtomicU64,
}

impl<'w> Crowd<'w> {
    fn of(world: &'w World) -> Crowd<'w> {
        let founded: Timestamp = FOUNDED.parse().expect("a time");
        Crowd {
            world,
            now: founded.as_second().into(),
            stop: AtomicBool::default(),
            tally: Tally::default(),
            acknowledged: Mutex::default(),
            reports: AtomicU64::new(0),
            days: AtomicU64::new(0),
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn call(&self, login: &str, words: &[&str]) -> Call<'w> {
        let now = Timestamp::from_second(self.now.load(Ordering::SeqCst)).expect("in range");
        let call = self
            .world
            .call(login, &[words, &["--lock-wait", "60s"]].concat());
        call.env("POPUG_NOW", now.to_string())
            .env("POPUG_SEGMENT_BYTES", "200000")
    }

    /// Carries a command out, sometimes with a kill; `None` if it was killed.
    fn does(&self, login: &str, words: &[&str], death: Option<Death>) -> Option<String> {
        loop {
            let (call, began) = (self.call(login, words), Instant::now());
            let ended = match &death {
                Some(death) => self.tally.kill(call, death),
                None => Ended::from(call.run()),
            };
            match ended {
                Ended::Killed => return None,
                Ended::Finished {
                    status: 0,
                    stdout,
                    stderr,
                } => {
                    assert!(
                        !stderr.contains("damaged"),
                        "{words:?} took a sound file for a damaged one\n{stderr}"
                    );
                    return Some(stdout);
                }
                // Others live a day later already.
                Ended::Finished {
                    status: 4, stderr, ..
                } if stderr.contains("the clock") => {}
                // There is no such task yet, it is somebody else's, or completed.
                Ended::Finished { status: 3..=5, .. } if words[..2] == ["task", "complete"] => {
                    return None;
                }
                Ended::Finished { status, stderr, .. } => {
                    panic!(
                        "{words:?} ended with {status} after {:?}\n{stderr}",
                        began.elapsed()
                    )
                }
            }
        }
    }

    fn write(&self, place: usize, seed: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ (place as u64) << 32);
        let logins = ["dora", "dan", "walt", "axel"];
        for n in 0.. {
            if !self.goes_on() {
                return;
            }
            let (key, number) = (
                format!("crowd/{place}/{n}"),
                rng.random_range(1..200).to_string(),
            );
            let login = logins[rng.random_range(0..4)];
            let (login, words): (&str, Vec<&str>) = match rng.random_range(0..40) {
                0 => ("mara", vec!["task", "reshuffle"]),
                1..15 => (login, vec!["task", "complete", &number]),
                _ => (login, vec!["task", "add", "One of very many"]),
            };
            let words = [&words[..], &["--key", &key, "-o", "json"]].concat();
            let death = (rng.random_range(0..5) == 0)
                .then(|| Death::After(Duration::from_millis(rng.random_range(0..40))));
            let mut answer = self.does(login, &words, death.clone());
            // A killed command is repeated, or its answer is never known.
            if answer.is_none() && death.is_some() && rng.random_range(0..2) == 0 {
                answer = self.does(login, &words, None);
            }
            if let Some(answer) = answer {
                let answer = serde_json::from_str(&answer)
                    .unwrap_or_else(|error| panic!("{error}: {answer}"));
                self.acknowledged
                    .lock()
                    .expect("no panic while it is held")
                    .insert(key, answer);
            }
        }
    }

    fn consume(&self, place: u64, seed: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ place);
        while self.goes_on() {
            let death = (rng.random_range(0..3) == 0)
                .then(|| Death::After(Duration::from_millis(rng.random_range(0..300))));
            let words: &[&str] = if place == 0 {
                &["consume"]
            } else {
                &["consume", "accounting", "notifier"]
            };
            self.does("ada", words, death);
        }
    }

    fn read(&self) {
        while self.goes_on() {
            for words in [
                &["report", "trial-balance", "-q", "-o", "json"][..],
                &["task", "list", "-o", "json"],
                &["verify", "-q"],
            ] {
                let output = self.call("axel", words).run();
                assert_eq!(output.status, 0, "{words:?}\n{}", output.stderr);
                if words[0] == "report" {
                    let totals = output.json()["totals"].clone();
                    assert_eq!(totals["debit"], totals["credit"]);
                }
                self.reports.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn close(&self) {
        while self.goes_on() {
            std::thread::sleep(Duration::from_millis(400));
            self.now.fetch_add(DAY_SECONDS, Ordering::SeqCst);
            let killed = self
                .does(
                    "cron",
                    &["close"],
                    Some(Death::After(Duration::from_millis(150))),
                )
                .is_none();
            if killed {
                self.does("cron", &["close"], None);
            }
            self.days.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn check(&self) {
        self.call("ada", &["consume"]).expect(0, Any, Any);
        let lines = self.world.log_lines();
        chain::check(&lines);
        let events = self.world.events();
        Books::of_log(&events);
        let mut batches: HashMap<&str, Vec<&Value>> = HashMap::new();
        for event in &events {
            batches
                .entry(event["commandid"].as_str().expect("a key"))
                .or_default()
                .push(event);
        }
        for (key, answer) in &*self.acknowledged.lock().expect("no panic while it is held") {
            let sequence = answer["sequence"]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {answer}"));
            let batch = batches.get(key.as_str()).map_or(&[][..], Vec::as_slice);
            let told = format!("{sequence:020}");
            assert!(
                batch.iter().any(|event| event["sequence"] == *told),
                "{key} was acknowledged: {answer}"
            );
            if let Some(task) = answer["task_id"].as_str() {
                assert!(
                    batch.iter().any(|event| event["data"]["task_id"] == task),
                    "{key}: {answer}"
                );
            }
        }
        self.call("ada", &["verify", "--deep"]).expect(0, Any, Any);
    }
}

/// Runs the crowd on a new company for this time. Returns the numbers of [`FIGURES`].
fn visit(seed: u64, duration: Duration) -> [u64; 5] {
    let world = World::new();
    let _told = Seeded {
        seed,
        world: &world,
    };
    let crowd = Crowd::of(&world);
    crowd.call("ada", &["consume"]).expect(0, Any, Any);
    std::thread::scope(|scope| {
        let crowd = &crowd;
        let mut threads: Vec<_> = (0..WRITERS)
            .map(|place| scope.spawn(move || crowd.write(place, seed)))
            .collect();
        threads.extend((0..2).map(|place| scope.spawn(move || crowd.consume(place, seed))));
        threads.push(scope.spawn(|| crowd.read()));
        threads.push(scope.spawn(|| crowd.close()));
        let began = Instant::now();
        while began.elapsed() < duration && threads.iter().all(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        crowd.stop.store(true, Ordering::Relaxed);
    });
    crowd.check();
    let acknowledged = crowd
        .acknowledged
        .lock()
        .expect("no panic while it is held")
        .len() as u64;
    let (days, reports) = (
        crowd.days.load(Ordering::Relaxed),
        crowd.reports.load(Ordering::Relaxed),
    );
    [
        acknowledged,
        world.log_lines().len() as u64,
        days,
        reports,
        crowd.tally.total(),
    ]
}

const FIGURES: [&str; 5] = ["acknowledged", "events", "days", "readings", "kills"];
/// Short enough for the checks to hold the whole history of a company in memory.
const VISIT_MAX: Duration = Duration::from_secs(120);

#[test]
#[ignore = "as long as one likes: scripts/torture"]
fn a_crowd_loses_nothing_doubles_nothing_and_gets_stuck_nowhere() {
    let asked = Asked::read();
    let (mut left, mut companies, mut sums) = (asked.duration, 0, [0; 5]);
    while !left.is_zero() {
        let duration = left.min(VISIT_MAX);
        let figures = visit(asked.seed + companies, duration);
        sums.iter_mut()
            .zip(figures)
            .for_each(|(sum, figure)| *sum += figure);
        (left, companies) = (left - duration, companies + 1);
    }
    let sums: Vec<_> = FIGURES
        .iter()
        .zip(sums)
        .map(|(name, sum)| format!("{name} {sum}"))
        .collect();
    println!(
        "crowd: seed {}\ncompanies {companies}, {}, losses 0",
        asked.seed,
        sums.join(", ")
    );
}

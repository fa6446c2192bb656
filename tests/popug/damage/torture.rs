//! Torture: a piece of a company's life is played undisturbed, then again on a copy of the same
//! store while the commands are killed, at random moments and at named places, and repeated.
//!
//! Invariant: after every kill the log begins with all acknowledged events, each in its place;
//! after every repetition it is, byte for byte, the log of the undisturbed play; in the end all
//! reports and mails are the same and `verify --deep` finds nothing. `scripts/torture` does this
//! for any duration.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::damage::rescue;
use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::kills::{self, Death, Ended, Tally};
use crate::helpers::kills::{Asked, Seeded};
use crate::helpers::play::{Play, Step};
use crate::helpers::play::{assert_same_answer, outcome};
use crate::model::books::Books;

const COMMANDS: usize = 6;
/// The number of disturbed plays of each piece.
const REPETITIONS: usize = 3;

#[derive(Default)]
struct Torture {
    tally: Tally,
    rounds: AtomicU64,
    commands: AtomicU64,
}

impl Torture {
    /// One piece of life, undisturbed and then disturbed several times.
    fn piece(&self, seed: u64) {
        let desk = tempfile::tempdir().expect("a directory");
        let mut play = Play::begin(World::new(), desk.path(), seed);
        play.go_on(COMMANDS);
        chain::check(&play.world.log_lines());
        Books::of_log(&play.world.events());
        let (log, wanted) = (play.world.log_bytes(), outcome(&play.world, &play.steps));
        for repetition in 0..REPETITIONS as u64 {
            let world = World::new();
            let _told = Seeded {
                seed,
                world: &world,
            };
            let mut rng = ChaCha20Rng::seed_from_u64(seed ^ (repetition << 48));
            self.suffer(&world, &play.steps, &log, &mut rng);
            let found = outcome(&world, &play.steps);
            for (name, bytes) in &wanted {
                assert!(
                    found.get(name) == Some(bytes),
                    "{name} is another than without kills"
                );
            }
            assert_eq!(found.len(), wanted.len(), "{:?}", found.keys());
            let last = play.steps.last().expect("it ends with consuming");
            world
                .call("ada", &["verify", "--deep"])
                .env("POPUG_NOW", &last.now)
                .expect(0, Any, Nothing);
            self.rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Carries out `steps`, killing and repeating them. `log` is the undisturbed one.
    fn suffer(&self, world: &World, steps: &[Step], log: &[u8], rng: &mut ChaCha20Rng) {
        let mut acknowledged = world.log_bytes().len();
        for step in steps {
            let mut was_killed = false;
            for _ in 0..rng.random_range(1..=3) {
                let death = self.choose(step, was_killed, rng);
                match self.tally.kill(step.call(world), &death) {
                    Ended::Killed => was_killed = true,
                    Ended::Finished {
                        status,
                        stdout,
                        stderr,
                    } => {
                        assert_eq!(status, 0, "{:?} after {death:?}\n{stderr}", step.words);
                        assert_same_answer(step, &stdout);
                        acknowledged = step.log_bytes;
                    }
                }
                let found = world.log_bytes();
                let what = || format!("{:?}, {death:?}", step.words);
                assert!(
                    found.starts_with(&log[..acknowledged]),
                    "something acknowledged is gone: {}",
                    what()
                );
                if rng.random_range(0..8) == 0 {
                    world
                        .call("ada", &["task", "list", "--all"])
                        .env("POPUG_NOW", &step.now)
                        .expect(0, Any, Any);
                }
            }
            let answer = step.call(world).expect(0, Any, Any).stdout;
            assert_same_answer(step, &answer);
            acknowledged = step.log_bytes;
            assert!(
                world.log_bytes() == log[..acknowledged],
                "another log after {:?}",
                step.words
            );
            self.commands.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Half of the time the passed place with the fewest deaths so far.
    fn choose(&self, step: &Step, was_killed: bool, rng: &mut ChaCha20Rng) -> Death {
        let recovery = ["recovery.before_cut", "recovery.before_publish"];
        if step.passed.is_empty() || rng.random_range(0..4) == 0 {
            return Death::After(step.took.mul_f64(rng.random_range(0.0..1.1)));
        }
        if was_killed && rng.random_range(0..4) == 0 {
            return Death::At(recovery[rng.random_range(0..2)].to_owned());
        }
        let anywhere = &step.passed[rng.random_range(0..step.passed.len())];
        if rng.random_range(0..2) == 0 {
            return Death::At(anywhere.clone());
        }
        let rarest = step
            .passed
            .iter()
            .min_by_key(|place| self.tally.deaths_at(place))
            .unwrap_or(anywhere);
        Death::At(rarest.clone())
    }

    fn summary(&self) -> String {
        let (rounds, commands) = (
            self.rounds.load(Ordering::Relaxed),
            self.commands.load(Ordering::Relaxed),
        );
        let mut meant = kills::places();
        meant.retain(|place| !rescue::is_of_rescue(place));
        let (kills, lines) = (self.tally.total(), self.tally.lines(&meant));
        format!("{lines}\nrounds {rounds}, commands {commands}, kills {kills}, losses 0")
    }
}

#[test]
fn entries_that_a_killed_accountant_did_not_publish_are_kept_before_anything_is_decided() {
    for words in [&["consume"][..], &["close"]] {
        let world = World::new();
        world.does("mara", &["task", "add", "Posted once"]);
        let world = die_unpublished(&world, "ada", &["consume", "accounting"]);
        let published = world.log_bytes();
        world
            .call("ada", words)
            .expect(0, Any, Has("2 whole events were kept, 0 bytes cut"));
        assert!(world.log_bytes() == published);
    }
}

/// Carries `words` out, then removes all results but the unpublished lines in the log.
fn die_unpublished(world: &World, login: &str, words: &[&str]) -> World {
    let dying = world.copied();
    dying.does(login, words);
    let after = world.copied();
    crate::helpers::harness::copy(&dying.store().join("log"), &after.store().join("log"));
    std::fs::copy(
        world.store().join("log/head"),
        after.store().join("log/head"),
    )
    .expect("copied");
    assert!(after.log_bytes() == dying.log_bytes());
    after
}

#[test]
fn a_correction_that_was_not_published_is_not_made_twice() {
    let world = World::new();
    world.does("mara", &["task", "add", "Corrected once"]);
    world.does("ada", &["consume"]);
    let entry = world.rows("ada", &["report", "entries"])[0]["entry_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let correct = ["account", "correct", &entry, "--reason", "slip"];
    let keyed = [&correct[..], &["--key", "once", "-o", "json"]].concat();
    let world = die_unpublished(&world, "ada", &keyed);
    let published = world.log_bytes();
    let answer = world.call("ada", &keyed).expect(0, Any, Any).json();
    assert_eq!(answer["replayed"], true);
    // Without the key it would be a second one, of an entry that is corrected in full.
    let refused = world
        .call("ada", &[&correct[..], &["-o", "json"]].concat())
        .expect(4, Nothing, Any);
    assert_eq!(
        crate::helpers::harness::last_error(&refused)["code"],
        "corrected_in_full"
    );
    assert!(world.log_bytes() == published);
}

#[test]
fn killed_at_random_a_company_ends_as_if_nothing_had_happened() {
    let torture = Torture::default();
    torture.piece(7);
    assert!(torture.tally.total() > 0, "nobody was killed");
    if cfg!(feature = "failpoints") {
        let is_deadly = |place: &String| torture.tally.deaths_at(place) > 0;
        assert!(
            kills::places().iter().any(is_deadly),
            "{}",
            torture.summary()
        );
    }
}

#[test]
#[ignore = "as long as one likes: scripts/torture"]
fn killed_anywhere_for_long() {
    let asked = Asked::read();
    let torture = Torture::default();
    let (began, next) = (Instant::now(), AtomicU64::new(asked.seed));
    let work = || {
        while began.elapsed() < asked.duration {
            torture.piece(next.fetch_add(1, Ordering::Relaxed));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    println!(
        "kills: seeds {} to {}\n{}",
        asked.seed,
        next.load(Ordering::Relaxed) - 1,
        torture.summary()
    );
}

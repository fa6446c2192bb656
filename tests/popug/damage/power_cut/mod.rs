//! Power cuts: the commands of a few days are recorded call by call, and the store is opened in the
//! states that a power failure during one of them may leave.
//!
//! Invariant: nothing acknowledged is lost; the commands continue to the same log, the same
//! reports and the same mails; nobody is paid twice. One test draws states, with torn writes; the
//! other one tries listed ones ([`states`]). `POPUG_POWER_CUTS=N` tries N of each; a larger number
//! than there are listed states tries them all. Needs `strace`.

mod content;
mod disk;
mod listed;
mod states;
mod trace;

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::helpers::harness::Text::Any;
use crate::helpers::harness::{Call, PASSWORD, World};
use crate::helpers::kills::Seeded;
use crate::helpers::play::{Play, Step};
use crate::helpers::play::{assert_same_answer, outcome};
use crate::helpers::settings;
use crate::helpers::sources::read;
use crate::model::books::Books;
use disk::{Change, Left, Recording, Survival};
use states::State;

/// Runs the call to its end and adds its changes to the recording.
fn record(recording: &mut Recording, world: &World, call: Call<'_>) {
    let trace = world.home().join("trace");
    let words = [
        "strace",
        "-f",
        "-y",
        "-xx",
        "-s",
        "50000000",
        "-e",
        trace::CALLS,
        "-o",
    ];
    let file = trace.to_str().expect("UTF-8");
    call.through(&[&words[..], &[file]].concat())
        .expect(0, Any, Any);
    recording.take(&read(&trace));
    std::fs::remove_file(trace).expect("removed");
}

fn begin(world: &World) -> Recording {
    Recording::begin(&world.store().canonicalize().expect("a store"))
}

/// All, some or none of the unsynced changes, and removals alone.
const SURVIVALS: [Survival; 6] = [
    Survival {
        bytes: 0,
        new_names: 0,
        moves_and_removals: 0,
    },
    Survival {
        bytes: 100,
        new_names: 100,
        moves_and_removals: 0,
    },
    Survival {
        bytes: 100,
        new_names: 0,
        moves_and_removals: 100,
    },
    Survival {
        bytes: 0,
        new_names: 100,
        moves_and_removals: 100,
    },
    Survival {
        bytes: 50,
        new_names: 50,
        moves_and_removals: 50,
    },
    Survival {
        bytes: 95,
        new_names: 95,
        moves_and_removals: 50,
    },
];

/// A moment among `changes`: half of the time next to a change of names.
fn moment(recording: &Recording, changes: Range<usize>, rng: &mut impl Rng) -> usize {
    let is_of_names =
        |change: &Change| !matches!(change, Change::Write { .. } | Change::Cut { .. });
    let chosen: Vec<_> = changes
        .clone()
        .filter(|at| is_of_names(&recording.changes[*at]))
        .collect();
    if chosen.is_empty() || rng.random_range(0..2) == 0 {
        return rng.random_range(changes.start..=changes.end);
    }
    chosen[rng.random_range(0..chosen.len())] + rng.random_range(0..2)
}

fn survival(rng: &mut impl Rng) -> Survival {
    SURVIVALS[rng.random_range(0..SURVIVALS.len())]
}

fn cut(recording: &Recording, done: usize, survival: Survival, rng: &mut impl Rng) -> Left {
    recording.cut(done, |at| survival.draws(&recording.changes[at], rng))
}

fn left_in(recording: &Recording, state: &State) -> Left {
    recording.cut(state.done, |at| !state.lost.contains(&at))
}

/// So many of the states, evenly spread, or all if there are not more.
fn picked(states: &[State], count: u64) -> Vec<&State> {
    let (all, count) = (states.len() as u64, count.min(states.len() as u64));
    eprintln!("{count} of {all} listed states are tried");
    let place = |n: u64| usize::try_from(n * all / count).expect("an index");
    (0..count).map(|n| &states[place(n)]).collect()
}

fn cuts(usual: u64) -> u64 {
    settings::number("POPUG_POWER_CUTS").unwrap_or(usual)
}

/// Some days, undisturbed.
struct Days<'d> {
    play: Play<'d>,
    recording: Recording,
    log: Vec<u8>,
}

fn days(desk: &std::path::Path, seed: u64) -> Days<'_> {
    let mut play = Play::begin(World::new(), desk, seed);
    play.two_days();
    let copy = World::new();
    let mut recording = begin(&copy);
    for step in &play.steps {
        record(&mut recording, &copy, step.call(&copy));
    }
    let log = play.world.log_bytes();
    Books::of_log(&play.world.events());
    assert!(
        copy.log_bytes() == log,
        "the recorded commands are not the ones that were played"
    );
    Days {
        play,
        recording,
        log,
    }
}

#[test]
fn after_a_power_cut_at_any_moment_of_a_days_commands_the_company_goes_on_as_if_there_had_been_none()
 {
    let desk = tempfile::tempdir().expect("a directory");
    let days = days(desk.path(), 11);
    let wanted = outcome(&days.play.world, &days.play.steps);
    for seed in 0..cuts(12) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let at = rng.random_range(0..days.play.steps.len());
        let world = World::new();
        let _told = Seeded {
            seed,
            world: &world,
        };
        let (recording, survival) = (&days.recording, survival(&mut rng));
        let changes = recording.changes_of(at);
        let done = moment(recording, changes.clone(), &mut rng);
        cut(recording, done, survival, &mut rng).put(&world.store());
        eprintln!(
            "cut {seed}: {:?} after {done} of {changes:?}, {survival:?}",
            days.play.steps[at].words,
        );
        days.assert_nothing_is_lost(&world, recording.ended(done));
        days.verify(&world, at);
        days.go_on(&world, at, days.play.steps.len());
        days.verify_deeply(&world, &days.last().now);
        let found = outcome(&world, &days.play.steps);
        for (name, bytes) in &wanted {
            assert!(
                found.get(name) == Some(bytes),
                "{name} is another than without a power cut"
            );
        }
        assert_eq!(found.len(), wanted.len(), "{:?}", found.keys());
    }
}

#[test]
fn in_every_listed_state_after_a_power_cut_the_day_is_closed_as_the_entries_say() {
    let desk = tempfile::tempdir().expect("a directory");
    let days = days(desk.path(), 12);
    let states = states::states(&days.recording);
    let tried = picked(&states, cuts(25));
    listed::try_all(&days, &tried);
}

impl Days<'_> {
    fn assert_nothing_is_lost(&self, world: &World, ended: usize) {
        let last = ended.checked_sub(1);
        let acknowledged = last.map_or(0, |last| self.play.steps[last].log_bytes);
        assert!(
            world.log_bytes().starts_with(&self.log[..acknowledged]),
            "something acknowledged is gone"
        );
    }

    /// Verifies the store before the command `next`.
    fn verify(&self, world: &World, next: usize) {
        let now = self.play.steps.get(next).unwrap_or(self.last());
        let verified = world
            .anonymous(&["verify"])
            .env("POPUG_NOW", &now.now)
            .run();
        assert!(
            [0, 7].contains(&verified.status),
            "{}{}",
            verified.stdout,
            verified.stderr
        );
    }

    /// Carries out the commands from `first` on.
    fn go_on(&self, world: &World, first: usize, end: usize) {
        for step in &self.play.steps[first..end] {
            let answer = step.call(world).expect(0, Any, Any).stdout;
            assert_same_answer(step, &answer);
            assert!(
                world.log_bytes() == self.log[..step.log_bytes],
                "another log after {:?}",
                step.words
            );
        }
    }

    /// A day after the last command.
    fn later(&self) -> String {
        let now: Timestamp = self.last().now.parse().expect("a time");
        (now + SignedDuration::from_hours(24)).to_string()
    }

    /// Closes the day that the power cut hit, and compares every figure of the log with the entries.
    fn close(&self, world: &World) {
        let later = self.later();
        for command in ["close", "consume"] {
            let call = world.call("cron", &[command]);
            call.env("POPUG_NOW", &later).expect(0, Any, Any);
        }
        let books = Books::of_log(&world.events());
        assert!(books.owed.is_empty(), "{:?}", books.owed.len());
        assert_eq!(books.payouts.len(), books.mails.len());
    }

    fn verify_deeply(&self, world: &World, now: &str) {
        world
            .call("ada", &["verify", "--deep"])
            .env("POPUG_NOW", now)
            .expect(0, Any, Any);
    }

    fn last(&self) -> &Step {
        self.play.steps.last().expect("steps")
    }
}

#[test]
fn after_a_power_cut_passwords_and_tokens_are_the_old_or_the_new_ones() {
    const NEW: &str = "another long enough password";
    let world = World::new();
    let set = |world: &World, present: &str| {
        let mut recording = begin(world);
        let call = world
            .call("ada", &["user", "set-password", "ada", "--password-stdin"])
            .env("POPUG_PASSWORD", present)
            .stdin(NEW);
        record(&mut recording, world, call);
        recording
    };
    let recording = set(&world.copied(), PASSWORD);
    let states = states::states(&recording);
    let listed = picked(&states, cuts(20)).into_iter();
    let listed = listed.map(|state| (state.done, left_in(&recording, state)));
    let drawn = (0..cuts(10)).map(|seed| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let done = moment(&recording, recording.changes_of(0), &mut rng);
        let survival = survival(&mut rng);
        (done, cut(&recording, done, survival, &mut rng))
    });
    for (n, (done, left)) in (0..).zip(listed.chain(drawn)) {
        let world = world.copied();
        let _told = Seeded {
            seed: n,
            world: &world,
        };
        left.put(&world.store());
        let lets_in = |password: &str| {
            let status = world
                .anonymous(&["whoami", "--as", "ada"])
                .env("POPUG_PASSWORD", password)
                .run()
                .status;
            assert!([0, 5].contains(&status), "exit {status}");
            status == 0
        };
        let (old, new) = (lets_in(PASSWORD), lets_in(NEW));
        assert!(old != new, "after {done} changes: {old} {new}");
        assert!(
            new || done < recording.changes.len(),
            "an acknowledged password is gone"
        );
        world.call("ada", &["whoami"]).expect(0, Any, Any);
        set(&world, if old { PASSWORD } else { NEW });
        assert!(lets_in(NEW));
    }
}

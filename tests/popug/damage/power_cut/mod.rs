//! Power cuts: the commands of a few days are recorded call by call, and the store is opened in a
//! state that a power failure during one of them may leave.
//!
//! What must hold: nothing acknowledged is lost; the commands continue to the same log, the same
//! reports and the same mails; nobody is paid twice. `POPUG_POWER_CUTS=N` tries more moments. Needs
//! `strace`.

mod disk;
mod trace;

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
use disk::{Change, Recording, Survival};

/// Runs the call to its end and records its changes to the store.
fn recorded(world: &World, call: Call<'_>) -> Recording {
    let store = world.store().canonicalize().expect("a store");
    let mut recording = Recording::begin(&store);
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
    recording.take(&store, &read(&trace));
    std::fs::remove_file(trace).expect("removed");
    recording
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

/// A moment of failure: half of the time next to a change of names.
fn moment(recording: &Recording, rng: &mut impl Rng) -> usize {
    let is_of_names =
        |change: &Change| !matches!(change, Change::Write { .. } | Change::Cut { .. });
    let chosen: Vec<_> = (0..recording.changes.len())
        .filter(|at| is_of_names(&recording.changes[*at]))
        .collect();
    if chosen.is_empty() || rng.random_range(0..2) == 0 {
        return rng.random_range(0..=recording.changes.len());
    }
    chosen[rng.random_range(0..chosen.len())] + rng.random_range(0..2)
}

fn survival(rng: &mut impl Rng) -> Survival {
    SURVIVALS[rng.random_range(0..SURVIVALS.len())]
}

fn cuts() -> u64 {
    settings::number("POPUG_POWER_CUTS").unwrap_or(30)
}

/// Some days, undisturbed.
struct Days<'d> {
    play: Play<'d>,
    recordings: Vec<Recording>,
    log: Vec<u8>,
}

fn days(desk: &std::path::Path, seed: u64) -> Days<'_> {
    let mut play = Play::begin(World::new(), desk, seed);
    play.two_days();
    let copy = World::new();
    let recordings: Vec<_> = play
        .steps
        .iter()
        .map(|step| recorded(&copy, step.call(&copy)))
        .collect();
    let log = play.world.log_bytes();
    Books::of_log(&play.world.events());
    assert!(
        copy.log_bytes() == log,
        "the recorded commands are not the ones that were played"
    );
    Days {
        play,
        recordings,
        log,
    }
}

#[test]
fn after_a_power_cut_at_any_moment_of_a_days_commands_the_company_goes_on_as_if_there_had_been_none()
 {
    let desk = tempfile::tempdir().expect("a directory");
    let days = days(desk.path(), 11);
    let wanted = outcome(&days.play.world, &days.play.steps);
    for seed in 0..cuts() {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let at = rng.random_range(0..days.recordings.len());
        let world = World::new();
        let _told = Seeded {
            seed,
            world: &world,
        };
        let (recording, survival) = (&days.recordings[at], survival(&mut rng));
        let done = moment(recording, &mut rng);
        recording.cut(done, survival, &mut rng).put(&world.store());
        eprintln!(
            "cut {seed}: {:?} after {done} of {} changes, {survival:?}",
            days.play.steps[at].words,
            recording.changes.len()
        );
        go_on(&world, &days, at, done == recording.changes.len());
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

/// Carries out the commands from the interrupted one on.
fn go_on(world: &World, days: &Days<'_>, at: usize, was_acknowledged: bool) {
    let (steps, log) = (&days.play.steps, &days.log);
    let before = at
        .checked_sub(1)
        .map_or(0, |before| steps[before].log_bytes);
    let acknowledged = if was_acknowledged {
        steps[at].log_bytes
    } else {
        before
    };
    assert!(
        world.log_bytes().starts_with(&log[..acknowledged]),
        "something acknowledged is gone"
    );
    let verified = world
        .anonymous(&["verify"])
        .env("POPUG_NOW", &steps[at].now)
        .run();
    assert!(
        [0, 7].contains(&verified.status),
        "{}{}",
        verified.stdout,
        verified.stderr
    );
    for step in &steps[at..] {
        let answer = step.call(world).expect(0, Any, Any).stdout;
        assert_same_answer(step, &answer);
        assert!(
            world.log_bytes() == log[..step.log_bytes],
            "another log after {:?}",
            step.words
        );
    }
    let last: &Step = steps.last().expect("steps");
    world
        .call("ada", &["verify", "--deep"])
        .env("POPUG_NOW", &last.now)
        .expect(0, Any, Any);
}

#[test]
fn after_a_power_cut_passwords_and_tokens_are_the_old_or_the_new_ones() {
    const NEW: &str = "another long enough password";
    let world = World::new();
    let set = |world: &World| -> Recording {
        let call = world
            .call("ada", &["user", "set-password", "ada", "--password-stdin"])
            .stdin(NEW);
        recorded(world, call)
    };
    let recording = set(&world.copied());
    for seed in 0..cuts() {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let world = world.copied();
        let _told = Seeded {
            seed,
            world: &world,
        };
        let done = moment(&recording, &mut rng);
        recording
            .cut(done, survival(&mut rng), &mut rng)
            .put(&world.store());
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
        set(&world);
        assert!(lets_in(NEW));
    }
}

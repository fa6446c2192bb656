//! Histories of several machines with random faults, each determined by its seed.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::machine::{Machine, numbers};
use super::memory::{Fault, Memory};
use crate::event_log::LogError;

const SEEDS: u64 = 40;
const STEPS: u64 = 60;

/// What the callers were told about their batches.
#[derive(Default)]
struct Journal {
    acknowledged: Vec<u64>,
    in_doubt: Vec<u64>,
    refused: Vec<u64>,
}

fn a_fault(dice: &mut ChaCha20Rng) -> Option<Fault> {
    match dice.random_range(0..12) {
        0 => Some(Fault::NotSent),
        1 => Some(Fault::RequestLost),
        2 => Some(Fault::AnswerLost),
        3 => Some(Fault::Delayed),
        4 => Some(Fault::Repeated),
        _ => None,
    }
}

fn play(seed: u64) {
    let mut dice = ChaCha20Rng::seed_from_u64(seed);
    let remote = Memory::default();
    let machines: Vec<_> = (0..3)
        .map(|_| Machine::with(Arc::new(remote.clone())))
        .collect();
    let mut journal = Journal::default();
    for number in 1..=STEPS {
        remote.plan([a_fault(&mut dice)]);
        let machine = &machines[dice.random_range(0..machines.len())];
        if dice.random_range(0..4) == 0 {
            machine.log().follow().unwrap();
        }
        match machine.append(number, dice.random_range(1..4)) {
            Ok(_) => journal.acknowledged.push(number),
            Err(LogError::InDoubt { .. }) => journal.in_doubt.push(number),
            // A settled intent may use up the fault, or be hit by it before this batch is tried.
            Err(LogError::Unreachable { .. } | LogError::HeadMoved { .. }) => {
                journal.refused.push(number);
            }
            Err(error) => panic!("seed {seed}, {number}: {error}"),
        }
        for machine in &machines {
            assert!(remote.lines().starts_with(&machine.lines()), "seed {seed}");
        }
    }
    remote.calm();
    for machine in &machines {
        drop(
            machine
                .log()
                .writer(&crate::event_log::tests::sample::AT_ONCE)
                .unwrap(),
        );
    }
    for machine in &machines {
        machine.log().follow().unwrap();
        assert_eq!(machine.lines(), remote.lines(), "seed {seed}");
    }
    let found = numbers(&remote.lines());
    let times = |number: &u64| found.iter().filter(|other| *other == number).count();
    for number in &journal.acknowledged {
        assert_eq!(times(number), 1, "seed {seed}: acknowledged {number}");
    }
    for number in &journal.in_doubt {
        assert!(times(number) <= 1, "seed {seed}: in doubt {number}");
    }
    for number in &journal.refused {
        assert_eq!(times(number), 0, "seed {seed}: refused {number}");
    }
    assert!(!journal.acknowledged.is_empty());
}

#[test]
fn random_faults_lose_and_double_nothing() {
    (0..SEEDS).for_each(play);
}

//! Random histories of a company, played step by step on the product and on a plain model of the
//! rules, which must agree on everything: refusals and their reasons, every member of every
//! appended event, and every figure of every report.
//!
//! The product is real: files, SQLite, DuckDB, in one process. Processes are killed between any two
//! of its durable steps, consumers are stopped anywhere, clocks are turned, another program closes
//! dates, events are set aside, retried and skipped, files imported, pay mails sent. The model
//! shares no rule with the product: it uses vectors, sums over single entries, a calendar that
//! reads the clock minute by minute, and a list of texts with their meaning.
//!
//! `POPUG_MODEL_CASES=2000` plays more histories than the few of the normal suite, and
//! `POPUG_MODEL_SEED=N` other ones. A failing run prints both for the failing history, and a
//! shorter history without unnecessary steps:
//!
//! ```sh
//! POPUG_MODEL_CASES=2000 POPUG_MODEL_SEED=7 cargo test --release --test popug -- model::
//! ```

mod audit;
mod bookkeeping;
pub mod books;
pub mod calendar;
mod command;
mod decisions;
mod flow;
mod imports;
mod letters;
mod mails;
mod pay;
mod play;
mod records;
mod recount;
pub mod reports;
mod resolve;
mod rules;
mod sheets;
mod steps;
mod store;
mod titles;

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::helpers::settings::number;
use steps::{History, history};

const CASES: u64 = 4;
const SEED: u64 = 1;

#[test]
fn the_product_and_a_plain_model_of_the_rules_agree_on_random_histories() {
    let (cases, seed) = (
        number("POPUG_MODEL_CASES").unwrap_or(CASES),
        number("POPUG_MODEL_SEED").unwrap_or(SEED),
    );
    for seed in (0..cases).map(|case| seed.wrapping_add(case)) {
        if let Err(failed) = run(seed) {
            panic!(
                "the histories part; again with POPUG_MODEL_CASES=1 POPUG_MODEL_SEED={seed}\n{failed}"
            );
        }
    }
}

/// Plays the history of `seed`; if it fails, looks for a shorter one that fails.
fn run(seed: u64) -> Result<(), String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let tree = history()
        .new_tree(&mut TestRunner::new_with_rng(Config::default(), rng))
        .expect("a history");
    let history = tree.current();
    let Some(why) = failure(&history) else {
        return Ok(());
    };
    let (history, why) = shortened(history, why);
    Err(format!("{why}\n{}", told(&history)))
}

fn failure(history: &History) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| play::play(history))) {
        Ok(played) => played.err(),
        Err(panic) => Some(
            panic
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| "it panics".to_owned()),
        ),
    }
}

/// Removes runs of steps, shorter and shorter ones, as long as the history still fails, until every
/// step is needed.
fn shortened(mut history: History, mut why: String) -> (History, String) {
    let mut run = history.steps.len().div_ceil(2);
    loop {
        let (before, mut start) = (history.steps.len(), 0);
        while start < history.steps.len() {
            let mut shorter = history.clone();
            shorter
                .steps
                .drain(start..(start + run).min(history.steps.len()));
            match failure(&shorter) {
                Some(other) => (history, why) = (shorter, other),
                None => start += run,
            }
        }
        match run {
            1 if history.steps.len() == before => return (history, why),
            1 => {}
            _ => run = run.div_ceil(2),
        }
    }
}

/// A history, one step on each line.
fn told(history: &History) -> String {
    let (zone, founded) = steps::FOUNDINGS[history.founding];
    let steps = history
        .steps
        .iter()
        .enumerate()
        .map(|(n, step)| format!("{n:>3}  {:?}, {:?}\n", step.wait, step.step));
    format!(
        "founded at {founded} in {zone}, dice {}\n{}",
        history.seed,
        steps.collect::<String>()
    )
}

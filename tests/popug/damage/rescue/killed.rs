//! Backups, restores and repairs that are killed and repeated.

use super::*;

#[derive(Default)]
struct Rescue {
    tally: Tally,
    rounds: AtomicU64,
}

impl Rescue {
    /// Carries out `job`, killed by these `deaths`, and then to its end.
    fn round(&self, job: &Job, deaths: &[Death], seed: u64) {
        let world = job.before.twin();
        let _told = Seeded {
            seed,
            world: &world,
        };
        for death in deaths {
            match self.tally.kill(job.call(&world), death) {
                Ended::Killed | Ended::Finished { status: 0, .. } => {}
                Ended::Finished {
                    status: 4, stderr, ..
                } if stderr.contains("store_exists") => {}
                Ended::Finished { status, stderr, .. } => {
                    panic!("{}: exit {status} at {death:?}\n{stderr}", job.name)
                }
            }
            job.check(&world);
        }
        job.finish(&world);
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Kills at any place that the command passes, or at any moment, up to three times.
    fn random_round(&self, jobs: &[Job], seed: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let job = &jobs[rng.random_range(0..jobs.len())];
        let deaths: Vec<Death> = (0..rng.random_range(1..=3))
            .map(|_| any_death(job, &mut rng))
            .collect();
        self.round(job, &deaths, seed);
    }

    fn killed_at_every_place(&self) {
        let mut spared = places();
        spared.retain(|place| self.tally.deaths_at(place) == 0);
        assert!(spared.is_empty(), "nobody dies at {spared:?}");
    }
}

/// The named places that only rescue commands pass.
fn places() -> Vec<String> {
    let mut places = kills::places();
    places.retain(|place| is_of_rescue(place));
    places
}

fn any_death(job: &Job, rng: &mut ChaCha20Rng) -> Death {
    if job.passed.is_empty() || rng.random_range(0..4) == 0 {
        return Death::After(job.took.mul_f64(rng.random_range(0.0..1.1)));
    }
    Death::At(job.passed[rng.random_range(0..job.passed.len())].clone())
}

/// A build with `failpoints` also kills them at every named place.
#[test]
fn killed_at_random_backup_restore_and_repair_end_as_if_nothing_had_happened() {
    let rescue = Rescue::default();
    for (number, job) in (0..).zip(&jobs()) {
        let mut rng = ChaCha20Rng::seed_from_u64(number);
        let deaths =
            [0.9, 1.1].map(|most| Death::After(job.took.mul_f64(rng.random_range(0.3..most))));
        rescue.round(job, &deaths, number);
        for death in job.first_passings() {
            rescue.round(job, &[death], number);
        }
    }
    assert!(rescue.tally.total() > 0, "nobody was killed");
    if cfg!(feature = "failpoints") {
        rescue.killed_at_every_place();
    }
}

#[test]
#[ignore = "as long as one likes: scripts/torture"]
fn rescuers_killed_anywhere_for_long() {
    let asked = Asked::read();
    let (rescue, jobs, began) = (Rescue::default(), jobs(), Instant::now());
    // Each job dies at the first passing of each place, then at random.
    let everywhere: Vec<_> = jobs
        .iter()
        .flat_map(|job| job.first_passings().into_iter().map(move |at| (job, at)))
        .collect();
    let (at_first, next) = (AtomicU64::new(0), AtomicU64::new(asked.seed));
    let work = || {
        let turn = || usize::try_from(at_first.fetch_add(1, Ordering::Relaxed)).ok();
        while let Some((job, death)) = turn().and_then(|turn| everywhere.get(turn)) {
            rescue.round(job, std::slice::from_ref(death), asked.seed);
        }
        while began.elapsed() < asked.duration {
            rescue.random_round(&jobs, next.fetch_add(1, Ordering::Relaxed));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    println!(
        "rescuers: seeds {} to {}\n{}",
        asked.seed,
        next.load(Ordering::Relaxed),
        rescue.tally.lines(&places())
    );
    println!(
        "rounds {}, kills {}, losses 0",
        rescue.rounds.load(Ordering::Relaxed),
        rescue.tally.total()
    );
    rescue.killed_at_every_place();
}

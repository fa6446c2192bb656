//! Rule T2 in numbers: the draw is uniform, measured with Pearson's chi-square on pinned dice.

use std::collections::HashMap;

use crate::domain::event::Event;
use crate::domain::id::UserId;
use crate::domain::role::Role;
use crate::domain::task::{self, Add, Status, Task};
use crate::domain::tests::dice::PinnedDice;
use crate::domain::tests::facts::{joined, task_id, user_id};
use crate::domain::tests::scenario::{Command, World, given};

const POPUGS: usize = 10;
/// Chi-square of 9 degrees of freedom stays below this in 999 of 1,000 fair runs.
const FAIR_MAX: f64 = 27.877;
/// Chi-square stays above this in 999 of 1,000 fair runs; results that are too even are not random.
const FAIR_MIN: f64 = 1.152;

fn company() -> World {
    let popugs = (0..POPUGS).map(|n| joined(&format!("popug{n}"), Role::Worker));
    given([joined("anna", Role::Admin)].into_iter().chain(popugs))
}

fn reshuffled(tasks: u64) -> Vec<UserId> {
    let world = company();
    let (assignee, status, assignment_no) = (user_id("popug0"), Status::Open, 1);
    let open = (1..=tasks).map(|number| Task {
        id: task_id(number),
        number,
        created_by: user_id("anna"),
        status,
        assignee,
        assignment_no,
    });
    let open: Vec<_> = open.collect();
    let events = task::reshuffle(
        world.user("anna"),
        &open,
        &world.eligible(),
        &mut PinnedDice::new(1),
    );
    assignees(&events.unwrap()).collect()
}

fn assignees(events: &[Event]) -> impl Iterator<Item = UserId> {
    events.iter().filter_map(|event| match event {
        Event::TaskAssigned(assigned) => Some(assigned.assignee_id),
        _ => None,
    })
}

fn chi_square(drawn: impl IntoIterator<Item = UserId>) -> f64 {
    let mut counts: HashMap<UserId, u32> = HashMap::new();
    drawn
        .into_iter()
        .for_each(|user| *counts.entry(user).or_default() += 1);
    assert_eq!(counts.len(), POPUGS, "everybody is drawn");
    let expected = f64::from(counts.values().sum::<u32>()) / POPUGS as f64;
    counts
        .values()
        .map(|count| (f64::from(*count) - expected).powi(2) / expected)
        .sum()
}

#[test]
fn a_new_task_goes_to_anybody_with_equal_chance() {
    let mut world = company();
    let add = || Add::new("Fix it".into(), None, None);
    let mut drawn = Vec::new();
    for _ in 0..10_000 {
        drawn.extend(assignees(&world.when("anna", Command::Add(add())).unwrap()));
        world.tasks.clear();
    }
    let chi_square = chi_square(drawn);
    assert!((FAIR_MIN..FAIR_MAX).contains(&chi_square), "{chi_square}");
}

#[test]
fn a_reshuffled_task_goes_to_anybody_with_equal_chance() {
    let chi_square = chi_square(reshuffled(10_000));
    assert!((FAIR_MIN..FAIR_MAX).contains(&chi_square), "{chi_square}");
}

/// Each task is drawn independently: pairs of neighbours are as even as single draws.
#[test]
fn tasks_of_one_reshuffle_are_drawn_independently() {
    let mut pairs: HashMap<(UserId, UserId), u32> = HashMap::new();
    reshuffled(20_000)
        .chunks(2)
        .for_each(|pair| *pairs.entry((pair[0], pair[1])).or_default() += 1);
    let expected = 10_000.0 / (POPUGS * POPUGS) as f64;
    let unseen = (POPUGS * POPUGS - pairs.len()) as f64 * expected;
    let chi_square: f64 = unseen
        + pairs
            .values()
            .map(|n| (f64::from(*n) - expected).powi(2) / expected)
            .sum::<f64>();
    // 99 degrees of freedom, one in 1,000 on either side.
    assert!((60.0..149.0).contains(&chi_square), "{chi_square}");
}

//! The cases that every remote must pass, with copies that follow it.

use std::sync::Arc;
use std::time::Duration;

use super::machine::{Machine, numbered, numbers};
use crate::domain::id::Sequence;
use crate::event_log::remote::{End, Remote, TurnOf};
use crate::event_log::tests::sample::{AT_ONCE, batch};
use crate::event_log::{Encoded, Hash, LogError, Patience};

/// The part of an exchange that gets lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    Request,
    Answer,
}

/// A remote with one company, whose faults a test decides.
pub(crate) trait World {
    /// The remote as a machine of its own sees it.
    fn open(&self) -> Arc<dyn Remote>;
    fn set_down(&self, is_down: bool);
    /// The next append is in doubt: the remote got it only if the answer is lost.
    fn lose(&self, loss: Loss);
    /// The next read breaks off after this many lines.
    fn cut_next_read(&self, lines: usize);
    /// Forgets what was acknowledged behind `kept`, as an asynchronous failover does.
    fn replace(&self, kept: Sequence, kept_hash: Hash);
    /// Changes the stored line of an event, whose title is named `title`.
    fn spoil(&self, sequence: Sequence);
}

type Case = (&'static str, fn(&dyn World));

pub(crate) const CASES: [Case; 27] = [
    ("an empty remote has no end", empty),
    ("lines are kept byte for byte", byte_for_byte),
    ("a wrong sequence is refused", wrong_sequence),
    ("a wrong hash is refused", wrong_hash),
    ("of two racers one wins", race),
    ("a read begins and ends where asked", ranges),
    ("a batch of 20,000 is whole", large_batch),
    ("a turn excludes others", turn_excludes),
    ("a turn given back is free", turn_is_free),
    ("kinds of turns are apart", kinds_of_turns),
    ("copies write in turns", in_turns),
    ("copies write at once", at_once),
    ("a new copy fetches everything", new_copy),
    ("a lost answer is settled by the next writer", answer_lost),
    ("a lost request is sent by the next writer", request_lost),
    ("a lost answer, and others wrote", answer_lost_others_wrote),
    (
        "a lost request, and others wrote",
        request_lost_others_wrote,
    ),
    ("an intent is not sent by a reader", reader_sends_nothing),
    ("an unreachable remote takes nothing", unreachable),
    ("a cut read leaves whole batches", cut_read),
    ("a rolled back remote is refused", rolled_back),
    ("a replaced end is refused", replaced),
    ("a replaced history is refused", replaced_and_longer),
    ("a spoilt line is not taken", spoilt),
    ("a lost slot is no damage", lost_slot),
    ("a lost head is no damage", lost_head),
    ("a draft sends nothing", draft),
];

fn encoded(number: u64, events: u64, follows: End) -> Encoded {
    let batch = numbered(number, events, follows.0);
    Encoded::behind(follows.0, follows.1, &[batch]).unwrap()
}

const START: End = (Sequence::ZERO, Hash::ZERO);

fn put(remote: &dyn Remote, number: u64, events: u64) -> Result<End, LogError> {
    let follows = remote.standing()?.end;
    let batch = encoded(number, events, follows);
    remote.append(follows, batch.last(), &batch.lines)?;
    Ok(batch.last())
}

fn lines_of(remote: &dyn Remote, after: u64, through: u64) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut take = |line: &[u8]| {
        lines.push(line.to_vec());
        Ok(())
    };
    remote
        .read(Sequence(after), Sequence(through), &mut take)
        .unwrap();
    lines
}

fn is_moved<T: std::fmt::Debug>(result: Result<T, LogError>) -> bool {
    matches!(result, Err(LogError::HeadMoved { .. }))
}

fn empty(world: &dyn World) {
    let remote = world.open();
    assert_eq!(remote.standing().unwrap().end, START);
    assert!(lines_of(&*remote, 0, 5).is_empty());
    let machine = Machine::with(remote);
    machine.log().follow().unwrap();
    assert!(machine.lines().is_empty());
}

fn byte_for_byte(world: &dyn World) {
    let remote = world.open();
    let mut batch = batch(3, 3);
    batch.command_id = "a\tb\\c\\n\u{0}'\"$1\u{1F600}\u{202e}%s".to_owned();
    let batch = Encoded::behind(Sequence::ZERO, Hash::ZERO, &[batch]).unwrap();
    remote.append(START, batch.last(), &batch.lines).unwrap();
    let mut read = lines_of(&*world.open(), 0, 3).join(&b'\n');
    read.push(b'\n');
    assert!(read == batch.lines);
    assert_eq!(remote.standing().unwrap().end, batch.last());
}

fn wrong_sequence(world: &dyn World) {
    let remote = world.open();
    let first = put(&*remote, 1, 2).unwrap();
    let late = encoded(2, 1, START);
    assert!(is_moved(remote.append(START, late.last(), &late.lines)));
    assert_eq!(remote.standing().unwrap().end, first);
    assert_eq!(lines_of(&*remote, 0, 9).len(), 2);
}

fn wrong_hash(world: &dyn World) {
    let remote = world.open();
    let first = put(&*remote, 1, 2).unwrap();
    let other = (first.0, Hash::of_bytes(b"another log"));
    let batch = encoded(2, 1, other);
    assert!(is_moved(remote.append(other, batch.last(), &batch.lines)));
    assert_eq!(lines_of(&*remote, 0, 9).len(), 2);
}

fn race(world: &dyn World) {
    put(&*world.open(), 1, 1).unwrap();
    let racers: Vec<_> = (0..4).map(|_| world.open()).collect();
    let follows = racers[0].standing().unwrap().end;
    let won: usize = std::thread::scope(|threads| {
        let race = |(number, remote): (u64, &Arc<dyn Remote>)| {
            let batch = encoded(number, 2, follows);
            match remote.append(follows, batch.last(), &batch.lines) {
                Ok(()) => 1,
                Err(LogError::HeadMoved { .. }) => 0,
                Err(error) => panic!("{error}"),
            }
        };
        let run = |racer| threads.spawn(move || race(racer));
        let running: Vec<_> = (2..).zip(&racers).map(run).collect();
        running.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(won, 1);
    assert_eq!(lines_of(&*racers[0], 0, 9).len(), 3);
}

fn ranges(world: &dyn World) {
    let remote = world.open();
    put(&*remote, 1, 3).unwrap();
    put(&*remote, 2, 2).unwrap();
    let all = lines_of(&*remote, 0, 5);
    assert_eq!(all.len(), 5);
    assert_eq!(lines_of(&*remote, 2, 4), all[2..4]);
    assert_eq!(lines_of(&*remote, 4, 99), all[4..]);
    assert!(lines_of(&*remote, 5, 9).is_empty());
}

fn large_batch(world: &dyn World) {
    let writer = Machine::with(world.open());
    writer.append(1, 20_000).unwrap();
    let reader = Machine::with(world.open());
    reader.log().follow().unwrap();
    assert_eq!(reader.lines().len(), 20_000);
    assert!(reader.lines() == writer.lines());
}

fn turn_excludes(world: &dyn World) {
    let (one, other) = (world.open(), world.open());
    let held = one
        .turn(TurnOf::Writer, "the first", Duration::ZERO)
        .unwrap();
    let refused = other.turn(TurnOf::Writer, "the second", Duration::from_millis(50));
    assert!(matches!(refused, Err(LogError::Locked { .. })));
    drop(refused);
    drop(held);
}

fn turn_is_free(world: &dyn World) {
    let (one, other) = (world.open(), world.open());
    for _ in 0..3 {
        drop(one.turn(TurnOf::Writer, "one", Duration::ZERO).unwrap());
        let wait = Duration::from_secs(5);
        drop(other.turn(TurnOf::Writer, "other", wait).unwrap());
    }
}

fn kinds_of_turns(world: &dyn World) {
    let (one, other) = (world.open(), world.open());
    let turns = [TurnOf::Writer, TurnOf::Books, TurnOf::Mails];
    let held = turns.map(|of| one.turn(of, "one", Duration::ZERO).unwrap());
    for of in turns {
        assert!(other.turn(of, "other", Duration::ZERO).is_err());
    }
    drop(held);
}

fn in_turns(world: &dyn World) {
    let machines = [Machine::with(world.open()), Machine::with(world.open())];
    for number in 1..=10 {
        let machine = &machines[usize::try_from(number % 2).unwrap()];
        machine.append(number, number % 3 + 1).unwrap();
    }
    machines
        .iter()
        .for_each(|machine| machine.log().follow().unwrap());
    assert_eq!(numbers(&machines[0].lines()), (1..=10).collect::<Vec<_>>());
    assert_eq!(machines[0].lines(), machines[1].lines());
    assert_eq!(machines[0].lines(), machines[0].lines_there());
}

fn at_once(world: &dyn World) {
    let machines: Vec<_> = (0..3).map(|_| Machine::with(world.open())).collect();
    let patient = Patience {
        wait: Duration::from_secs(60),
        holder: "one of several".to_owned(),
    };
    std::thread::scope(|threads| {
        for (machine, first) in machines.iter().zip([1, 101, 201]) {
            let patient = &patient;
            threads.spawn(move || {
                for number in first..first + 10 {
                    machine.append_within(patient, number, 2).unwrap();
                }
            });
        }
    });
    for machine in &machines {
        machine.log().follow().unwrap();
        assert_eq!(machine.lines(), machines[0].lines_there());
    }
    let mut found = numbers(&machines[0].lines());
    found.sort_unstable();
    let expected: Vec<u64> = [1, 101, 201].into_iter().flat_map(|n| n..n + 10).collect();
    assert_eq!(found, expected);
}

fn new_copy(world: &dyn World) {
    let first = Machine::with(world.open());
    first.append_all(1..=8, 3);
    let second = Machine::with(world.open());
    second.log().follow().unwrap();
    assert_eq!(second.lines(), first.lines());
    second.append(9, 1).unwrap();
    first.append(10, 1).unwrap();
    assert_eq!(numbers(&first.lines()), (1..=10).collect::<Vec<_>>());
}

/// A batch whose answer or request is lost, after a first one.
fn in_doubt(world: &dyn World, loss: Loss) -> Machine {
    let machine = Machine::with(world.open());
    machine.append(1, 2).unwrap();
    world.lose(loss);
    let doubtful = machine.append(2, 2);
    assert!(
        matches!(doubtful, Err(LogError::InDoubt { .. })),
        "{doubtful:?}"
    );
    assert_eq!(numbers(&machine.lines()), [1], "it is not acknowledged");
    machine
}

fn answer_lost(world: &dyn World) {
    let machine = in_doubt(world, Loss::Answer);
    machine.append(3, 1).unwrap();
    assert_eq!(numbers(&machine.lines()), [1, 2, 3]);
    assert_eq!(machine.lines(), machine.lines_there());
}

fn request_lost(world: &dyn World) {
    let machine = in_doubt(world, Loss::Request);
    machine.append(3, 1).unwrap();
    assert_eq!(numbers(&machine.lines()), [1, 2, 3]);
    assert_eq!(machine.lines(), machine.lines_there());
}

fn answer_lost_others_wrote(world: &dyn World) {
    let machine = in_doubt(world, Loss::Answer);
    let other = Machine::with(world.open());
    other.append(7, 3).unwrap();
    machine.append(3, 1).unwrap();
    assert_eq!(numbers(&machine.lines()), [1, 2, 7, 3]);
    assert_eq!(machine.lines(), machine.lines_there());
}

fn request_lost_others_wrote(world: &dyn World) {
    let machine = in_doubt(world, Loss::Request);
    let other = Machine::with(world.open());
    other.append(7, 3).unwrap();
    machine.append(3, 1).unwrap();
    assert_eq!(numbers(&machine.lines()), [1, 7, 3], "it was overtaken");
    assert_eq!(machine.lines(), machine.lines_there());
}

fn reader_sends_nothing(world: &dyn World) {
    let machine = in_doubt(world, Loss::Request);
    machine.log().follow().unwrap();
    assert_eq!(numbers(&machine.lines()), [1]);
    assert_eq!(numbers(&machine.lines_there()), [1]);
    machine.append(3, 1).unwrap();
    assert_eq!(numbers(&machine.lines_there()), [1, 2, 3]);
}

fn unreachable(world: &dyn World) {
    let machine = Machine::with(world.open());
    machine.append(1, 2).unwrap();
    world.set_down(true);
    let refused = machine.append(2, 1);
    assert!(
        matches!(refused, Err(LogError::Unreachable { .. })),
        "{refused:?}"
    );
    let reader = machine.log().follow();
    assert!(matches!(reader, Err(LogError::Unreachable { .. })));
    assert_eq!(numbers(&machine.lines()), [1], "the copy is still read");
    world.set_down(false);
    let machine = machine.through(world.open());
    machine.append(3, 1).unwrap();
    assert_eq!(numbers(&machine.lines()), [1, 3]);
    assert_eq!(machine.lines(), machine.lines_there());
}

fn cut_read(world: &dyn World) {
    let first = Machine::with(world.open());
    first.append_all(1..=4, 3);
    let second = Machine::with(world.open());
    world.cut_next_read(4);
    assert!(second.log().follow().is_err());
    assert_eq!(second.lines().len() % 3, 0, "no batch is half there");
    let second = second.through(world.open());
    second.log().follow().unwrap();
    assert_eq!(second.lines(), first.lines());
}

/// Two machines with five batches; the remote forgets the last two.
fn forgetful(world: &dyn World) -> [Machine; 2] {
    let machines = [Machine::with(world.open()), Machine::with(world.open())];
    let mut kept = None;
    for number in 1..=5 {
        let head = machines[0].append(number, 2).unwrap();
        kept = kept.or((number == 3).then_some(head));
    }
    machines[1].log().follow().unwrap();
    let kept = kept.unwrap();
    world.replace(kept.sequence, kept.hash);
    machines
}

fn assert_rolled_back(machine: &Machine) {
    let before = machine.lines();
    for refused in [machine.log().follow(), machine.append(50, 1).map(drop)] {
        assert!(
            matches!(refused, Err(LogError::RolledBack { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(machine.lines(), before, "the copy keeps what it has");
}

fn rolled_back(world: &dyn World) {
    forgetful(world).iter().for_each(assert_rolled_back);
}

fn replaced(world: &dyn World) {
    let machines = forgetful(world);
    let fresh = Machine::with(world.open());
    fresh.append(21, 2).unwrap();
    fresh.append(22, 2).unwrap();
    machines.iter().for_each(assert_rolled_back);
}

fn replaced_and_longer(world: &dyn World) {
    let machines = forgetful(world);
    let fresh = Machine::with(world.open());
    fresh.append_all(21..=26, 2);
    machines.iter().for_each(assert_rolled_back);
}

fn spoilt(world: &dyn World) {
    let first = Machine::with(world.open());
    first.append_all(1..=4, 2);
    world.spoil(Sequence(6));
    let second = Machine::with(world.open());
    let found = second.log().follow();
    assert!(
        matches!(
            found,
            Err(LogError::DamagedThere {
                sequence: Sequence(6),
                ..
            })
        ),
        "{found:?}"
    );
    assert!(second.lines().len() <= 4);
    assert!(second.append(5, 1).is_err());
}

fn spoilt_slot(world: &dyn World, slots: &[usize], with_intent: bool) {
    let machine = Machine::with(world.open());
    machine.append_all(1..=4, 3);
    if with_intent {
        world.lose(Loss::Request);
        assert!(machine.append(5, 2).is_err());
    }
    let mut head = machine.disk.bytes("head");
    slots.iter().for_each(|slot| head[slot * 4096 + 20] ^= 1);
    machine.disk.put("head", &head);
    machine.append(6, 2).unwrap();
    let expected: &[u64] = if with_intent {
        &[1, 2, 3, 4, 5, 6]
    } else {
        &[1, 2, 3, 4, 6]
    };
    assert_eq!(numbers(&machine.lines()), expected, "{slots:?}");
    assert_eq!(machine.lines(), machine.lines_there());
    world.replace(Sequence::ZERO, Hash::ZERO);
}

fn lost_slot(world: &dyn World) {
    for slot in 0..2 {
        spoilt_slot(world, &[slot], false);
    }
}

fn lost_head(world: &dyn World) {
    spoilt_slot(world, &[0, 1], false);
    let machine = Machine::with(world.open());
    machine.append(1, 3).unwrap();
    machine.disk.delete("head");
    machine.append(2, 1).unwrap();
    assert_eq!(numbers(&machine.lines()), [1, 2]);
}

fn draft(world: &dyn World) {
    let (machine, other) = (Machine::with(world.open()), Machine::with(world.open()));
    other.append(1, 2).unwrap();
    let log = machine.log().draft();
    let mut drafted = Vec::new();
    {
        let mut writer = log.writer(&AT_ONCE).unwrap();
        let head = *writer.head();
        assert_eq!(head.sequence, Sequence(2), "it follows");
        writer
            .append(&head, &numbered(2, 2, head.sequence))
            .unwrap();
    }
    log.for_each_drafted(|line| {
        drafted.push(line.text.to_owned());
        Ok::<_, LogError>(())
    })
    .unwrap();
    assert_eq!(numbers(&drafted), [2]);
    assert!(machine.lines().is_empty(), "nothing reached the disk");
    assert_eq!(numbers(&machine.lines_there()), [1]);
}

//! How many events a second the log takes and gives, beside what the disk can do.
//!
//! `cargo bench --profile release --no-default-features --bench log`. Each number is the median of
//! several runs in one process, since machines are noisy; the ratio is what to compare.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock, starts programs and prints"
)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use popug_cli::domain::event::AssignmentReason;
use popug_cli::domain::event::{
    Actor, BalanceChanged, Consumer, Event, Fact, TaskAssigned, TaskCompleted, TaskCreated,
};
use popug_cli::domain::id::{EntryId, EventId, Sequence, TaskId, UserId};
use popug_cli::domain::ledger::entry::EntryKind;
use popug_cli::domain::money::Money;
use popug_cli::domain::time::{BusinessDate, EventTime};
use popug_cli::event_log::audit::Depth;
use popug_cli::event_log::{Batch, FileLog, Patience};
use uuid::Uuid;

const RUNS: usize = 7;
const BATCHES: u64 = 20;
const BATCH_EVENTS: u64 = 10_000;

fn main() {
    let batches: Vec<_> = (0..BATCHES).map(batch).collect();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut appends, mut raws, mut reads, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let (mut chains, mut decodings, mut sums) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let path = directory.path().join(run.to_string());
        let log = FileLog::create(&path).expect("a new log");
        appends.push(seconds(|| append(&log, &batches)));
        reads.push(seconds(|| read(&log)));
        chains.push(seconds(|| audit(&log, Depth::Chain)));
        decodings.push(seconds(|| audit(&log, Depth::Decoding)));
        sums.push(seconds(|| sha256sum(&path)));
        let lines = segments(&path);
        bytes = lines.len();
        raws.push(seconds(|| write_raw(&directory.path().join("raw"), &lines)));
        std::fs::remove_dir_all(path).expect("removed");
    }
    let events = (BATCHES * BATCH_EVENTS) as f64;
    let (append, raw, read) = (median(&mut appends), median(&mut raws), median(&mut reads));
    println!(
        "{events} events of {:.0} bytes, batches of {BATCH_EVENTS}, median of {RUNS} runs",
        bytes as f64 / events
    );
    println!("append       {:>9.0} events/s", events / append);
    println!(
        "raw write    {:>9.0} events/s  (same bytes, write and fdatasync for each batch)",
        events / raw
    );
    println!("append/raw   {:>9.2}", raw / append);
    println!("read, verify {:>9.0} events/s", events / read);
    let (chain, decoding, sum) = (
        median(&mut chains),
        median(&mut decodings),
        median(&mut sums),
    );
    println!(
        "sha256sum    {:>9.0} events/s  (the program of that name, one thread)",
        events / sum
    );
    println!(
        "audit, chain {:>9.0} events/s  (two threads), {:.2} of sha256sum's time",
        events / chain,
        chain / sum
    );
    println!(
        "audit, all   {:>9.0} events/s  (with decoding), {:.2} of it",
        events / decoding,
        decoding / sum
    );
}

fn append(log: &FileLog, batches: &[Batch]) {
    let patience = Patience {
        wait: std::time::Duration::ZERO,
        holder: "bench".to_owned(),
    };
    let mut writer = log.writer(&patience).expect("the writer lock");
    let mut head = *writer.head();
    for batch in batches {
        head = writer.append(&head, batch).expect("appended");
    }
}

fn audit(log: &FileLog, depth: Depth) {
    let audit = log.audit(depth, 2, &|_, _| {}).expect("audited");
    assert_eq!(
        (audit.events, audit.faults),
        (BATCHES * BATCH_EVENTS, vec![])
    );
}

fn sha256sum(log: &Path) {
    let files = std::fs::read_dir(log)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    let output = std::process::Command::new("sha256sum")
        .args(files)
        .output()
        .expect("sha256sum runs");
    assert!(output.status.success());
}

fn read(log: &FileLog) {
    let mut events = 0;
    log.for_each(Sequence::FIRST, &mut |_| {
        events += 1;
        Ok(())
    })
    .expect("read");
    assert_eq!(events, BATCHES * BATCH_EVENTS);
}

fn segments(path: &std::path::Path) -> Vec<u8> {
    let files = std::fs::read_dir(path)
        .expect("a directory")
        .map(|file| file.expect("an entry").path());
    let segments = files.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "ndjson")
    });
    segments
        .map(|path| std::fs::read(path).expect("a segment"))
        .collect::<Vec<_>>()
        .concat()
}

fn write_raw(path: &std::path::Path, lines: &[u8]) {
    let mut file = File::create(path).expect("a file");
    for chunk in lines.chunks(lines.len().div_ceil(BATCHES as usize)) {
        file.write_all(chunk).expect("written");
        file.sync_data().expect("synced");
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What a day of tasks and money looks like.
fn batch(number: u64) -> Batch {
    let time = EventTime::from_micros(1_790_000_000_000_000 + number as i64 * 1_000_000)
        .expect("in range");
    let facts = (0..BATCH_EVENTS)
        .map(|index| fact(number * BATCH_EVENTS + index, time))
        .collect();
    let command_id = format!("accounting/{}", id(9, number));
    Batch {
        time,
        actor: Actor::System(Consumer::Accounting),
        command_id,
        command_hash: None,
        facts,
    }
}

fn id(kind: u64, number: u64) -> Uuid {
    Uuid::from_u64_pair(kind, number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn fact(number: u64, time: EventTime) -> Fact {
    let task_id = TaskId::from_uuid(id(1, number / 4));
    let user_id = UserId::from_uuid(id(2, number % 300));
    let event: Event = match number % 4 {
        0 => TaskCreated {
            task_id,
            number,
            title: format!("Почистить клетку номер {number}"),
            jira_id: Some(format!("UP-{number}")),
            description: None,
            created_by: user_id,
        }
        .into(),
        1 => TaskAssigned {
            task_id,
            assignee_id: user_id,
            previous_assignee_id: None,
            reason: AssignmentReason::Created,
            assignment_no: 1,
        }
        .into(),
        2 => BalanceChanged {
            entry_id: EntryId::from_uuid(id(3, number)),
            user_id,
            kind: EntryKind::Fee,
            amount: Money::units(-12),
            balance: Money::units(number as i64 % 500),
            business_date: BusinessDate::from_epoch_days(20_000),
            late: false,
            occurred_at: time,
            cause_sequence: Some(Sequence(number)),
            task_id: Some(task_id),
            assignment_no: Some(1),
            payout_id: None,
            corrects: None,
            reason: None,
        }
        .into(),
        _ => TaskCompleted {
            task_id,
            completed_by: user_id,
            assignment_no: 1,
        }
        .into(),
    };
    Fact {
        id: EventId::from_uuid(id(4, number)),
        causation: Some(EventId::from_uuid(id(4, number / 4))),
        event,
    }
}

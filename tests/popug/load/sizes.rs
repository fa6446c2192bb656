//! Stores with many tasks: the bytes that a command reads of them, and the memory that it takes.
//!
//! The rows are put straight into the tables, which takes seconds. The log stays small.
//! Needs `strace` and `prlimit`.

use std::path::Path;

use crate::helpers::harness::Text::Any;
use crate::helpers::harness::World;
use crate::helpers::stores::open;
use crate::helpers::strace::calls;

const MANY_TASKS: u64 = 300_000;
const FEW_TASKS: u64 = 300;
/// The limit of a run for its data, stacks and heap. One page of every table that a report reads has room in it; all rows
/// of [`MANY_TASKS`] tasks do not.
const DATA_BYTES: u64 = 384 << 20;
/// The same limit of an import, and a file that is larger.
const IMPORT_DATA_BYTES: u64 = 96 << 20;
const LARGE_FILE_ROWS: u64 = 60_000;
/// One block of DuckDB. A column of a large table has more.
const FEW_BYTES: u64 = 256 << 10;

/// A world whose tables hold `tasks` tasks more: each completed, every tenth with a payout of its own.
fn world_of(tasks: u64) -> World {
    let world = World::new();
    world.does("ada", &["consume"]);
    let accounting = duckdb::Connection::open(world.store().join("accounting.duckdb"));
    let fill = format!(
        "CREATE TEMP TABLE people AS
            SELECT user_id, row_number() OVER (ORDER BY login) - 1 AS place FROM users WHERE role <> 'service';
        CREATE TEMP TABLE made AS
            SELECT 1000 + 8 * i AS sequence, user_id, i, (1000 + hash(i) % 1000)::BIGINT AS cost,
                ('0190a0c8-0000-7000-9000-' || lpad(i::VARCHAR, 12, '0'))::UUID AS id,
                DATE '2026-03-02' + (i * 300 // {tasks})::INTEGER AS date,
                TIMESTAMP '2026-03-02 10:00:00' + to_minutes(i * 432000 // {tasks}) AS moment
            FROM range({tasks}) t(i) JOIN people ON place = i % 6;
        INSERT INTO tasks SELECT sequence, id, i + 1, 'Mend the fence around garden number ' || i, 'UP-' || i,
            'Bring wire and pliers.', user_id, moment FROM made;
        INSERT INTO prices SELECT sequence + 1, id, cost, 3000 FROM made;
        INSERT INTO assignments SELECT sequence + 2, id, user_id, 1, moment FROM made;
        INSERT INTO completions SELECT sequence + 3, id, user_id, moment FROM made;
        INSERT INTO entries
            SELECT sequence + 4, id, user_id, 'fee', -cost, -cost, date, false, moment, moment, sequence + 2, id, 1,
                NULL, NULL, NULL, 0 FROM made
            UNION ALL
            SELECT sequence + 5, id, user_id, 'reward', 3000, 3000 - cost, date, false, moment, moment, sequence + 3, id, NULL,
                NULL, NULL, NULL, 0 FROM made
            UNION ALL
            SELECT sequence + 6, id, user_id, 'payout', -1500, 0, date, false, moment, moment, NULL, NULL, NULL,
                id, NULL, NULL, 0 FROM made WHERE i % 10 = 0;
        INSERT INTO payouts SELECT sequence + 6, id, id, user_id, 1500, date, 0, 1500, moment FROM made WHERE i % 10 = 0;
        INSERT INTO user_days
            SELECT date, user_id, sum(cost), sum(3000), 0, coalesce(sum(1500) FILTER (i % 10 = 0), 0), count(*), 0, 0
            FROM made GROUP BY date, user_id;
        CHECKPOINT"
    );
    let accounting = accounting.expect("tables");
    accounting.execute_batch(&fill).expect("rows");
    accounting.close().expect("the file closes");
    open(&world.store().join("notifier.sqlite"))
        .execute_batch(&format!(
            "WITH RECURSIVE made (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM made WHERE i < {tasks} / 3)
            INSERT INTO payouts SELECT 1000 + i, randomblob(16), randomblob(16), 1500, 20000, 0, 1500, 0, 0, 1, 'sent',
                NULL, randomblob(16), NULL, 'anna@popug.example' FROM made"
        ))
        .expect("rows");
    world
}

#[test]
fn every_listing_and_export_of_a_large_store_ends_well_in_bounded_memory() {
    let world = world_of(MANY_TASKS);
    let limit = format!("--data={DATA_BYTES}");
    let listings: [&[&str]; 5] = [
        &["export", "--dir", "csv", "--progress", "plain"],
        &["export", "--dir", "parquet", "--format", "parquet"],
        &["export", "journal", "--format", "hledger"],
        &["export", "journal", "--format", "beancount"],
        &["report", "tasks", "-o", "json"],
    ];
    for words in listings {
        let run = world
            .call("axel", words)
            .through(&["prlimit", &limit])
            .run();
        assert_eq!(
            run.status, 0,
            "{words:?} in {DATA_BYTES} bytes: {}",
            run.stderr
        );
    }
    let exported = std::fs::read_to_string(world.home().join("csv/entries.csv"));
    let rows = exported.expect("the export").lines().count() as u64 - 1;
    assert_eq!(rows, 2 * MANY_TASKS + MANY_TASKS / 10);
}

/// The rows and the decided events of a file that is larger than the memory wait on the disk.
#[test]
fn a_file_larger_than_the_memory_is_imported() {
    let world = World::new();
    let description = "Bring wire and pliers. ".repeat(80);
    let rows = (0..LARGE_FILE_ROWS).map(|row| format!("k{row},Mend fence {row},,{description}\n"));
    let file = format!(
        "key,title,jira_id,description\n{}",
        rows.collect::<String>()
    );
    assert!(file.len() as u64 > IMPORT_DATA_BYTES);
    std::fs::write(world.home().join("tasks.csv"), &file).expect("the file");
    let limit = format!("--data={IMPORT_DATA_BYTES}");
    let import = world
        .call("ada", &["import", "tasks", "tasks.csv", "-o", "json"])
        .through(&["prlimit", &limit])
        .run();
    assert_eq!(import.status, 0, "{}", import.stderr);
    let imported = format!("\"imported\":{LARGE_FILE_ROWS}");
    assert!(import.stdout.contains(&imported), "{}", import.stdout);
    world.does("ada", &["verify"]);
}

/// The bytes of the store that a command reads.
fn bytes_read(world: &World, login: &str, words: &[&str]) -> u64 {
    let trace = world.home().join("trace");
    let (file, store) = (trace.to_str().expect("UTF-8"), world.store());
    let store = store.canonicalize().expect("a store");
    let strace = [
        "strace",
        "-f",
        "-y",
        "-s",
        "0",
        "-o",
        file,
        "-e",
        "trace=read,pread64,readv,preadv",
    ];
    world
        .call(login, words)
        .through(&strace)
        .expect(0, Any, Any);
    let is_of_store = |call: &String| call.contains(&format!("<{}/", store.display()));
    let read = |call: String| -> u64 {
        let (_, bytes) = call.rsplit_once(" = ").expect("a result");
        bytes.parse().expect("a number of bytes")
    };
    let trace = std::fs::read_to_string(Path::new(file)).expect("a trace");
    calls(&trace)
        .into_iter()
        .filter(is_of_store)
        .map(read)
        .sum()
}

#[test]
fn commands_that_show_no_list_read_no_more_of_a_large_store() {
    let (small, large) = (world_of(FEW_TASKS), world_of(MANY_TASKS));
    let flat: [(&str, &[&str]); 6] = [
        ("ada", &["status"]),
        ("ada", &["whoami"]),
        ("mara", &["task", "add", "One more"]),
        ("mara", &["task", "show", "1"]),
        ("axel", &["report", "trial-balance"]),
        ("axel", &["report", "balances"]),
    ];
    let entries: &[&str] = &["report", "entries", "-o", "csv"];
    let read = [&small, &large].map(|world| bytes_read(world, "axel", entries));
    assert!(
        read[1] > read[0] + FEW_BYTES,
        "a list reads its rows: {read:?}"
    );
    for (login, words) in flat {
        let (few, many) = (
            bytes_read(&small, login, words),
            bytes_read(&large, login, words),
        );
        assert!(few > 0, "{words:?} reads nothing");
        assert!(
            many < few + FEW_BYTES,
            "{words:?} reads {few} bytes of a small store, {many} of a large one"
        );
    }
}

//! An open SQLite file and its directory.

use super::*;
use crate::files::held::Held;

#[test]
fn an_open_file_keeps_its_directory_held_until_its_companions_are_closed() {
    let home = tempfile::tempdir().unwrap();
    let (name, moved) = (home.path().join("s"), home.path().join("s.old"));
    std::fs::create_dir(&name).unwrap();
    let layout = Layout {
        schema: "CREATE TABLE checkpoint (one, sequence, hash, code_version); CREATE TABLE own (x);",
        code_version: 1,
        own_table: "own",
    };
    let held = Held::open(&name).unwrap();
    let path = held.path().join("state.sqlite");
    let (file, _) = SqliteFile::open(&path, &layout, Check::Headers, Duration::ZERO).unwrap();
    drop(held);
    std::fs::rename(&name, &moved).unwrap();
    std::fs::create_dir(&name).unwrap();
    // A newly opened file would get a free descriptor number.
    let others: Vec<_> = (0..16).map(|_| File::open(&name).unwrap()).collect();
    // Enough for the write-ahead file to be merged when it is closed.
    file.db()
        .execute_batch("INSERT INTO own VALUES (zeroblob(1000000)); INSERT INTO own VALUES (1)")
        .unwrap();
    drop(file);
    assert_eq!(std::fs::read_dir(&name).unwrap().count(), 0);
    let bytes = |suffix: &str| {
        std::fs::metadata(moved.join(format!("state.sqlite{suffix}")))
            .unwrap()
            .len()
    };
    assert!(bytes("") > 1_000_000);
    assert_eq!(bytes("-wal"), 0, "merged and emptied");
    drop(others);
}

//! The number of rows that an import handles in a second.

use crate::app::fixture::{Store, at};
use crate::app::import::ImportKind;
use crate::app::import::tests::{HEADER, import};
use crate::domain::time::EventTime;

/// `cargo test --release -- --ignored --nocapture rows_a_second`
#[test]
#[ignore = "a measurement"]
fn rows_a_second() {
    for closes in [false, true] {
        let file = long_history(200_000, closes);
        let rows = file.lines().count() - 1;
        let store = Store::new();
        let began = std::time::Instant::now();
        let summary = import(&store, ImportKind::Activity, &file).unwrap();
        let seconds = began.elapsed().as_secs_f64();
        let events = summary.appended_events as f64;
        println!(
            "closes: {closes}: {rows} rows in {seconds:.2} s, {:.0} rows/s, {:.0} events/s, {} dates",
            rows as f64 / seconds,
            events / seconds,
            summary.closed_dates.len()
        );
        if !closes {
            let began = std::time::Instant::now();
            let summary = import(&store, ImportKind::Activity, &file).unwrap();
            let rate = rows as f64 / began.elapsed().as_secs_f64();
            println!("again: {} replayed, {rate:.0} rows/s", summary.replayed);
        }
    }
}

/// Thirty days of tasks, each completed by its assignee.
fn long_history(tasks: u64, closes: bool) -> String {
    let founded = at("2026-10-01T06:00:00Z").micros();
    let mut file = HEADER.to_owned();
    let time = |micros: i64| EventTime::from_micros(micros).unwrap();
    for user in 0..20 {
        file += &format!(
            "2026-10-01T06:00:00Z,register,,,popug{user},Попуг {user},p{user}@popug.example,worker,,,\n"
        );
    }
    let step = 30 * 86_400_000_000 / tasks as i64;
    let mut day = 0;
    for n in 0..tasks {
        let moment = founded + step * n as i64;
        if closes && (moment - founded) / 86_400_000_000 > day {
            day = (moment - founded) / 86_400_000_000;
            file += &format!("{},close,,,,,,,,,\n", time(moment));
        }
        file += &format!(
            "{},create,K{n},popug{},,,,,Задача номер {n} про попугаев,UP-{n},\n",
            time(moment),
            n % 20
        );
        if n >= 100 {
            file += &format!("{},complete,K{},,,,,,,,\n", time(moment), n - 100);
        }
    }
    file
}

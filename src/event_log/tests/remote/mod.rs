//! Copies of a remote: the suite that every remote must pass, on one in memory; crashes of a copy;
//! histories with random faults.

mod chaos;
pub(crate) mod conformance;
mod crash;
pub(crate) mod machine;
mod memory;

use memory::MemoryWorld;

#[test]
fn a_remote_in_memory_conforms() {
    for (name, case) in conformance::CASES {
        println!("{name}");
        case(&MemoryWorld::new());
    }
}

#[test]
fn there_are_enough_cases() {
    assert!(conformance::CASES.len() >= 20);
}

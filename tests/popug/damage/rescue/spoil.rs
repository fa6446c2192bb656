//! Damages a log in the ways that `repair` mends.

use std::path::PathBuf;

use crate::helpers::harness::World;
use crate::helpers::stores::edit;

pub fn torn(_: &World, log: &[PathBuf]) {
    edit(log.last().expect("a segment"), |bytes| {
        bytes.extend_from_slice(b"{\"specversion\":\"1.0\",\"id\":\"torn")
    });
    std::fs::copy(
        &log[1],
        log[1].with_file_name("00000000000000009999.ndjson"),
    )
    .expect("copied");
}

pub fn spoil_head(world: &World, slots: &[usize]) {
    edit(&world.store().join("log/head"), |bytes| {
        slots.iter().for_each(|slot| bytes[slot + 20] ^= 1)
    });
}

/// Two flipped bits, a missing segment, an extra one, and a bad end.
pub fn damaged(_: &World, log: &[PathBuf]) {
    edit(&log[1], |bytes| bytes[400] ^= 0x20);
    edit(&log[3], |bytes| bytes[200] ^= 1);
    std::fs::remove_file(&log[2]).expect("removed");
    std::fs::copy(
        &log[4],
        log[4].with_file_name("00000000000000000012.ndjson"),
    )
    .expect("copied");
    edit(log.last().expect("a segment"), |bytes| {
        *bytes.last_mut().expect("a byte") = b'x'
    });
}

/// When the first place is repaired and there is no head, the end looks like a torn tail.
pub fn damaged_twice(_: &World, log: &[PathBuf]) {
    edit(&log[1], |bytes| bytes[400] ^= 0x20);
    edit(log.last().expect("a segment"), |bytes| {
        *bytes.last_mut().expect("a byte") = b'x'
    });
}

//! Stores that are damaged, killed, moved, restored, or written by an older program.

mod backup;
mod crafted;
mod durability;
mod extremes;
mod faults;
mod generations;
mod head_slots;
mod moved;
mod old_log;
mod old_store;
mod power_cut;
mod rebuild;
mod repair;
mod rescue;
mod restore;
mod tables;
mod torture;

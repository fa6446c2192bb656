//! The books: rules A1 to A7 and A10, and the invariants after every step (I1, I2, I5 to I7, I13,
//! I14).

mod bookkeeper;
mod cancellations;
mod closing;
mod corrections;
mod entries;
mod histories;
mod invariants;
mod worked_example;

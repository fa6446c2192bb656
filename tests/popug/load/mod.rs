//! Many processes on one store, and stores with many tasks.

mod concurrency;
mod crowd;
mod sizes;

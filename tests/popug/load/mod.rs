//! Many processes on one store.

mod concurrency;
mod crowd;

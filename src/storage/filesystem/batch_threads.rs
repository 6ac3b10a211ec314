//! The blocking threads that lookups of many keys use.

#[cfg(test)]
use std::sync::atomic::AtomicUsize;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

/// The threads that all lookups of many keys together may have at a time.
#[derive(Debug)]
pub(super) struct BatchThreads {
    pub(super) count: usize,
    pub(super) free: Semaphore,
    #[cfg(test)]
    pub(super) hops: AtomicUsize,
}

impl Default for BatchThreads {
    fn default() -> Self {
        let count = available_parallelism().map_or(1, Into::into);
        Self {
            count,
            free: Semaphore::new(count),
            #[cfg(test)]
            hops: AtomicUsize::new(0),
        }
    }
}

//! What is counted of an upstream.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What was counted of an upstream since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests for manifests.
    pub manifests: Requests,
    /// Requests for blobs.
    pub blobs: Requests,
    /// How many requests got a stored manifest because the upstream did not answer.
    pub stale: AtomicU64,
    /// How many requests for blobs followed a fetch that was under way.
    pub shared: AtomicU64,
    /// How many blobs were given to a client without being stored, because there was no room.
    pub relayed: AtomicU64,
    /// What is left of the upstream's limit of pulls, as it says.
    pub limit_left: Known,
    /// How many bytes are stored, if there is a bound to them.
    pub stored: Known,
    /// How many bytes were evicted because of the bound, or because the store was full.
    pub evicted: AtomicU64,
}

/// Requests of clients for one kind of content.
#[derive(Debug, Default)]
pub struct Requests {
    pulls: AtomicU64,
    misses: AtomicU64,
    sent_bytes: AtomicU64,
    fetched_bytes: AtomicU64,
}

/// A number, if it is known.
#[derive(Debug)]
pub struct Known(AtomicU64);

impl Default for Known {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl Known {
    /// The number; `None` if it is not known.
    #[must_use]
    pub fn get(&self) -> Option<u64> {
        Some(self.0.load(Relaxed)).filter(|number| *number != u64::MAX)
    }

    pub(super) fn set(&self, number: u64) {
        self.0.store(number, Relaxed);
    }
}

impl Requests {
    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.pulls.load(Relaxed)
    }

    /// How many of them had to be fetched.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Relaxed)
    }

    /// How many of them were answered from the store.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.requests().saturating_sub(self.misses())
    }

    /// How many bytes clients asked for.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Relaxed)
    }

    /// How many bytes came from the upstream.
    #[must_use]
    pub fn fetched_bytes(&self) -> u64 {
        self.fetched_bytes.load(Relaxed)
    }

    pub(super) fn pulled(&self, bytes: u64) {
        self.pulls.fetch_add(1, Relaxed);
        self.sent_bytes.fetch_add(bytes, Relaxed);
    }

    pub(super) fn missed(&self) {
        self.misses.fetch_add(1, Relaxed);
    }

    pub(super) fn fetched(&self, bytes: u64) {
        self.fetched_bytes.fetch_add(bytes, Relaxed);
    }
}

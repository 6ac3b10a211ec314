//! A cache of small objects that were read in the last moments.
//!
//! The store is locked, so only this process changes it, and every change is counted in [`Changes`]. A cached object is
//! returned only if nothing has changed in its directory since before it was read, so a read would return the same
//! bytes. An operator may still change files by hand, for example to restore a copy. Entries expire quickly, so this is
//! soon seen.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};

use super::changes::{Changes, DirectoryVersion};
use crate::storage::Key;

/// How long an entry is valid. Clients may request the object some thousand times in this time.
const LIFE: Duration = Duration::from_millis(100);
/// The longest object that is kept: manifests, and the links to them.
const MAX_LEN: usize = 64 * 1024;
/// How many bytes are kept.
const BYTES: u64 = 8 * 1024 * 1024;
/// How many objects that are, about.
const OBJECTS: usize = 8192;

/// The cache.
#[derive(Debug)]
pub(super) struct ReadCache(Cache<Key, Entry, Weight>);

#[derive(Clone, Debug)]
struct Entry {
    bytes: Bytes,
    read: Instant,
    directory: DirectoryVersion,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Key, Entry> for Weight {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        // The constant is the overhead of an entry.
        (entry.bytes.len() + key.as_str().len() + 256) as u64
    }
}

impl Default for ReadCache {
    fn default() -> Self {
        Self(Cache::with_weighter(OBJECTS, BYTES, Weight))
    }
}

impl ReadCache {
    /// The bytes of an object, if a read would certainly return the same.
    pub(super) fn get(&self, changes: &Changes, key: &Key) -> Option<Bytes> {
        let entry = self.0.get(key)?;
        let is_so_still = changes.is_current(entry.directory) && entry.read.elapsed() < LIFE;
        is_so_still.then_some(entry.bytes)
    }

    /// Empties the cache.
    pub(super) fn clear(&self) {
        self.0.clear();
    }

    /// Keeps bytes that were read after `directory`, the version of their directory, was taken.
    pub(super) fn keep(&self, directory: DirectoryVersion, key: &Key, bytes: &Bytes) {
        if bytes.len() <= MAX_LEN {
            self.0.insert(key.clone(), Entry { bytes: bytes.clone(), read: Instant::now(), directory });
        }
    }
}

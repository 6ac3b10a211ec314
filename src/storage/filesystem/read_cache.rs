//! Small objects that were read lately, in memory.
//!
//! A store is locked, so nobody but this process changes it; and all that does tells [`Changes`]. What is remembered is given out only if nothing has
//! changed in its directory since before it was read, so it is what would be read now. Somebody may still lay hands on the files, as an operator who
//! restores a copy does: that is seen when what is remembered has got old, which is soon.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};

use super::changes::{Changes, DirectoryVersion};
use crate::storage::Key;

/// How long an object is not looked for again. It may be asked for some thousand times meanwhile.
const LIFE: Duration = Duration::from_millis(100);
/// The longest object that is kept: manifests, and the links to them.
const MAX_LEN: usize = 64 * 1024;
/// How many bytes are kept.
const BYTES: u64 = 8 * 1024 * 1024;
/// How many objects that are, about.
const OBJECTS: usize = 8192;

/// What was read lately.
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
        // And what an entry costs beside its bytes.
        (entry.bytes.len() + key.as_str().len() + 256) as u64
    }
}

impl Default for ReadCache {
    fn default() -> Self {
        Self(Cache::with_weighter(OBJECTS, BYTES, Weight))
    }
}

impl ReadCache {
    /// The bytes of an object, if it is sure that they are what would be read now.
    pub(super) fn get(&self, changes: &Changes, key: &Key) -> Option<Bytes> {
        let entry = self.0.get(key)?;
        let is_so_still = changes.is_current(entry.directory) && entry.read.elapsed() < LIFE;
        is_so_still.then_some(entry.bytes)
    }

    /// Forgets all of it.
    pub(super) fn clear(&self) {
        self.0.clear();
    }

    /// Keeps what was read, after it was asked how its directory stands.
    pub(super) fn keep(&self, directory: DirectoryVersion, key: &Key, bytes: &Bytes) {
        if bytes.len() <= MAX_LEN {
            self.0.insert(key.clone(), Entry { bytes: bytes.clone(), read: Instant::now(), directory });
        }
    }
}

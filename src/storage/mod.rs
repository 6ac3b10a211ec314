//! Bytes under keys. Knows nothing of registries: what a key means is the business of `registry::layout`.
//!
//! The seam is what a filesystem and an object store can both do. Directories, fsync and rename are the filesystem back
//! end's own business; it keeps the promise that what a call here has reported done survives a power cut.

mod batch;
mod commit;
#[cfg(test)]
mod conformance;
mod delivery;
mod error;
mod filesystem;
mod key;
mod memory;
mod object;
mod staging;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};

use crate::oci::Algorithm;

use {filesystem::Filesystem, memory::Memory, staging::Upload};

#[cfg(any(test, fuzzing))]
pub(crate) use filesystem::fuzz_hash_state;

pub use commit::Step;
pub use delivery::Delivery;
pub use error::StorageError;
pub use key::Key;
pub use object::Object;
pub use staging::{AppendError, Staged, Staging, Verified};

/// The first component of the keys, and the name of the directory in a store's root, that wharf alone uses.
pub const OWN_PREFIX: &str = "wharf";

/// How much a write may cost to survive a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Whatever was reported done survives a power cut.
    #[default]
    Full,
    /// Nothing is synced: for stores that are thrown away.
    None,
}

/// What is known of an object without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stat {
    /// Its length in bytes.
    pub len: u64,
    /// When it was written.
    pub modified: SystemTime,
}

/// One name directly under a prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Child {
    /// The last component.
    pub name: String,
    /// Whether it is itself a prefix, not an object.
    pub is_prefix: bool,
}

/// Content is committed to the store that received it: the registry has one.
const FOREIGN: &str = "content of another store";

/// When a [`Storage::put`] may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Whatever is there.
    Any,
    /// Only where nothing is: else [`StorageError::Exists`].
    IfAbsent,
}

/// How much of the machine a long piece of work may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As much as there is.
    Full,
    /// Half of a core, and never for long at a time: who is served meanwhile hardly waits for it.
    Gentle,
}

/// A store of bytes. Cheap to clone: all clones are the same store.
#[derive(Clone, Debug)]
pub struct Storage(Backend);

#[derive(Clone, Debug)]
enum Backend {
    Filesystem(Filesystem),
    Memory(Memory),
}

impl Storage {
    /// A store that lives in memory and dies with the last clone.
    #[must_use]
    pub fn memory() -> Self {
        Self(Backend::Memory(Memory::default()))
    }

    /// The store in the directory `root`, which is made if it is not there, and locked against other processes.
    ///
    /// A directory that can't be written is served read-only. Returns as soon as reads can be answered; writes wait until
    /// what an earlier process left visible has been synced.
    ///
    /// # Errors
    /// [`StorageError`] in words for the operator (it names the path): another process has the store, the filesystem folds case, …
    pub async fn filesystem(root: &Path, durability: Durability) -> Result<Self, StorageError> {
        Ok(Self(Backend::Filesystem(Filesystem::open(root, durability).await?)))
    }

    /// What opening a store at `root` would meet first, as far as can be seen without touching it.
    ///
    /// # Errors
    /// [`StorageError::Open`]
    pub fn check_filesystem(root: &Path) -> Result<(), StorageError> {
        Filesystem::check(root)
    }

    /// Whether this store was opened read-only because it could not be written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match &self.0 {
            Backend::Filesystem(store) => store.is_read_only(),
            Backend::Memory(_) => false,
        }
    }

    /// Remembers nothing of what was read before: what is read from now on is what is there, also where somebody else laid hands on the store.
    pub fn clear_cache(&self) {
        match &self.0 {
            Backend::Filesystem(store) => store.clear_cache(),
            Backend::Memory(_) => {}
        }
    }

    /// Writes and removes a small object, to see whether the store takes writes at this moment.
    ///
    /// # Errors
    /// What the write met.
    pub async fn probe(&self) -> Result<(), StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.probe().await,
            Backend::Memory(_) => Ok(()),
        }
    }

    /// How many bytes are free, where that has a meaning.
    ///
    /// # Errors
    /// What the question met.
    pub async fn free_space(&self) -> Result<Option<u64>, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.free_space().await.map(Some),
            Backend::Memory(_) => Ok(None),
        }
    }

    /// What is known of the object at `key`; `None` if there is none. What it reports is durable: if the object was made visible by a
    /// writer whose sync is still under way, it waits; if that sync failed, there is none.
    ///
    /// # Errors
    /// What the look met.
    pub async fn stat(&self, key: &Key) -> Result<Option<Stat>, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.stat(key).await,
            Backend::Memory(store) => Ok(store.stat(key)),
        }
    }

    /// Dates an object with this moment, where the dates of objects can be changed; whether there is such an object. It is not synced: a power
    /// cut may bring the old date back.
    ///
    /// # Errors
    /// What the change met.
    pub async fn touch(&self, key: &Key) -> Result<bool, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.touch(key).await,
            Backend::Memory(store) => Ok(store.touch(key)),
        }
    }

    /// Which run of the system this is: what was not synced in another one may be lost. A store in memory lives in one.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        match &self.0 {
            Backend::Filesystem(store) => store.boot_id(),
            Backend::Memory(_) => "memory",
        }
    }

    /// How long this run of the system has lasted, by a clock that is never set.
    #[must_use]
    pub fn uptime() -> Duration {
        clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
    }

    /// The whole of a small object; `None` if there is none.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] if it has more than `limit` bytes.
    pub async fn read(&self, key: &Key, limit: u64) -> Result<Option<Bytes>, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.read(key, limit).await,
            Backend::Memory(store) => store.read(key, limit),
        }
    }

    /// An object to read from, at one moment: later writes and deletes don't change what it reads.
    ///
    /// # Errors
    /// What the opening met.
    pub async fn open(&self, key: &Key) -> Result<Option<Object>, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.open_object(key).await,
            Backend::Memory(store) => Ok(store.open(key)),
        }
    }

    /// Stores a small object, wholly or not at all, durably.
    ///
    /// # Errors
    /// [`StorageError::Exists`] as `condition` has it, or what the write met.
    pub async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<(), StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.put(key, bytes, condition).await,
            Backend::Memory(store) => store.put(key, bytes, condition),
        }
    }

    /// Stores several small objects under `prefix`, where nothing is yet, so that no reader sees only some of them. `objects` have whole keys, that begin with `prefix`.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if there is an object at `prefix` or something under it.
    pub async fn put_tree(&self, prefix: &Key, objects: Vec<(Key, Bytes)>) -> Result<(), StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.put_tree(prefix, objects).await,
            Backend::Memory(store) => store.put_tree(prefix, objects),
        }
    }

    /// Removes an object, durably; whether there was one.
    ///
    /// # Errors
    /// What the removal met.
    pub async fn delete(&self, key: &Key) -> Result<bool, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.delete(key).await,
            Backend::Memory(store) => Ok(store.delete(key)),
        }
    }

    /// Removes everything under `prefix`, so that no reader sees only some of it gone, durably; whether there was anything.
    ///
    /// # Errors
    /// What the removal met.
    pub async fn delete_tree(&self, prefix: &Key) -> Result<bool, StorageError> {
        let deleted = self.delete_trees(std::slice::from_ref(prefix), Pace::Full).await?;
        Ok(deleted.into_iter().any(|was_there| was_there))
    }

    /// Makes the prefixes visible although nothing is under them yet, in this order, durably. A back end without directories does nothing.
    ///
    /// # Errors
    /// What the making met.
    pub async fn make_prefixes(&self, prefixes: &[Key]) -> Result<(), StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.make_prefixes(prefixes).await,
            Backend::Memory(store) => store.make_prefixes(prefixes),
        }
    }

    /// Removes, in this order, the prefixes that have nothing under them, and stops at the first that has; whether all are gone.
    ///
    /// # Errors
    /// What the removal met, other than that something is there.
    pub async fn remove_empty_prefixes(&self, prefixes: &[Key]) -> Result<bool, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.remove_empty_prefixes(prefixes).await,
            Backend::Memory(store) => Ok(store.remove_empty_prefixes(prefixes)),
        }
    }

    /// The names directly under `prefix`, in byte order; none if there is no such prefix.
    ///
    /// # Errors
    /// What the listing met.
    pub async fn children(&self, prefix: &Key) -> Result<Vec<Child>, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.children(prefix).await,
            Backend::Memory(store) => Ok(store.children(prefix)),
        }
    }

    /// Moves an object to another key, for one that proved to be damaged.
    ///
    /// # Errors
    /// What the move met.
    pub async fn rename(&self, from: &Key, to: &Key) -> Result<(), StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.rename(from, to).await,
            Backend::Memory(store) => store.rename(from, to),
        }
    }

    /// Begins a new staged object at `key`, which no object or other staging may have. It is hashed with `algorithm` while it is written.
    ///
    /// # Errors
    /// [`StorageError::Exists`], or what the making met.
    pub async fn stage(&self, key: &Key, algorithm: Algorithm) -> Result<Staging, StorageError> {
        let upload = match &self.0 {
            Backend::Filesystem(store) => Upload::Filesystem(store.stage(key, algorithm).await?),
            Backend::Memory(store) => Upload::Memory(store.stage(key, algorithm)?),
        };
        Ok(Staging(upload))
    }

    /// [`Storage::stage`], unless there are `most` objects already under the prefix that `key` is in: `None` then.
    ///
    /// # Errors
    /// As with [`Storage::stage`].
    pub async fn stage_among(
        &self,
        key: &Key,
        algorithm: Algorithm,
        most: usize,
    ) -> Result<Option<Staging>, StorageError> {
        let upload = match &self.0 {
            Backend::Filesystem(store) => store.stage_among(key, algorithm, most).await?.map(Upload::Filesystem),
            Backend::Memory(store) => store.stage_among(key, algorithm, most)?.map(Upload::Memory),
        };
        Ok(upload.map(Staging))
    }

    /// Takes up the staged object at `key` again, after a restart too; `None` if there is none. Its offset is its durable length.
    ///
    /// If its last holder is gone but not yet what it handed over to be written, this waits for that.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if someone holds it, or what the opening met.
    pub async fn resume(&self, key: &Key) -> Result<Option<Staging>, StorageError> {
        let upload = match &self.0 {
            Backend::Filesystem(store) => store.resume(key).await?.map(Upload::Filesystem),
            Backend::Memory(store) => store.resume(key)?.map(Upload::Memory),
        };
        Ok(upload.map(Staging))
    }

    /// Makes verified content the object at `key`, over whatever is there, durably.
    ///
    /// # Errors
    /// What the commit met; the content is gone then.
    pub async fn promote(&self, content: Verified, key: &Key) -> Result<(), StorageError> {
        self.commit(vec![Step::Promote(content, key.clone())]).await
    }

    /// Does several writes, in this order: each is durable before the next can be seen. One after the other by calls of their own, they take
    /// longer, and mean the same.
    ///
    /// # Errors
    /// What the first write met that failed. Those before it stay, those after it are not done, and content that was not promoted yet is gone.
    pub async fn commit(&self, steps: Vec<Step>) -> Result<(), StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.commit(steps).await,
            Backend::Memory(store) => store.commit(steps),
        }
    }

    /// Removes a staged object that nobody holds, for one that has expired; whether it did. One that is held stays.
    ///
    /// # Errors
    /// What the removal met.
    pub async fn discard_staging(&self, key: &Key) -> Result<bool, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.discard_staging(key).await,
            Backend::Memory(store) => Ok(store.discard_staging(key)),
        }
    }
}

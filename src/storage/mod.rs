//! Bytes under keys. Storage does not know what a key means; `registry::layout` spells the keys.
//!
//! # The contract
//!
//! Each back end keeps these promises. They are what a filesystem and an object store can both keep, and the tests in
//! `storage/conformance` hold every back end to them.
//!
//! - **Objects.** [`put`](Storage::put) stores an object wholly or not at all. An [open object](Object) keeps its
//!   bytes, whatever happens to its key; the read of a large object in a bucket fails once the object has changed.
//! - **Versions.** A [`Stat`] has a [`Version`], which identifies the bytes at that moment. A put under a [`Condition`]
//!   writes only to a key that is free, or whose object still has a given version. If several writers race, one wins.
//! - **Durability.** A reported success survives a power cut, and a reader sees only what is durable. The exception is
//!   [`Durability::None`].
//! - **Trees.** The objects of a [tree](Storage::put_tree) come and go as one. The key that sorts first reveals the
//!   tree: `put_tree` writes it last, and [`delete_tree`](Storage::delete_tree) deletes it first. A reader that finds
//!   this key finds the whole tree; without this key, a reader must treat the tree as absent, though a back end may
//!   still list its other keys. A filesystem shows and hides all of them at once.
//! - **Prefixes.** [`children`](Storage::children) lists one level in byte order, and
//!   [`children_after`](Storage::children_after) resumes a listing after a name. An empty prefix can exist only where
//!   the back end has directories; no rule of the registry may depend on one.
//! - **Uploads.** The key of a [staged object](Staging) is the token of the upload: any process that has opened the
//!   store can [resume](Storage::resume) it, at the length that is durable. One holder writes at a time; a second one
//!   gets [`StorageError::Busy`].
//! - **Commits.** The steps of a [`commit`](Storage::commit) are done in order: each is durable before the next becomes
//!   visible. A commit that fails leaves the steps before the failure.
//!
//! Directories, fsync, rename, locks and caches stay inside the filesystem back end.

mod batch;
mod commit;
#[cfg(test)]
mod conformance;
mod error;
mod filesystem;
mod key;
mod memory;
mod object;
mod observer;
mod operations;
mod s3;
mod sendfile;
mod shared;
mod staging;
mod stat;

use std::{path::Path, sync::Arc, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use {error::Result, filesystem::Filesystem, memory::Memory, s3::S3, staging::Upload};

#[cfg(any(test, fuzzing))]
pub(crate) use filesystem::fuzz_hash_state;

pub use commit::Step;
pub use error::{AppendError, StorageError};
pub use key::Key;
pub use object::Object;
pub use observer::{Action, Observer};
pub use s3::{BucketAccess, Credentials, S3Settings};
pub use sendfile::FileRegion;
pub use shared::SharedStore;
pub use staging::{Staged, Staging, Verified};
pub use stat::{Child, Condition, FreeSpace, Stat, Version};

/// The first component of the keys that are wharf's own. Other registries do not read them.
pub const OWN_PREFIX: &str = "wharf";

/// The most bytes of an append that a back end keeps in memory: they are written by the next operation, on the same
/// thread. Hashing them takes some microseconds.
const BUFFERED_LEN: usize = 64 * 1024;

/// Whether writes survive a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A write that was reported done survives a power cut.
    #[default]
    Full,
    /// Nothing is synced. For stores that are thrown away.
    None,
}

/// How much of the machine a long operation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As much as is free.
    Full,
    /// Half a core, in slices of a few milliseconds, so that requests hardly wait for it.
    Gentle,
}

/// The registry has one store, so a commit only gets content that this store received.
const FOREIGN: &str = "content of another store";

/// A store of bytes. Cheap to clone: all clones are the same store.
#[derive(Clone, Debug)]
pub struct Storage {
    backend: Backend,
    observer: Option<Arc<dyn Observer>>,
}

#[derive(Clone, Debug)]
enum Backend {
    Filesystem(Filesystem),
    Memory(Memory),
    S3(S3),
}

/// Makes the same call on the back end of a [`Storage`].
macro_rules! dispatch {
    ($storage:expr, $store:ident => $call:expr) => {
        match &$storage.backend {
            $crate::storage::Backend::Filesystem($store) => $call,
            $crate::storage::Backend::Memory($store) => $call,
            // Its futures are large, and a request to a store takes long enough. The type is hidden, so that the code of
            // the future is not repeated wherever the operation is called.
            $crate::storage::Backend::S3($store) => {
                let call: ::futures_util::future::BoxFuture<'_, _> = Box::pin(async move { $call });
                call.await
            }
        }
    };
}
use dispatch;

impl Storage {
    /// A store in memory. It is gone with its last clone.
    #[must_use]
    pub fn memory() -> Self {
        Self::memory_within(None)
    }

    /// The same, with at most `limit` bytes of content. More is refused as on a full disk.
    #[must_use]
    pub fn memory_within(limit: Option<u64>) -> Self {
        Self { backend: Backend::Memory(Memory::within(limit)), observer: None }
    }

    /// Opens the store in the directory `root`, creates it if it is missing, and locks it against other processes.
    ///
    /// A directory that cannot be written is served read-only. The call returns as soon as reads can be answered;
    /// writes wait until everything that an earlier process left visible has been synced.
    ///
    /// # Errors
    /// [`StorageError`] for the operator, with the path: another process has the store, the filesystem folds case, …
    pub async fn filesystem(root: &Path, durability: Durability) -> Result<Self, StorageError> {
        Ok(Self { backend: Backend::Filesystem(Filesystem::open(root, durability).await?), observer: None })
    }

    /// Opens the store in a bucket, which other processes may serve as well.
    ///
    /// A bucket that can't be written is served read-only, and so is one whose conditional writes do not decide races.
    ///
    /// # Errors
    /// [`StorageError::Open`] for the operator: there are no credentials, the bucket does not exist, …
    pub async fn s3(settings: S3Settings, access: BucketAccess) -> Result<Self, StorageError> {
        Ok(Self { backend: Backend::S3(Box::pin(S3::open(settings, access)).await?), observer: None })
    }

    /// Reports every action on this store, and on the clones made from now on, to `observer`.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        if let Backend::Filesystem(store) = &self.backend {
            store.observe_syncs(Arc::clone(&observer));
        }
        self.observer = Some(observer);
        self
    }

    /// Finds the first error that opening a store at `root` would report, without changing anything.
    ///
    /// # Errors
    /// [`StorageError::Open`]
    pub fn check_filesystem(root: &Path) -> Result<(), StorageError> {
        Filesystem::check(root)
    }

    /// The kind of the store, as registry:2 names it.
    #[must_use]
    pub fn driver(&self) -> &'static str {
        match &self.backend {
            Backend::Filesystem(_) => "filesystem",
            Backend::Memory(_) => "inmemory",
            Backend::S3(_) => "s3",
        }
    }

    /// How long this run of the system has lasted. The clock cannot be set.
    #[must_use]
    pub fn uptime() -> Duration {
        clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
    }
}

//! The state of one store on a filesystem.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use super::{
    super::{FreeSpace, Key, OWN_PREFIX, StorageError},
    batch_threads::BatchThreads,
    changes::DirectoryVersion,
    directories::Directories,
    leases::Leases,
    lock::Lock,
    nonblocking_support::NonblockingSupport,
    own_location::{OwnLocation, temporary},
    pending_names::PendingNames,
    read_cache::ReadCache,
    sync::Syncs,
};

/// A store on a filesystem. Its methods block; each is in the file that is named for its operation.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) root: PathBuf,
    /// Where wharf's own files are.
    pub(super) base: OwnLocation,
    pub(super) read_only: bool,
    pub(super) syncs: Arc<Syncs>,
    pub(super) directories: Arc<Directories>,
    pub(super) names: PendingNames,
    pub(super) nonblocking: NonblockingSupport,
    pub(super) read_cache: ReadCache,
    pub(super) leases: Arc<Leases>,
    pub(super) threads: BatchThreads,
    /// This run of the kernel.
    pub(super) boot_id: String,
    /// This run of the process, in the names of temporary files.
    pub(super) run_id: String,
    pub(super) temporaries: AtomicU64,
    /// How many uploads are receiving at this moment.
    pub(super) appending: AtomicUsize,
    /// Held for reading around each system call that replaces or removes a name, and for writing around the check and
    /// the rename of a put under [`Condition::IfVersion`](crate::storage::Condition::IfVersion).
    pub(super) replacing: RwLock<()>,
    /// Held as long as the store is open.
    pub(super) _lock: Option<Lock>,
}

impl Volume {
    /// Where the object or the prefix `key` is.
    pub(super) fn path(&self, key: &Key) -> PathBuf {
        let is_own = key.as_str().split('/').next() == Some(OWN_PREFIX);
        if is_own { self.base().join(key.as_str()) } else { self.root.join(key.as_str()) }
    }

    /// The directory that wharf's own files are in. It is on the filesystem of all objects.
    pub(super) fn base(&self) -> PathBuf {
        self.base.path(&self.root)
    }

    /// A path for a temporary file or directory that nothing else has.
    pub(super) fn temporary_path(&self) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Relaxed);
        temporary(&self.base()).join(format!("{}-{number}", self.run_id))
    }

    /// Makes the names in `directory` durable, and the way to it.
    pub(super) fn sync_path(&self, directory: &Path) -> Result<(), StorageError> {
        self.directories.sync_path(&self.syncs, directory)
    }

    /// The directory that `path`, which is in the store, is in.
    pub(super) fn parent<'a>(&'a self, path: &'a Path) -> &'a Path {
        path.parent().unwrap_or(&self.root)
    }

    /// The version of the directory of an object, unless it is being changed, or other processes may change it.
    pub(super) fn version(&self, key: &Key) -> Option<DirectoryVersion> {
        if self.read_only {
            return None;
        }
        let path = self.path(key);
        self.directories.changes().now(self.parent(&path))
    }

    /// To be held around a system call that replaces or removes a name.
    pub(super) fn replace(&self) -> RwLockReadGuard<'_, ()> {
        self.replacing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The free space.
    pub(super) fn free_space(&self) -> Result<FreeSpace, StorageError> {
        let base = self.base();
        let known = rustix::fs::statvfs(&base).map_err(|error| StorageError::io("statvfs", &base, error))?;
        let inodes = (known.f_files > 0).then_some(known.f_favail);
        Ok(FreeSpace { bytes: known.f_bavail.saturating_mul(known.f_frsize), inodes })
    }
}

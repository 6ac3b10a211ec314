//! What all calls on one store share.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use super::{
    super::{Key, StorageError},
    at_once::AtOnce,
    changes::Unchanged,
    directories::Directories,
    live::Live,
    many::Threads,
    names::Names,
    recent::Recent,
    sync::Syncs,
};

/// A store on a filesystem. Its methods block, and stand in the files named for what they do.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) root: PathBuf,
    pub(super) read_only: bool,
    pub(super) syncs: Arc<Syncs>,
    pub(super) directories: Arc<Directories>,
    pub(super) names: Names,
    pub(super) at_once: AtOnce,
    pub(super) recent: Recent,
    pub(super) live: Arc<Live>,
    pub(super) threads: Threads,
    /// This run of the kernel.
    pub(super) boot_id: String,
    /// This run of the process, in the names of temporary files.
    pub(super) run_id: String,
    pub(super) temporaries: AtomicU64,
    /// How many uploads are receiving at this moment.
    pub(super) appending: AtomicUsize,
    /// Open as long as the store is, for the lock on it.
    pub(super) _lock: Option<File>,
}

impl Volume {
    /// Where the object or the prefix `key` is.
    pub(super) fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// A path for a temporary file or directory that nothing else has.
    pub(super) fn temporary_path(&self) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Relaxed);
        temporary(&self.root).join(format!("{}-{number}", self.run_id))
    }

    /// Makes the names in `directory` durable, and the way to it.
    pub(super) fn settle(&self, directory: &Path) -> Result<(), StorageError> {
        self.directories.settle(&self.syncs, directory)
    }

    /// The directory that `path`, which is in the store, is in.
    pub(super) fn parent<'a>(&'a self, path: &'a Path) -> &'a Path {
        path.parent().unwrap_or(&self.root)
    }

    /// How the directory of an object stands, unless it is being changed, or others may change it.
    pub(super) fn at_rest(&self, key: &Key) -> Option<Unchanged> {
        if self.read_only {
            return None;
        }
        let path = self.path(key);
        self.directories.changes().now(self.parent(&path))
    }

    /// How many bytes can still be written.
    pub(super) fn free_space(&self) -> Result<u64, StorageError> {
        let known = rustix::fs::statvfs(&self.root).map_err(|error| StorageError::io("statvfs", &self.root, error))?;
        Ok(known.f_bavail.saturating_mul(known.f_frsize))
    }
}

/// What is the store's own and no key of its users: `lock`, `tmp` and `hashes` below it.
pub(super) fn own(root: &Path) -> PathBuf {
    root.join("wharf")
}

/// Where files are until they have their name. What is left here by an earlier process is removed.
pub(super) fn temporary(root: &Path) -> PathBuf {
    own(root).join("tmp")
}

/// Where the hashes of staged objects are kept.
pub(super) fn hashes(root: &Path) -> PathBuf {
    own(root).join("hashes")
}

//! The system calls that make something durable, and the one place that leaves them out.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};

use rustix::fs::{fdatasync, fsync, syncfs};

use super::super::{Action, Durability, Observer, StorageError};

/// Syncs files and directories, or, if nothing is to be durable, does not.
///
/// A sync that failed is never tried again by itself: the kernel may have dropped what it could not write, and the second try would
/// report success. Whoever gets an error throws away what was to be synced.
#[derive(Debug)]
pub(super) struct Syncs {
    durability: Durability,
    directories: bool,
    pub(super) observer: OnceLock<Arc<dyn Observer>>,
    #[cfg(test)]
    pub(super) faults: super::sync_faults::SyncFaults,
}

impl Syncs {
    /// Syncs for a store below `root`. Finds out whether the filesystem can sync directories; one that can't is warned of, once.
    pub(super) fn new(durability: Durability, root: &Path) -> Self {
        let directories = durability == Durability::None || can_sync_directories(root);
        Self {
            durability,
            directories,
            observer: OnceLock::new(),
            #[cfg(test)]
            faults: super::sync_faults::SyncFaults::default(),
        }
    }

    /// Whether anything is synced at all.
    pub(super) fn are_on(&self) -> bool {
        self.durability == Durability::Full
    }

    /// The content of a file, its length and its times.
    pub(super) fn file(&self, file: &File, path: &Path) -> Result<(), StorageError> {
        self.run("fsync", path, || fsync(file).map_err(Into::into))
    }

    /// The content of a file and its length.
    pub(super) fn data(&self, file: &File, path: &Path) -> Result<(), StorageError> {
        self.run("fdatasync", path, || fdatasync(file).map_err(Into::into))
    }

    /// The names in a directory.
    pub(super) fn directory(&self, path: &Path) -> Result<(), StorageError> {
        if !self.directories {
            return Ok(());
        }
        self.run("fsync directory", path, || Ok(fsync(File::open(path)?)?))
    }

    /// Everything in the filesystem that holds `path`.
    pub(super) fn everything(&self, path: &Path) -> Result<(), StorageError> {
        self.run("syncfs", path, || match syncfs(File::open(path)?) {
            Err(rustix::io::Errno::NOSYS) => {
                tracing::warn!(path = %path.display(), "the filesystem can't be synced as a whole");
                Ok(())
            }
            other => Ok(other?),
        })
    }

    fn run(
        &self,
        operation: &'static str,
        path: &Path,
        sync: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), StorageError> {
        if !self.are_on() {
            return Ok(());
        }
        #[cfg(test)]
        self.faults.before(operation, path).map_err(|error| StorageError::io(operation, path, error))?;
        let observer = self.observer.get().map(|observer| (observer, Instant::now()));
        let outcome = sync().map_err(|error| StorageError::io(operation, path, error));
        if let Some((observer, begun)) = observer {
            observer.action(Action::Sync, begun.elapsed(), outcome.as_ref().copied());
        }
        outcome
    }
}

/// Some network and FUSE filesystems refuse to sync a directory. Any other error is left for the first write to report.
fn can_sync_directories(root: &Path) -> bool {
    use rustix::io::Errno;
    let Ok(directory) = File::open(root) else { return true };
    let refused = matches!(fsync(directory), Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS | Errno::BADF));
    if refused {
        tracing::warn!(
            path = %root.display(),
            "this filesystem can't sync directories: what was stored may be gone after a power cut"
        );
    }
    !refused
}

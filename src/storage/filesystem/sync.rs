//! The sync system calls. This is the one place that makes them, and that leaves them out under `durability = "none"`.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};

use rustix::fs::{fdatasync, fsync, syncfs};

use super::super::{Action, Durability, Observer, Result, StorageError};

/// Syncs files and directories, unless durability is off.
///
/// A failed sync is never tried again: the kernel may have dropped the pages that it could not write, and the second
/// sync would report success. A caller that gets an error discards the file.
#[derive(Debug)]
pub(super) struct Syncs {
    durability: Durability,
    directories: bool,
    pub(super) observer: OnceLock<Arc<dyn Observer>>,
    #[cfg(test)]
    pub(super) faults: super::sync_faults::SyncFaults,
}

impl Syncs {
    /// Tests whether the filesystem of `root` can sync directories, and logs a warning if it cannot.
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
    pub(super) fn file(&self, file: &File, path: &Path) -> Result<()> {
        self.run("fsync", path, || fsync(file).map_err(Into::into))
    }

    /// The content of a file and its length.
    pub(super) fn data(&self, file: &File, path: &Path) -> Result<()> {
        self.run("fdatasync", path, || fdatasync(file).map_err(Into::into))
    }

    /// The names in a directory.
    pub(super) fn directory(&self, path: &Path) -> Result<()> {
        if !self.directories {
            return Ok(());
        }
        self.run("fsync directory", path, || Ok(fsync(File::open(path)?)?))
    }

    /// Everything in the filesystem that holds `path`.
    pub(super) fn everything(&self, path: &Path) -> Result<()> {
        self.run("syncfs", path, || match syncfs(File::open(path)?) {
            Err(rustix::io::Errno::NOSYS) => {
                tracing::warn!(path = %path.display(), "the filesystem can't be synced as a whole");
                Ok(())
            }
            other => Ok(other?),
        })
    }

    fn run(&self, operation: &'static str, path: &Path, sync: impl FnOnce() -> io::Result<()>) -> Result<()> {
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

/// Some network and FUSE filesystems refuse to sync a directory. The first write reports any other error.
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

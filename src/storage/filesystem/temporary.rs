//! Files and directories that have no name yet.

use std::{
    cell::Cell,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{
    super::{Condition, StorageError},
    job::{Work, run_all},
    owner::{create_directory, create_file},
    recovery::remove_any,
    volume::{Volume, temporary},
};

/// A file or a directory under a temporary name. Dropped, it is removed, unless it was moved away.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    /// The file, until it is synced.
    file: Option<File>,
    is_kept: Cell<bool>,
}

impl Temporary {
    /// A file that holds `bytes`, synced.
    pub(super) fn file(volume: &Volume, bytes: &[u8]) -> Result<Self, StorageError> {
        let mut this = Self::written(volume, bytes)?;
        run_all(this.sync(volume))?;
        Ok(this)
    }

    /// A file that holds `bytes`.
    pub(super) fn written(volume: &Volume, bytes: &[u8]) -> Result<Self, StorageError> {
        let path = volume.temporary_path();
        let error = |error| StorageError::io("write", &path, error);
        let mut file = create_file(&path).or_else(|_| {
            // Someone may have cleaned up too well.
            volume.directories.make(&temporary(&volume.base()))?;
            create_file(&path).map_err(error)
        })?;
        let mut this = Self::at(path.clone());
        file.write_all(bytes).map_err(error)?;
        this.file = Some(file);
        Ok(this)
    }

    /// What makes durable what was written to it.
    pub(super) fn sync(&mut self, volume: &Volume) -> Option<Work> {
        let (syncs, path) = (volume.syncs.clone(), self.path.clone());
        self.file.take().map(|file| Box::new(move || syncs.file(&file, &path)) as Work)
    }

    /// Gives it its name, durably. Its content is synced.
    pub(super) fn rename_durably(&self, volume: &Volume, to: &Path, condition: Condition) -> Result<(), StorageError> {
        let placed = volume.rename_durably(&self.path, to, condition);
        // It need not be looked for where it is no more.
        self.is_kept.set(placed.is_ok());
        placed
    }

    /// An empty directory.
    pub(super) fn directory(volume: &Volume) -> Result<Self, StorageError> {
        let this = Self::unused(volume)?;
        create_directory(&this.path).map_err(|error| StorageError::io("mkdir", &this.path, error))?;
        Ok(this)
    }

    /// Only a name, for something that is there already.
    pub(super) fn unused(volume: &Volume) -> Result<Self, StorageError> {
        volume.directories.make(&temporary(&volume.base()))?;
        Ok(Self::at(volume.temporary_path()))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it for the next start to remove.
    pub(super) fn keep(&self) {
        self.is_kept.set(true);
    }

    fn at(path: PathBuf) -> Self {
        Self { path, file: None, is_kept: Cell::new(false) }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_kept.get() {
            remove_any(&self.path);
        }
    }
}

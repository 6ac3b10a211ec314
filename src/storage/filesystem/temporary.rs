//! Files and directories under temporary names.

use std::{
    cell::Cell,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{
    super::{Condition, Result, StorageError},
    job::{Work, run_all},
    leftovers::remove_any,
    own_location::temporary,
    owner::{create_directory, create_file},
    volume::Volume,
};

/// A file or a directory under a temporary name. When this is dropped, it is removed, unless it was renamed.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    /// The file, until it is synced.
    file: Option<File>,
    is_kept: Cell<bool>,
}

impl Temporary {
    /// A file that holds `bytes`, synced.
    pub(super) fn file(volume: &Volume, bytes: &[u8]) -> Result<Self> {
        let mut this = Self::written(volume, bytes)?;
        run_all(this.sync(volume))?;
        Ok(this)
    }

    /// A file that holds `bytes`.
    pub(super) fn written(volume: &Volume, bytes: &[u8]) -> Result<Self> {
        let path = volume.temporary_path();
        let error = |error| StorageError::io("write", &path, error);
        let mut file = create_file(&path).or_else(|_| {
            // Somebody may have removed the directory.
            volume.directories.make(&temporary(&volume.base()))?;
            create_file(&path).map_err(error)
        })?;
        let mut this = Self::at(path.clone());
        file.write_all(bytes).map_err(error)?;
        this.file = Some(file);
        Ok(this)
    }

    /// The sync that makes its bytes durable; `None` if it is done.
    pub(super) fn sync(&mut self, volume: &Volume) -> Option<Work> {
        let (syncs, path) = (volume.syncs.clone(), self.path.clone());
        self.file.take().map(|file| Box::new(move || syncs.file(&file, &path)) as Work)
    }

    /// Renames it to its final name, durably. Its content must be synced.
    pub(super) fn rename_durably(&self, volume: &Volume, to: &Path, condition: Condition) -> Result<()> {
        let placed = volume.rename_durably(&self.path, to, condition);
        // After the rename there is nothing to remove.
        self.is_kept.set(placed.is_ok());
        placed
    }

    /// An empty directory.
    pub(super) fn directory(volume: &Volume) -> Result<Self> {
        let this = Self::unused(volume)?;
        create_directory(&this.path).map_err(|error| StorageError::io("mkdir", &this.path, error))?;
        Ok(this)
    }

    /// Only a name, as the target of a rename.
    pub(super) fn unused(volume: &Volume) -> Result<Self> {
        volume.directories.make(&temporary(&volume.base()))?;
        Ok(Self::at(volume.temporary_path()))
    }

    /// Its path.
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

//! Removes and renames single objects, and removes empty prefixes.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    super::{Condition, Key, Result, StorageError},
    lookup::{is_object, means_none},
    pending_names::NameState,
    volume::Volume,
};

impl Volume {
    /// Removes objects, durably, with one sync of each of their directories; returns whether each was there.
    pub(super) fn delete_all(&self, keys: &[Key]) -> Result<Vec<bool>> {
        let (mut parents, mut removed, mut were_there) = (BTreeSet::new(), Vec::new(), Vec::new());
        let unlinked = keys.iter().map(|key| self.path(key)).try_for_each(|path| {
            // Also if the object is gone: the one who removed it may not have synced yet.
            parents.insert(self.parent(&path).to_owned());
            let is_removed = is_object(&path) && self.unlink(&path)?;
            were_there.push(is_removed && self.names.state(&path) == NameState::Durable);
            removed.extend(is_removed.then_some(path));
            Ok(())
        });
        parents.iter().try_for_each(|parent| self.directories.sync_removal(&self.syncs, parent))?;
        for path in &removed {
            self.names.forget(path);
        }
        unlinked.map(|()| were_there)
    }

    /// Renames one object, durably. An object at the new key is replaced.
    pub(super) fn rename(&self, from: &Key, to: &Key) -> Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        if !is_object(&from) || self.names.state(&from) == NameState::Absent {
            return Err(StorageError::io("rename", &from, io::Error::from(io::ErrorKind::NotFound)));
        }
        let parent = self.parent(&from);
        let change = self.directories.change(parent);
        let placed = self.rename_durably(&from, &to, Condition::Any);
        drop(change);
        placed?;
        self.directories.sync_removal(&self.syncs, parent)
    }

    /// Makes the prefixes in this order, and missing directories above them, durably.
    pub(super) fn make_prefixes(&self, prefixes: &[Key]) -> Result<()> {
        let paths: Vec<_> = prefixes.iter().map(|prefix| self.path(prefix)).collect();
        paths.iter().try_for_each(|path| self.directories.make(path))?;
        paths.iter().try_for_each(|path| self.sync_path(self.parent(path)))
    }

    /// Removes the prefixes, durably, up to the first that is not empty; returns whether all are gone.
    pub(super) fn remove_empty_prefixes(&self, prefixes: &[Key]) -> Result<bool> {
        let mut changed = BTreeSet::new();
        let mut gone = true;
        for path in prefixes.iter().map(|prefix| self.path(prefix)) {
            gone = self.remove_directory(&path)?;
            if !gone {
                break;
            }
            changed.insert(self.parent(&path).to_owned());
        }
        changed.iter().try_for_each(|parent: &PathBuf| self.directories.sync_removal(&self.syncs, parent))?;
        Ok(gone)
    }

    fn remove_directory(&self, path: &Path) -> Result<bool> {
        if let Err(error) = path.symlink_metadata()
            && means_none(&error)
        {
            return Ok(true);
        }
        let before = self.directories.last();
        let change = self.directories.change(self.parent(path));
        let removed = fs::remove_dir(path);
        drop(change);
        match removed {
            Ok(()) => {
                self.directories.forget(path, before);
                self.names.forget(path);
                Ok(true)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => Ok(true),
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    Ok(false)
                }
                _ => Err(StorageError::io("rmdir", path, error)),
            },
        }
    }

    fn unlink(&self, path: &Path) -> Result<bool> {
        let change = self.directories.change(self.parent(path));
        let replacing = self.replace();
        let removed = fs::remove_file(path);
        drop((replacing, change));
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StorageError::io("unlink", path, error)),
        }
    }
}

//! Durable renames.

use std::{fs, io, path::Path, sync::PoisonError};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

use super::{
    super::{Condition, StorageError, Version},
    directories::{ATTEMPTS, is_in_the_way},
    lookup::stat_of,
    pending_names::NameState,
    volume::Volume,
};

impl Volume {
    /// Renames `from`, whose content is synced, to `to`, makes missing directories, and returns once the name is
    /// durable. A directory can replace only an empty directory.
    ///
    /// # Errors
    /// [`StorageError::Exists`] or [`StorageError::Changed`] if `condition` does not hold; `Exists` also if a directory
    /// is in the way of a file, or a file in the way of a directory. If the sync fails, `to` is visible but counts as
    /// absent, unless an object durably had the name before.
    pub(super) fn rename_durably(&self, from: &Path, to: &Path, condition: Condition) -> Result<(), StorageError> {
        let parent = self.parent(to);
        let mut replaces = condition == Condition::Any;
        let mut begun = None;
        for attempt in 0..ATTEMPTS {
            let naming = begun.take().unwrap_or_else(|| self.names.begin(to));
            let change = self.directories.change(parent);
            let renamed = if let Condition::IfVersion(version) = condition {
                self.rename_if(from, to, version)?
            } else {
                let _replacing = self.replace();
                if replaces { fs::rename(from, to) } else { rename_to_nothing(from, to) }
            };
            if renamed.is_ok() {
                naming.touched();
            }
            drop(change);
            match renamed {
                Ok(()) => {
                    self.sync_path(parent)?;
                    naming.durable();
                    return Ok(());
                }
                // The check is of `from`, not of the directory: another writer may have made the directory meanwhile.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && (attempt == 0 || from.symlink_metadata().is_ok()) =>
                {
                    self.directories.make_missing(parent)?;
                    begun = Some(naming);
                }
                Err(error) if is_in_the_way(&error) => {
                    drop(naming);
                    let is_free = !replaces && self.names.state(to) == NameState::Absent;
                    if !is_free {
                        return Err(StorageError::Exists);
                    }
                    replaces = true;
                }
                Err(error) => return Err(StorageError::io("rename", to, error)),
            }
        }
        Err(StorageError::io("rename", to, io::Error::from(io::ErrorKind::NotFound)))
    }

    /// Renames `from` to `to` if `to` has this version. The lock keeps all others from changing it in between.
    fn rename_if(&self, from: &Path, to: &Path, version: Version) -> Result<io::Result<()>, StorageError> {
        let _replacing = self.replacing.write().unwrap_or_else(PoisonError::into_inner);
        match to.metadata() {
            Ok(metadata) if metadata.is_file() && stat_of(&metadata).version == version => Ok(fs::rename(from, to)),
            _ => Err(StorageError::Changed),
        }
    }
}

/// Fails if there is anything at `to`.
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

//! Whether a directory can be a store, as far as can be seen without touching it.

use std::{fs, io, path::Path};

use rustix::fs::{Access, access};

use super::open::{cannot, is_a_file};
use crate::storage::StorageError;

/// The first error that opening a store at `root` would report: it is not a directory, or it cannot be made or read.
///
/// # Errors
/// [`StorageError::Open`]
pub(in crate::storage) fn check(root: &Path) -> Result<(), StorageError> {
    if root.is_symlink() && !root.exists() {
        return Err(cannot(root, "be made", &io::Error::other("it is a symbolic link that leads nowhere")));
    }
    let existing = root.ancestors().find(|path| !path.as_os_str().is_empty() && path.exists());
    let existing = existing.unwrap_or(Path::new(if root.is_absolute() { "/" } else { "." }));
    let is_root = existing == root;
    if !existing.is_dir() {
        return Err(is_a_file(root, existing));
    }
    if is_root {
        return fs::read_dir(root).map(drop).map_err(|error| cannot(root, "be read", &error));
    }
    access(existing, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| cannot(root, "be made", &io::Error::from(error)))
}

//! Whether a directory can be a store, as far as can be seen without touching it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::write_failure::is_full;
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

/// Why `root` can't be a store if there is a file at `file`, which is the same or above it.
pub(super) fn is_a_file(root: &Path, file: &Path) -> StorageError {
    StorageError::Open(format!(
        "{} can't be a store: {} is a file, and a store is a directory; choose another directory",
        absolute(root).display(),
        absolute(file).display()
    ))
}

/// For messages: a path that begins at the root of all files.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The error of a store whose `path` can't `what`, and what the operator can do.
pub(super) fn cannot(path: &Path, what: &str, error: &io::Error) -> StorageError {
    let todo = match error.kind() {
        io::ErrorKind::PermissionDenied => "give this process the right to it, or choose another directory",
        _ if is_full(error) => "make room",
        _ => "choose another directory for the store",
    };
    StorageError::Open(format!("{} can't {what}: {error}; {todo}", absolute(path).display()))
}

//! One process owns a store.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{super::StorageError, own_location::own, owner::open_or_create_file};

/// Locks the store at `root`. The lock holds as long as the file is open, and ends with the process, however that ends.
///
/// # Errors
/// The outer ones are of opening the file; the inner one says, in words for the operator, that the lock can't be had.
pub(super) fn take(root: &Path) -> io::Result<Result<File, StorageError>> {
    let path = own(root).join("lock");
    let mut file = open_or_create_file(&path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Err(taken(root, &mut file))),
        Err(error) => return Ok(Err(refused(&path, error))),
    }
    // Only for the message above: it does not matter if it can't be written.
    if file.set_len(0).is_ok() {
        let _ = writeln!(file, "{}", std::process::id());
    }
    Ok(Ok(file))
}

fn taken(root: &Path, file: &mut File) -> StorageError {
    let mut pid = String::new();
    let by = match file.read_to_string(&mut pid) {
        Ok(_) if !pid.trim().is_empty() => format!(" (process {})", pid.trim()),
        _ => String::new(),
    };
    StorageError::Open(format!(
        "{} is in use by another wharf{by}: a store belongs to one process; stop the other one, or choose \
         another directory",
        root.display()
    ))
}

fn refused(path: &Path, error: Errno) -> StorageError {
    StorageError::Open(format!(
        "{} can't be locked: {}; choose a filesystem that has locks, so that no second process can write to the store",
        path.display(),
        io::Error::from(error)
    ))
}

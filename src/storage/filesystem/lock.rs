//! One process owns a store.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{super::StorageError, own_location::own, owner::open_or_create_file};

/// How long an owner that is about to end has for it. A process that was told to stop, or a copy of the open file in a
/// child that has not yet become another program, is gone within this time.
const PREVIOUS_OWNER_ENDS: Duration = Duration::from_secs(1);

/// The lock of a store. It is released when this is dropped, or when the process ends, however that ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not be enough: a child of this process holds the lock too, from its fork to its exec.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Locks the store at `root`. Waits [`PREVIOUS_OWNER_ENDS`] for another owner.
///
/// # Errors
/// The outer ones are of opening the file; the inner one says, in words for the operator, that the lock can't be had.
pub(super) fn take(root: &Path) -> io::Result<Result<Lock, StorageError>> {
    let path = own(root).join("lock");
    let mut file = open_or_create_file(&path)?;
    let begun = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::WOULDBLOCK) if begun.elapsed() < PREVIOUS_OWNER_ENDS => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::WOULDBLOCK) => return Ok(Err(taken(root, &mut file))),
            Err(error) => return Ok(Err(refused(&path, error))),
        }
    }
    // Only for the message above: it does not matter if it can't be written.
    if file.set_len(0).is_ok() {
        let _ = writeln!(file, "{}", std::process::id());
    }
    Ok(Ok(Lock(file)))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn lock(root: &Path) -> Result<Lock, StorageError> {
        std::fs::create_dir_all(own(root)).unwrap();
        take(root).unwrap()
    }

    /// A child process has such a copy from its fork to its exec.
    #[test]
    fn a_copy_of_the_open_file_does_not_keep_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let first = lock(directory.path()).unwrap();
        let copy = first.0.try_clone().unwrap();
        drop(first);
        lock(directory.path()).unwrap();
        drop(copy);
    }

    #[test]
    fn an_owner_that_ends_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let first = lock(directory.path()).unwrap();
        let ending = thread::spawn(move || {
            thread::park_timeout(PREVIOUS_OWNER_ENDS / 10);
            drop(first);
        });
        lock(directory.path()).unwrap();
        ending.join().unwrap();
    }
}

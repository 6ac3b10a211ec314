//! A folder of signing keys that wharf makes and replaces by itself. The name of each file is the time it was made, in
//! seconds since 1970.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::signing::SigningKey;
use crate::files::{self, Content, FileError, FileFault, Files};

/// After how many seconds a new key replaces the newest one.
pub(super) const ROTATION: u64 = 90 * 24 * 3600;
/// For how many seconds a key still verifies after it was replaced: longer than any token lives.
pub(super) const OVERLAP: u64 = 2 * 3600;

/// Makes a new key when the newest is old, and removes those that no token needs any more.
pub(super) fn refresh(folder: &Path, now: u64) -> Result<(), FileError> {
    let times = times(folder)?;
    if times.first().is_none_or(|newest| newest.saturating_add(ROTATION) <= now) {
        rotate_keys(folder, now)?;
    }
    for pair in times.windows(2) {
        if pair[0].saturating_add(OVERLAP) <= now {
            files::remove(&file(folder, pair[1]))?;
        }
    }
    Ok(())
}

/// Makes a new key at once. A server that has the folder open signs with it within a second or two.
///
/// # Errors
/// [`FileError`]
pub fn rotate_keys(folder: &Path, now: u64) -> Result<(), FileError> {
    files::create_folder(folder)?;
    let path = file(folder, now);
    let pem = SigningKey::generate()
        .map_err(|error| FileError { path: path.clone(), fault: FileFault::Content(error.to_string()) })?;
    match files::create(&path, pem.as_bytes()) {
        // Another process has made a key in the same second, which is as good.
        Err(FileError { fault: FileFault::Unwritable(io::ErrorKind::AlreadyExists), .. }) => Ok(()),
        created => created,
    }
}

/// The files of the keys, the newest first.
pub(super) fn list(folder: &Path) -> Result<Files, FileError> {
    Ok(times(folder)?.into_iter().map(|time| (file(folder, time), Content::Credentials)).collect())
}

/// When the keys were made, the newest first.
fn times(folder: &Path) -> Result<Vec<u64>, FileError> {
    let names = files::names(folder)?;
    let mut times: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(".pem")?.parse().ok()).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    Ok(times)
}

fn file(folder: &Path, time: u64) -> PathBuf {
    folder.join(format!("{time}.pem"))
}

//! Files that nothing uses any more.

use std::{ffi::OsString, fs, io, path::Path};

/// Removes a file, or a directory and all below it. If that fails, the next start tries again.
pub(super) fn remove_any(path: &Path) {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a leftover can't be removed");
    }
}

/// The names in a directory; none if it cannot be read.
pub(super) fn names_in(directory: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect()
}

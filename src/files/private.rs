//! Writes and removes files that only their owner may read. A reader finds the whole old or the whole new content,
//! after a loss of power too.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags},
    io::Errno,
};
use tempfile::{Builder, NamedTempFile};
use tokio::net::UnixListener;

use super::{FileError, FileFault};

/// The mode of a file that only its owner may read.
const PRIVATE: u32 = 0o600;

/// Writes a new file. Where root writes it, the file gets the owner of its folder.
///
/// # Errors
/// [`FileFault::Unwritable`], with [`io::ErrorKind::AlreadyExists`] if the file exists.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let create = || {
        let staged = staged(path, content, PRIVATE)?;
        if rustix::process::geteuid().is_root() {
            keep_owner(&staged, &fs::metadata(folder(path))?)?;
        }
        staged.persist_noclobber(path)?;
        sync_folder(path)
    };
    named(path, create())
}

/// Replaces a file. Its owner stays, and its mode, less what lets others write or read it beyond the group. Symbolic
/// links stay too: the file that they lead to is replaced.
///
/// # Errors
/// [`FileFault::Unwritable`]
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let replace = || {
        let path = &fs::canonicalize(path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(path.to_owned()),
            _ => Err(error),
        })?;
        let staged = staged(path, content, PRIVATE)?;
        if let Ok(old) = fs::metadata(path) {
            keep_owner(&staged, &old)?;
            staged.as_file().set_permissions(Permissions::from_mode(old.mode() & 0o644 | PRIVATE))?;
        }
        staged.persist(path)?;
        sync_folder(path)
    };
    named(path, replace())
}

/// Replaces a file if it exists; whether it did. The two are one step, so a file that somebody removes at the same time
/// stays removed.
///
/// # Errors
/// [`FileFault::Unwritable`]
pub(crate) fn replace_if_there(path: &Path, content: &[u8]) -> Result<bool, FileError> {
    let replace = || {
        let staged = staged(path, content, PRIVATE)?;
        if let Ok(old) = fs::metadata(path) {
            keep_owner(&staged, &old)?;
        }
        // The two files change places, and the old one is removed with the temporary file.
        match rustix::fs::renameat_with(CWD, staged.path(), CWD, path, RenameFlags::EXCHANGE) {
            Ok(()) => sync_folder(path).map(|()| true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    };
    named(path, replace())
}

/// Writes or replaces a file that everybody may read.
///
/// # Errors
/// [`FileFault::Unwritable`]
pub(crate) fn publish(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let publish = || {
        staged(path, content, 0o644)?.persist(path)?;
        sync_folder(path)
    };
    named(path, publish())
}

/// Removes a file if it exists.
///
/// # Errors
/// [`FileFault::Unwritable`]
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    named(path, remove_if_there(path))
}

/// Listens on a socket that only its owner may connect to, in the place of one that a killed process left.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    remove_if_there(path)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(PRIVATE))?;
    Ok(listener)
}

/// Makes a folder that only its owner may enter, if it does not exist.
///
/// # Errors
/// [`FileFault::Unwritable`]
pub(crate) fn create_folder(path: &Path) -> Result<(), FileError> {
    named(path, fs::DirBuilder::new().recursive(true).mode(0o700).create(path))
}

/// Makes a folder among the system's temporary ones that only its owner may enter. It stays when the process ends.
pub(crate) fn temporary_folder() -> io::Result<PathBuf> {
    Ok(Builder::new().prefix("wharf-").tempdir()?.keep())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn staged(path: &Path, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut file =
        Builder::new().prefix(".new-").permissions(Permissions::from_mode(mode)).tempfile_in(folder(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// A file that root writes for a server of another user must stay that user's.
fn keep_owner(staged: &NamedTempFile, old: &fs::Metadata) -> io::Result<()> {
    let new = staged.as_file().metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    chown(staged.path(), Some(old.uid()), Some(old.gid()))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn named<T>(path: &Path, result: io::Result<T>) -> Result<T, FileError> {
    result.map_err(|error| FileError { path: path.to_owned(), fault: FileFault::Unwritable(error.kind()) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn b21_new_files_are_private_and_never_replace_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/key.pem");
        create_folder(path.parent().unwrap()).unwrap();
        create(&path, b"one").unwrap();
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
        let error = create(&path, b"two").unwrap_err();
        assert_eq!(error.fault, FileFault::Unwritable(io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_less_what_is_unsafe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        replace(&path, b"one").unwrap();
        assert_eq!(mode(&path), 0o600);
        for (old, new) in [(0o640, 0o640), (0o644, 0o644), (0o666, 0o644), (0o400, 0o600)] {
            fs::set_permissions(&path, Permissions::from_mode(old)).unwrap();
            replace(&path, b"two").unwrap();
            assert_eq!(mode(&path), new, "{old:o}");
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("htpasswd", &link).unwrap();
        replace(&link, b"three").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"three");
    }
}

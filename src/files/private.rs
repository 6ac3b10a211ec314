//! Writes files that only their owner may read, so that a reader finds the whole old or the whole new content, after a loss of power too.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    path::Path,
};

use rustix::{
    fs::{CWD, RenameFlags},
    io::Errno,
};
use tempfile::{Builder, NamedTempFile};

use super::{FileError, FileFault};

/// Writes a file that must not be there yet. Where root writes it, it belongs to whom its folder belongs.
///
/// # Errors
/// [`FileFault::Unwritable`], with [`io::ErrorKind::AlreadyExists`] where it is there.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let create = || {
        let staged = staged(path, content)?;
        if rustix::process::geteuid().is_root() {
            keep_owner(staged.path(), &fs::metadata(folder(path))?)?;
        }
        staged.persist_noclobber(path).map_err(|error| error.error)?;
        sync_folder(path)
    };
    create().map_err(|error| unwritable(path, &error))
}

/// Writes a file in the place of another, whose owner and mode it keeps, less what would let others write or read it beyond the group.
///
/// # Errors
/// [`FileFault::Unwritable`]
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let replace = || {
        // What is replaced is the file, not a link that leads to it.
        let path = &fs::canonicalize(path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(path.to_owned()),
            _ => Err(error),
        })?;
        let staged = staged(path, content)?;
        if let Ok(old) = fs::metadata(path) {
            keep_owner(staged.path(), &old)?;
            staged.as_file().set_permissions(Permissions::from_mode(old.mode() & 0o644 | 0o600))?;
        }
        staged.persist(path).map_err(|error| error.error)?;
        sync_folder(path)
    };
    replace().map_err(|error| unwritable(path, &error))
}

/// Writes a file in the place of another, in one step with the look whether that is still there; whether it was. One that was removed stays so.
///
/// # Errors
/// [`FileFault::Unwritable`]
pub(crate) fn replace_if_there(path: &Path, content: &[u8]) -> Result<bool, FileError> {
    let replace = || {
        let staged = staged(path, content)?;
        if let Ok(old) = fs::metadata(path) {
            keep_owner(staged.path(), &old)?;
        }
        // The two change places, and what was there goes with the temporary file.
        match rustix::fs::renameat_with(CWD, staged.path(), CWD, path, RenameFlags::EXCHANGE) {
            Ok(()) => sync_folder(path).map(|()| true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    };
    replace().map_err(|error: io::Error| unwritable(path, &error))
}

/// Makes a folder that only its owner may enter, if it is not there.
///
/// # Errors
/// [`FileFault::Unwritable`]
pub(crate) fn create_folder(path: &Path) -> Result<(), FileError> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|error| unwritable(path, &error))
}

fn staged(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut file =
        Builder::new().prefix(".new-").permissions(Permissions::from_mode(0o600)).tempfile_in(folder(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// A file that root writes for a server of another user must stay that user's.
fn keep_owner(path: &Path, old: &fs::Metadata) -> io::Result<()> {
    let new = fs::metadata(path)?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    chown(path, Some(old.uid()), Some(old.gid()))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritable(path: &Path, error: &io::Error) -> FileError {
    FileError { path: path.to_owned(), fault: FileFault::Unwritable(error.kind()) }
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

//! Ownership of new files. If root makes a file in a store of another user, the file is given to that user: a check or
//! a collection by root must not take from a server the right to write.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

use rustix::{
    fs::{Gid, OFlags, Uid, fchown},
    process::geteuid,
};

/// Makes a directory.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
    hand_over(path, || OpenOptions::new().read(true).custom_flags(flags).open(path).map(OwnedFd::from));
    Ok(())
}

/// Makes a directory that may be there already.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    match create_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Makes a file, with the mode that every file of the store has: another registry may have to read it as another user.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    hand_over(path, || file.as_fd().try_clone_to_owned());
    Ok(file)
}

/// Opens a file to read and to write, and makes it if it is not there. One that is there stays whose it is, as it may
/// be a link to something else.
pub(super) fn open_or_create_file(path: &Path) -> io::Result<File> {
    match create_file(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
        }
        other => other,
    }
}

/// Gives the new file or directory at `path` to the owner of its parent directory, if this process is root. If that
/// fails, it stays root's: some filesystems, and a root without that capability, cannot do it.
fn hand_over(path: &Path, opened: impl FnOnce() -> io::Result<OwnedFd>) {
    if !geteuid().is_root() {
        return;
    }
    let Some(Ok(above)) = path.parent().map(fs::metadata) else { return };
    if (above.uid(), above.gid()) == (0, 0) {
        return;
    }
    let (user, group) = (Uid::from_raw(above.uid()), Gid::from_raw(above.gid()));
    let given = opened().and_then(|made| Ok(fchown(made, Some(user), Some(group))?));
    if let Err(error) = given {
        tracing::debug!(path = %path.display(), %error, "this stays root's");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn owner(path: &Path) -> (u32, u32) {
        let metadata = path.symlink_metadata().unwrap();
        (metadata.uid(), metadata.gid())
    }

    /// As another user nothing changes hands, so there is nothing to see.
    #[test]
    fn report_s3_what_root_makes_is_the_owners_of_the_directory_above() {
        if !geteuid().is_root() {
            return;
        }
        for given in [(0, 0), (65_534, 65_534), (12_345, 0), (0, 12_345)] {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path();
            chown(root, Some(given.0), Some(given.1)).unwrap();
            create_directory(&root.join("d")).unwrap();
            create_directory(&root.join("d/below")).unwrap();
            create_file(&root.join("d/below/file")).unwrap();
            open_or_create_file(&root.join("lock")).unwrap();
            for made in ["d", "d/below", "d/below/file", "lock"] {
                assert_eq!(owner(&root.join(made)), given, "{made}");
            }
        }
    }

    #[test]
    fn report_s3_what_is_there_and_what_a_link_leads_to_is_not_given_away() {
        if !geteuid().is_root() {
            return;
        }
        let (elsewhere, directory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (precious, root) = (elsewhere.path().join("precious"), directory.path());
        fs::write(&precious, "x").unwrap();
        chown(root, Some(12_345), Some(12_345)).unwrap();
        fs::hard_link(&precious, root.join("hard")).unwrap();
        symlink(&precious, root.join("soft")).unwrap();
        symlink(elsewhere.path(), root.join("directory")).unwrap();
        for name in ["hard", "soft"] {
            open_or_create_file(&root.join(name)).unwrap();
            assert!(create_file(&root.join(name)).is_err());
        }
        assert!(create_directory(&root.join("directory")).is_err());
        assert_eq!((owner(&precious), owner(elsewhere.path())), ((0, 0), (0, 0)));
    }
}

//! The place of wharf's own files: beside `docker/`, or in it if it is another filesystem, since a rename cannot cross
//! filesystems.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use super::{
    super::OWN_PREFIX,
    leftovers::{names_in, remove_any},
    owner::create_file,
    owner::make_directory,
};

/// The names below `wharf/` that are not objects of the store. They stay beside `docker/`: the lock must keep its
/// place, and keys must stay out of backups of `docker/`.
const BESIDE: [&str; 4] = ["lock", "control", "token-keys", "identity-tokens"];

/// The directory of wharf's own files. In the root of the store it has the `lock`; in the [`OwnLocation`] it has `tmp`
/// and `hashes`, which are not keys.
pub(super) fn own(base: &Path) -> PathBuf {
    base.join(OWN_PREFIX)
}

/// The directory of temporary files. Recovery removes those of an earlier process.
pub(super) fn temporary(base: &Path) -> PathBuf {
    own(base).join("tmp")
}

/// Where the hashes of staged objects are kept.
pub(super) fn hashes(base: &Path) -> PathBuf {
    own(base).join("hashes")
}

/// The directory that `wharf/` is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnLocation {
    /// The root of the store.
    Root,
    /// `docker/`, if it is on a filesystem of its own, or was. registry:2 and registry:3 read only `docker/registry/`.
    Docker,
}

impl OwnLocation {
    /// Its path in the store at `root`; it is on the filesystem of all objects.
    pub(super) fn path(self, root: &Path) -> PathBuf {
        match self {
            Self::Root => root.to_owned(),
            Self::Docker => root.join("docker"),
        }
    }

    /// The one in which there is something already, for a store that is only read.
    pub(super) fn found(root: &Path) -> Self {
        if own(&Self::Docker.path(root)).is_dir() { Self::Docker } else { Self::Root }
    }

    /// Those to try, the likeliest first.
    pub(super) fn candidates(root: &Path, mounts: &[PathBuf]) -> &'static [Self] {
        let docker = Self::Docker.path(root);
        let is_apart = mounts.iter().any(|mount| *mount == docker || *mount == own(root));
        if is_apart || own(&docker).is_dir() { &[Self::Docker] } else { &[Self::Root, Self::Docker] }
    }
}

/// Whether `name`, below `wharf/`, is no object of the store.
pub(super) fn is_beside(name: &OsStr) -> bool {
    BESIDE.iter().any(|stays| name == *stays)
}

/// The mount points in the store.
pub(super) fn mounts_in(root: &Path) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let points = table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    let paths = points.map(|point| PathBuf::from(std::ffi::OsString::from_vec(unescaped(point))));
    paths.filter(|path| path.starts_with(root) && path != root).collect()
}

/// The first of the mounts on the way of a rename from staging to a name. `docker/` and `wharf/` themselves are not in
/// the way.
pub(super) fn in_the_way<'a>(root: &Path, mounts: &'a [PathBuf]) -> Option<&'a PathBuf> {
    let is_below = |mount: &Path, top: &Path| mount != top && mount.starts_with(top);
    mounts.iter().find(|mount| {
        let stays = BESIDE.iter().any(|name| mount.starts_with(own(root).join(name)));
        is_below(mount, &OwnLocation::Docker.path(root)) || (is_below(mount, &own(root)) && !stays)
    })
}

/// `\040` is a space.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        let digits = rest.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            text = &rest[3..];
        } else {
            bytes.push(first);
            text = rest;
        }
    }
    bytes
}

/// Moves to `docker/wharf` the files that an earlier start kept beside `docker/`, above all unfinished uploads. A file
/// that cannot be moved stays for the next start.
pub(super) fn migrate(root: &Path) {
    let (from, base) = (own(root), OwnLocation::Docker.path(root));
    let stays = |name: &std::ffi::OsString| is_beside(name);
    for name in names_in(&from).into_iter().filter(|name| !stays(name)) {
        let (old, new) = (from.join(&name), own(&base).join(&name));
        let moved = if old == temporary(root) { Ok(()) } else { copy(&old, &new, &temporary(&base)) };
        match moved.and_then(|()| File::open(own(&base))?.sync_all()) {
            Ok(()) => remove_any(&old),
            Err(error) => {
                tracing::warn!(path = %old.display(), %error, "this can't be moved to docker/{OWN_PREFIX}, and stays");
            }
        }
    }
}

/// Copies a file or a tree, durably. Existing files are left as they are.
fn copy(from: &Path, to: &Path, temporary: &Path) -> io::Result<()> {
    let metadata = from.symlink_metadata()?;
    if metadata.is_dir() {
        make_directory(to)?;
        for name in names_in(from) {
            copy(&from.join(&name), &to.join(&name), temporary)?;
        }
        return File::open(to)?.sync_all();
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a directory"));
    }
    if to.symlink_metadata().is_ok() {
        return Ok(());
    }
    let beside = temporary.join("taken-up");
    // A killed start may have left one.
    let _ = fs::remove_file(&beside);
    let mut file = create_file(&beside)?;
    io::copy(&mut File::open(from)?, &mut file)?;
    fs::set_permissions(&beside, metadata.permissions())?;
    // An upload expires by this time.
    file.set_modified(metadata.modified()?)?;
    file.sync_all()?;
    fs::rename(&beside, to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use super::*;

    #[test]
    fn report_s4_mounts_in_the_way_are_those_below_docker_and_in_staging() {
        let root = Path::new("/s");
        let cases = [
            ("/s/docker", None),
            ("/s/wharf", None),
            ("/s/wharf/token-keys", None),
            ("/s/other/docker/x", None),
            ("/s/dockerx/y", None),
            ("/s/wharf/uploads", Some(())),
            ("/s/docker/registry", Some(())),
            ("/s/docker/registry/v2/blobs", Some(())),
            ("/s/docker/registry/v2/repositories/a", Some(())),
        ];
        for (mount, expected) in cases {
            assert_eq!(in_the_way(root, &[mount.into()]).map(|_| ()), expected, "{mount}");
        }
        for (escaped, path) in [("/a\\040b", "/a b"), ("/a\\134", "/a\\"), ("/a\\", "/a\\"), ("/a\\9", "/a\\9")] {
            assert_eq!(unescaped(escaped.as_bytes()), path.as_bytes());
        }
    }

    #[test]
    fn report_s4_what_was_beside_docker_is_taken_up() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let (old, new) = (own(root), own(&OwnLocation::Docker.path(root)));
        let moved = ["uploads/r/_uploads/1", "repositories/r/_content_types/x", "hashes/h"];
        let stay = ["lock", "token-keys/k"];
        for path in moved.iter().chain(&stay).chain(&["tmp/x", "uploads/r/_uploads/both"]) {
            fs::create_dir_all(old.join(path).parent().unwrap()).unwrap();
            fs::write(old.join(path), "old").unwrap();
        }
        fs::create_dir_all(new.join("tmp")).unwrap();
        fs::create_dir_all(new.join("uploads/r/_uploads")).unwrap();
        fs::write(new.join("uploads/r/_uploads/both"), "new").unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        File::options().write(true).open(old.join(moved[0])).unwrap().set_modified(long_ago).unwrap();
        migrate(root);
        for path in moved {
            assert_eq!(fs::read_to_string(new.join(path)).unwrap(), "old", "{path}");
        }
        assert_eq!(new.join(moved[0]).metadata().unwrap().modified().unwrap(), long_ago);
        assert_eq!(fs::read_to_string(new.join("uploads/r/_uploads/both")).unwrap(), "new");
        let mut left = names_in(&old);
        left.sort();
        assert_eq!(left, ["lock", "token-keys"]);
        assert_eq!(names_in(&new.join("tmp")).len(), 0);
    }
}

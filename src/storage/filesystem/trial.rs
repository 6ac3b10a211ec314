//! Whether a commit can work: what it does is tried, at the start and by each health check.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access, fsync},
    io::Errno,
};

use super::{
    super::{Condition, Durability, StorageError},
    base::{Base, in_the_way, is_beside, mounts_in},
    start::names_in,
    temporary::Temporary,
    volume::{Volume, hashes, own, temporary},
};
use crate::oci::Algorithm;

/// The file that is moved through the store. It has one name, so that one which a killed process left is moved along and removed.
const PROBE: &str = ".wharf-probe";

/// So many parts are looked at in a directory.
const PARTS: usize = 4096;

/// A step of the trial that failed.
struct Failure {
    at: PathBuf,
    error: io::Error,
}

/// Where wharf's own files can be, so that a commit works.
///
/// # Errors
/// In words for the operator: what can't work, and why.
pub(super) fn writable_base(root: &Path, durability: Durability) -> Result<Base, String> {
    let mounts = mounts_in(root);
    if let Some(mount) = in_the_way(root, &mounts) {
        return Err(format!(
            "{} is a mount of its own, and a file can't be renamed into it; mount the whole store, or the whole of docker/",
            mount.display()
        ));
    }
    let mut refusal = String::new();
    for &base in Base::candidates(root, &mounts) {
        match try_commit(root, base, durability).and_then(|()| look_at_parts(root, base)) {
            Ok(()) => return Ok(base),
            // What is stored can be read and deleted.
            Err(Failure { error, at }) if is_full(&error) => {
                tracing::warn!(path = %at.display(), "the store is full");
                return Ok(base);
            }
            Err(failure) => {
                let crosses = failure.error.kind() == io::ErrorKind::CrossesDevices;
                refusal = failure.in_words(root);
                if base == Base::Docker {
                    withdraw(root);
                }
                if !crosses {
                    break;
                }
            }
        }
    }
    Err(refusal)
}

/// Makes a file, syncs it, and renames it into each directory that a commit renames into.
fn try_commit(root: &Path, base: Base, durability: Durability) -> Result<(), Failure> {
    let at = |path: &Path| {
        let at = path.to_owned();
        move |error: io::Error| Failure { at, error }
    };
    let folder = base.path(root);
    for directory in [folder.clone(), own(&folder), temporary(&folder), hashes(&folder)] {
        make_directory(&directory).map_err(at(&directory))?;
    }
    let mut probe = temporary(&folder).join(PROBE);
    let written = File::create(&probe).and_then(|mut file| {
        file.write_all(b"probe")?;
        if durability == Durability::Full { file.sync_all() } else { Ok(()) }
    });
    let mut tried = written.map_err(at(&temporary(&folder)));
    for directory in way(root, base) {
        if tried.is_err() {
            break;
        }
        let next = directory.join(PROBE);
        tried = fs::rename(&probe, &next).map_err(at(&directory));
        if tried.is_ok() {
            probe = next;
            tried = sync_directory(&directory, durability).map_err(at(&directory));
        }
    }
    let removed = fs::remove_file(&probe).map_err(at(&probe));
    tried.and(removed)
}

/// What is there of the directories on the way of all commits, in the store and among wharf's own. One that is no directory, or a symbolic link
/// that leads nowhere, is there too: it is in the way.
fn way(root: &Path, base: Base) -> Vec<PathBuf> {
    let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
    let tops = ["docker/registry/v2", "docker/registry", "docker"].map(|top| root.join(top));
    let top = tops.into_iter().find(is_there).unwrap_or_else(|| root.to_owned());
    let own = own(&base.path(root));
    let is_prefix = |path: &PathBuf| path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file());
    let ours = names_in(&own).into_iter().filter(|name| !is_beside(name)).map(|name| own.join(name)).filter(is_prefix);
    let blobs = root.join("docker/registry/v2/blobs");
    let contents = Algorithm::ALL.map(|algorithm| blobs.join(algorithm.as_str()));
    let below = [blobs].into_iter().chain(contents).chain([root.join("docker/registry/v2/repositories")]);
    [top].into_iter().chain(below.filter(is_there)).chain(ours).collect()
}

/// Looks at the directories of single repositories and of blobs whose digests begin alike. It is an error if no blob can be stored; one part that
/// can't be written is told of, as the others can.
fn look_at_parts(root: &Path, base: Base) -> Result<(), Failure> {
    let blobs = root.join("docker/registry/v2/blobs");
    for directory in way(root, base).iter().skip(1) {
        let parts: Vec<_> = names_in(directory).into_iter().take(PARTS).map(|name| directory.join(name)).collect();
        let is_refused = |part: &&PathBuf| part.is_dir() && access(*part, Access::WRITE_OK | Access::EXEC_OK).is_err();
        let refused: Vec<_> = parts.iter().filter(is_refused).collect();
        let Some(&first) = refused.first() else { continue };
        let failure = Failure { at: first.clone(), error: io::ErrorKind::PermissionDenied.into() };
        if refused.len() == parts.len() && directory.parent() == Some(&blobs) {
            return Err(failure);
        }
        let why = failure.in_words(root);
        tracing::warn!(directories = refused.len(), why, "parts of the store can't be written: pushes to them fail");
    }
    Ok(())
}

/// Some filesystems can't; that is told of elsewhere.
fn sync_directory(directory: &Path, durability: Durability) -> io::Result<()> {
    if durability == Durability::None {
        return Ok(());
    }
    match fsync(File::open(directory)?) {
        Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS | Errno::BADF) => Ok(()),
        other => Ok(other?),
    }
}

/// Removes the empty directories of a trial that failed.
fn withdraw(root: &Path) {
    let base = Base::Docker.path(root);
    for directory in [hashes(&base), temporary(&base), own(&base)] {
        // One that is in use is not empty.
        let _ = fs::remove_dir(directory);
    }
}

pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Failure {
    fn in_words(&self, root: &Path) -> String {
        let (at, error) = (self.at.display(), &self.error);
        match error.kind() {
            io::ErrorKind::CrossesDevices => format!(
                "{at} is on another filesystem than what is above it, and a file can't be renamed into it; put the whole of {} on one",
                Base::Docker.path(root).display()
            ),
            io::ErrorKind::PermissionDenied => {
                let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
                let (user, group) = (user.as_raw(), group.as_raw());
                let root = root.display();
                format!(
                    "user {user} (group {group}) can't write to {at}: {error}; give the store to it (chown -R {user}:{group} {root}), or \
                     run wharf as its owner"
                )
            }
            _ => format!("{at} can't be written: {error}"),
        }
    }
}

impl Volume {
    /// Tries what a commit does, at the cost of one.
    pub(super) fn try_commit(&self) -> Result<(), StorageError> {
        let way = way(&self.root, self.base);
        for directory in &way {
            access(directory, Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|error| StorageError::io("write to", directory, error))?;
        }
        let probe = way.first().unwrap_or(&self.root).join(PROBE);
        Temporary::file(self, b"probe")?.place(self, &probe, Condition::Any)?;
        // That need not be durable: the next one takes its place.
        fs::remove_file(&probe).map_err(|error| StorageError::io("unlink", &probe, error))
    }
}

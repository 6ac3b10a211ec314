//! Checks that commits can work, by doing what they do: at the start, and for each health check.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use rustix::{
    fs::{Access, access, fsync},
    io::Errno,
};

use super::{
    super::{Condition, Durability, StorageError},
    own_location::{OwnLocation, hashes, in_the_way, mounts_in, own, temporary},
    owner::{create_file, make_directory},
    rename_targets::{check_parts, shared, staging},
    temporary::Temporary,
    volume::Volume,
    write_failure::{Failure, is_full},
};

/// The file that is moved through the store. It has one name, so that one which a killed process left is moved along
/// and removed.
const PROBE: &str = ".wharf-probe";

/// Where wharf's own files can be, so that a commit works.
///
/// # Errors
/// For the operator: the directory that cannot be written, and why.
pub(super) fn writable_base(root: &Path, durability: Durability) -> Result<OwnLocation, String> {
    let mounts = mounts_in(root);
    if let Some(mount) = in_the_way(root, &mounts) {
        return Err(format!(
            "{} is a mount of its own, and a file can't be renamed into it; mount the whole store, or \
             the whole of docker/",
            mount.display()
        ));
    }
    let mut refusal = String::new();
    for &base in OwnLocation::candidates(root, &mounts) {
        match try_commit(root, base, durability).and_then(|()| check_parts(root, &base.path(root))) {
            Ok(()) => return Ok(base),
            // A full store can still be read, and objects can be deleted.
            Err(Failure { error, at }) if is_full(&error) => {
                tracing::warn!(path = %at.display(), "the store is full");
                return Ok(base);
            }
            Err(failure) => {
                // Mounts and links in wharf's own directories are refused.
                let in_staging = failure.at.parent().is_some_and(|above| above.starts_with(own(&base.path(root))));
                let crosses = failure.error.kind() == io::ErrorKind::CrossesDevices && !in_staging;
                refusal = failure.in_words(root);
                if base == OwnLocation::Docker {
                    remove_empty(root);
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
fn try_commit(root: &Path, base: OwnLocation, durability: Durability) -> Result<(), Failure> {
    let at = |path: &Path| {
        let at = path.to_owned();
        move |error: io::Error| Failure { at, error }
    };
    let base = base.path(root);
    let mut way = shared(root)?;
    for directory in [base.clone(), own(&base), temporary(&base), hashes(&base)] {
        make_directory(&directory).map_err(at(&directory))?;
    }
    may_write(&hashes(&base)).map_err(at(&hashes(&base)))?;
    way.extend(staging(&base)?);
    let mut probe = temporary(&base).join(PROBE);
    // A killed process may have left one.
    let _ = fs::remove_file(&probe);
    let written = create_file(&probe).and_then(|mut file| {
        file.write_all(b"probe")?;
        if durability == Durability::Full { file.sync_all() } else { Ok(()) }
    });
    let mut tried = written.map_err(at(&temporary(&base)));
    for directory in way {
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
fn remove_empty(root: &Path) {
    let base = OwnLocation::Docker.path(root);
    for directory in [hashes(&base), temporary(&base), own(&base)] {
        // One that is in use is not empty.
        let _ = fs::remove_dir(directory);
    }
}

fn may_write(directory: &Path) -> io::Result<()> {
    Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}

impl Volume {
    /// Does the operations of a commit, at the cost of one.
    pub(super) fn try_commit(&self) -> Result<(), StorageError> {
        let base = self.base();
        let failed = |Failure { at, error }| StorageError::io("write to", &at, error);
        let way = [shared(&self.root).map_err(failed)?, staging(&base).map_err(failed)?].concat();
        for directory in way.iter().chain(&[temporary(&base), hashes(&base)]) {
            match may_write(directory) {
                // It is made again when it is needed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(|error| StorageError::io("write to", directory, error))?,
            }
        }
        let probe = way.first().unwrap_or(&self.root).join(PROBE);
        Temporary::file(self, b"probe")?.rename_durably(self, &probe, Condition::Any)?;
        // That need not be durable: the next one takes its place.
        fs::remove_file(&probe).map_err(|error| StorageError::io("unlink", &probe, error))
    }
}

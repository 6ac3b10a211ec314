//! The existing directories into which pushes rename files.

use std::{
    collections::VecDeque,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::{
    leftovers::names_in,
    own_location::{is_beside, own},
    write_failure::Failure,
};
use crate::oci::Algorithm;

/// The most parts of a directory that are checked.
const PARTS: usize = 4096;

/// The directories in `docker/`. The first contains all others.
///
/// # Errors
/// A file or a broken link is where a directory must be.
pub(super) fn shared(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let tops = there(["docker", "docker/registry", "docker/registry/v2"].map(|top| root.join(top)))?;
    let blobs = root.join("docker/registry/v2/blobs");
    let contents = Algorithm::ALL.map(|algorithm| blobs.join(algorithm.as_str()));
    let below = there([blobs].into_iter().chain(contents).chain([repositories(root)]))?;
    Ok([tops.last().map_or(root, |top| top).to_owned()].into_iter().chain(below).collect())
}

/// wharf's own directories, from which files are renamed into `docker/`. Where wharf has a directory for each
/// repository, a plain file is an error.
///
/// # Errors
/// As [`shared`].
pub(super) fn staging(base: &Path) -> Result<Vec<PathBuf>, Failure> {
    let own = own(base);
    let names = names_in(&own).into_iter().filter(|name| !is_beside(name)).map(|name| own.join(name));
    let others: Vec<_> = names.filter(|path| !path.is_file() && !by_repository(base).contains(path)).collect();
    there([own].into_iter().chain(by_repository(base)).chain(others))
}

/// The paths that exist.
fn there(paths: impl IntoIterator<Item = PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if is_there(&path).map_err(|error| Failure { at: path.clone(), error })? {
            found.push(path);
        }
    }
    Ok(found)
}

fn is_there(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(true),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Err(io::ErrorKind::NotADirectory.into()),
    }
}

fn repositories(root: &Path) -> PathBuf {
    root.join("docker/registry/v2/repositories")
}

/// The directories in which wharf has a directory for each repository.
fn by_repository(base: &Path) -> [PathBuf; 3] {
    ["uploads", "recorded", "repositories"].map(|name| own(base).join(name))
}

/// Checks the directories of single repositories and those of the first bytes of digests. If no blob can be stored,
/// that is an error. If only some parts cannot be written, a warning is logged.
///
/// # Errors
/// As [`shared`], too.
pub(super) fn check_parts(root: &Path, base: &Path) -> Result<(), Failure> {
    let repositories = repositories(root);
    for directory in shared(root)?.iter().skip(1).filter(|directory| **directory != repositories) {
        let parts = parts_in(directory, false);
        let mut refused: Vec<_> = parts.iter().filter_map(|part| refusal(part)).collect();
        if refused.len() == parts.len()
            && let Some(first) = refused.pop()
        {
            return Err(first);
        }
        tell(root, &refused);
    }
    for directory in [repositories].iter().chain(&by_repository(base)) {
        let refused: Vec<_> = parts_in(directory, true).iter().filter_map(|part| refusal(part)).collect();
        tell(root, &refused);
    }
    Ok(())
}

fn tell(root: &Path, refused: &[Failure]) {
    if let Some(first) = refused.first() {
        let why = first.in_words(root);
        tracing::warn!(directories = refused.len(), why, "parts of the store can't be written: pushes to them fail");
    }
}

/// Why a part cannot be written; also `None` if there is no such part.
fn refusal(part: &Path) -> Option<Failure> {
    let failure = |error: io::Error| Some(Failure { at: part.to_owned(), error });
    match is_there(part) {
        Ok(true) => access(part, Access::WRITE_OK | Access::EXEC_OK).err().and_then(|error| failure(error.into())),
        Ok(false) => None,
        Err(error) => failure(error),
    }
}

/// The directories in a directory, and links that lead to one or nowhere. If `is_deep`, because names of repositories
/// may have several components, also those below, breadth first. A name that begins with `_` is part of one repository,
/// and is not searched.
fn parts_in(directory: &Path, is_deep: bool) -> Vec<PathBuf> {
    let (mut parts, mut next) = (Vec::new(), VecDeque::from([directory.to_owned()]));
    while let Some(directory) = next.pop_front() {
        for name in names_in(&directory) {
            if parts.len() == PARTS {
                return parts;
            }
            let part = directory.join(&name);
            // A plain file is harmless: it does not have the name of a directory.
            if part.is_file() {
                continue;
            }
            if is_deep && !name.as_bytes().starts_with(b"_") {
                next.push_back(part.clone());
            }
            parts.push(part);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use std::{fs, os::unix::fs::symlink};

    use super::*;

    const PLACES: [&str; 11] = [
        "docker",
        "docker/registry",
        "docker/registry/v2",
        "docker/registry/v2/blobs",
        "docker/registry/v2/blobs/sha256",
        "docker/registry/v2/blobs/sha512",
        "docker/registry/v2/repositories",
        "wharf",
        "wharf/uploads",
        "wharf/recorded",
        "wharf/repositories",
    ];

    fn look(root: &Path) -> Result<(), PathBuf> {
        shared(root).and_then(|_| staging(root)).map(drop).map_err(|failure| failure.at)
    }

    #[test]
    fn report_s3_what_is_no_directory_is_in_the_way_and_what_is_missing_is_not() {
        type Make = fn(&Path);
        let cases: [(&str, Make, bool); 6] = [
            ("nothing", |_| {}, true),
            ("a directory", |at| fs::create_dir(at).unwrap(), true),
            ("a link to a directory", |at| symlink("/tmp", at).unwrap(), true),
            ("a file", |at| fs::write(at, "").unwrap(), false),
            ("a link to nothing", |at| symlink("/nowhere/volume", at).unwrap(), false),
            ("a link to itself", |at| symlink(at, at).unwrap(), false),
        ];
        for (what, make, is_fine) in cases {
            for place in PLACES {
                let directory = tempfile::tempdir().unwrap();
                let at = directory.path().join(place);
                fs::create_dir_all(at.parent().unwrap()).unwrap();
                make(&at);
                let expected = if is_fine { Ok(()) } else { Err(at) };
                assert_eq!(look(directory.path()), expected, "{what} at {place}");
            }
        }
    }

    #[test]
    fn report_s3_parts_are_looked_at_as_deep_as_names_go() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for path in ["team/app/_manifests/tags", "team/app/_layers", "other"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("team/file"), "").unwrap();
        symlink("/nowhere", root.join("team/gone")).unwrap();
        let found = |is_deep| {
            let mut found = parts_in(root, is_deep);
            found.sort();
            found.iter().map(|part| part.strip_prefix(root).unwrap().to_owned()).collect::<Vec<_>>()
        };
        let deep = ["other", "team", "team/app", "team/app/_layers", "team/app/_manifests", "team/gone"];
        assert_eq!(found(true), deep.map(PathBuf::from));
        assert_eq!(found(false), ["other", "team"].map(PathBuf::from));
        assert_eq!(refusal(&root.join("team/gone")).unwrap().error.kind(), io::ErrorKind::NotADirectory);
        symlink(".", root.join("loop")).unwrap();
        assert!(parts_in(root, true).len() <= PARTS);
    }
}

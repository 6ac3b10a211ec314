//! A folder of signing keys that wharf makes and changes by itself. The name of each file is the time it was made, in seconds since 1970.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

use super::{key_ring::KeyRing, signing::SigningKey};
use crate::files::{FileError, FileFault, private, watch};

/// After how many seconds a key is followed by another one.
const ROTATION: u64 = 90 * 24 * 3600;
/// For how many seconds a key still checks when it has been followed: longer than any token lives.
const OVERLAP: u64 = 2 * 3600;

/// The folder, and the keys that were in it when it was last read.
pub(crate) struct KeyFolder {
    path: PathBuf,
    current: ArcSwap<(u64, KeyRing)>,
    names: Mutex<Vec<u64>>,
}

impl KeyFolder {
    /// Opens a folder, and makes it and its first key where they are missing.
    pub(crate) fn open(path: &Path, now: u64) -> Result<Self, FileError> {
        private::create_folder(path)?;
        keep_fresh(path, now)?;
        let names = list(path)?;
        let ring = read(path, &names)?;
        Ok(Self { path: path.to_owned(), current: ArcSwap::from_pointee((0, ring)), names: Mutex::new(names) })
    }

    /// Meets what [`open`](Self::open) would meet in a folder that is there. An empty one gets its first key then.
    pub(crate) fn check(path: &Path) -> Result<(), FileError> {
        let names = list(path)?;
        if names.is_empty() { Ok(()) } else { read(path, &names).map(drop) }
    }

    /// Reads a folder as it is, and changes nothing in it.
    pub(crate) fn read(path: &Path) -> Result<KeyRing, FileError> {
        read(path, &list(path)?)
    }

    /// The keys, and the number of their version.
    pub(crate) fn current(&self) -> Arc<(u64, KeyRing)> {
        self.current.load_full()
    }

    /// Makes a new key when the newest is old, drops those that no token needs any more, and takes in what others did to the folder.
    pub(crate) fn poll(&self, now: u64) -> Result<(), FileError> {
        keep_fresh(&self.path, now)?;
        let names = list(&self.path)?;
        let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != names {
            let ring = read(&self.path, &names)?;
            let generation = self.current.load().0 + 1;
            self.current.store(Arc::new((generation, ring)));
            *known = names;
        }
        Ok(())
    }
}

/// Makes a new key at once. A server that has the folder open signs with it within a second.
///
/// # Errors
/// [`FileError`]
pub fn rotate_keys(folder: &Path, now: u64) -> Result<(), FileError> {
    private::create_folder(folder)?;
    make(folder, now)
}

fn keep_fresh(path: &Path, now: u64) -> Result<(), FileError> {
    let names = list(path)?;
    if names.first().is_none_or(|newest| newest.saturating_add(ROTATION) <= now) {
        make(path, now)?;
    }
    for pair in names.windows(2) {
        if pair[0].saturating_add(OVERLAP) <= now {
            remove(&file(path, pair[1]))?;
        }
    }
    Ok(())
}

fn make(path: &Path, now: u64) -> Result<(), FileError> {
    let target = file(path, now);
    let pem = SigningKey::generate().map_err(|error| content_error(&target, &error.to_string()))?;
    match private::create(&target, pem.as_bytes()) {
        // Another process was as quick: its key is as good.
        Err(FileError { fault: FileFault::Unwritable(io::ErrorKind::AlreadyExists), .. }) => Ok(()),
        other => other,
    }
}

fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError { path: path.to_owned(), fault: FileFault::Unwritable(error.kind()) })
        }
        _ => Ok(()),
    }
}

/// When the keys were made, the newest first.
fn list(path: &Path) -> Result<Vec<u64>, FileError> {
    let unreadable = |error: io::Error| FileError { path: path.to_owned(), fault: FileFault::Unreadable(error.kind()) };
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        names
            .extend(name.to_str().and_then(|name| name.strip_suffix(".pem")).and_then(|name| name.parse::<u64>().ok()));
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

fn read(path: &Path, names: &[u64]) -> Result<KeyRing, FileError> {
    let mut keys = Vec::new();
    for name in names {
        let file = file(path, *name);
        let pem =
            watch::read(&file, watch::Content::Secret).map_err(|fault| FileError { path: file.clone(), fault })?;
        keys.extend(SigningKey::read_all(&pem).map_err(|error| content_error(&file, &error.to_string()))?);
    }
    KeyRing::new(keys).ok_or_else(|| content_error(path, "it has no key"))
}

fn file(path: &Path, name: u64) -> PathBuf {
    path.join(format!("{name}.pem"))
}

fn content_error(path: &Path, problem: &str) -> FileError {
    FileError { path: path.to_owned(), fault: FileFault::Content(problem.to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn signer(folder: &KeyFolder) -> String {
        folder.current().1.signer.public().thumbprint().to_owned()
    }

    fn trusts(folder: &KeyFolder, id: &str) -> bool {
        folder.current().1.trusted.get(id).is_some()
    }

    #[test]
    fn b16_the_first_start_makes_a_key_of_its_own_which_only_its_owner_may_read() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = one.path().join("wharf/token-keys");
        let folder = KeyFolder::open(&path, NOW).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&file(&path, NOW))), (0o700, 0o600));
        let again = KeyFolder::open(&path, NOW + 10).unwrap();
        assert_eq!(signer(&folder), signer(&again));
        let second = KeyFolder::open(other.path(), NOW).unwrap();
        assert!(!trusts(&second, &signer(&folder)));
    }

    #[test]
    fn keys_change_with_an_overlap() {
        let path = tempfile::tempdir().unwrap();
        let folder = KeyFolder::open(path.path(), NOW).unwrap();
        let old = signer(&folder);
        folder.poll(NOW + ROTATION - 1).unwrap();
        assert_eq!((signer(&folder), folder.current().0), (old.clone(), 0));
        let changed = NOW + ROTATION;
        folder.poll(changed).unwrap();
        let new = signer(&folder);
        assert_ne!(new, old);
        assert!(trusts(&folder, &old) && trusts(&folder, &new));
        folder.poll(changed + OVERLAP - 1).unwrap();
        assert!(trusts(&folder, &old));
        folder.poll(changed + OVERLAP).unwrap();
        assert!(!trusts(&folder, &old) && trusts(&folder, &new));
        assert_eq!(list(path.path()).unwrap(), [changed]);
    }

    #[test]
    fn a_key_that_another_process_made_is_taken_in() {
        let path = tempfile::tempdir().unwrap();
        let folder = KeyFolder::open(path.path(), NOW).unwrap();
        let old = signer(&folder);
        rotate_keys(path.path(), NOW + 5).unwrap();
        rotate_keys(path.path(), NOW + 5).unwrap();
        folder.poll(NOW + 6).unwrap();
        assert!(signer(&folder) != old && trusts(&folder, &old));
        assert_eq!(folder.current().0, 1);
    }

    #[test]
    fn a_damaged_or_open_key_is_named_and_the_last_good_ones_stay() {
        let path = tempfile::tempdir().unwrap();
        let folder = KeyFolder::open(path.path(), NOW).unwrap();
        let bad = file(path.path(), NOW + 1);
        fs::write(&bad, "nonsense").unwrap();
        let error = folder.poll(NOW + 2).unwrap_err().to_string();
        assert!(error.contains("1800000001.pem") && error.contains("no private key"), "{error}");
        fs::write(&bad, SigningKey::generate().unwrap()).unwrap();
        fs::set_permissions(&bad, fs::Permissions::from_mode(0o606)).unwrap();
        assert!(folder.poll(NOW + 2).unwrap_err().to_string().contains("chmod"));
        assert_eq!(folder.current().0, 0);
    }
}

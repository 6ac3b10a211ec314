//! The hash of a staged object, kept so that an upload that is taken up after a restart need not be read again.

use std::{
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{
    super::{Key, StorageError},
    own_location::hashes,
    owner::open_or_create_file,
    volume::Volume,
};
use crate::oci::{Algorithm, Digest, Hasher};

/// The state that was saved when a staged object was synced.
#[derive(Debug)]
pub(super) struct SavedHash {
    /// In which run of the kernel.
    pub(super) boot_id: String,
    /// How many bytes were hashed, and durable.
    pub(super) offset: u64,
    /// The hash of those.
    pub(super) hasher: Hasher,
}

const HEADER: &str = "wharf hash 1";

impl Volume {
    /// Keeps the hash of the first `offset` bytes, which are durable, of the staged object at `key`.
    ///
    /// The first save is not synced: after a power cut it is there, or torn, or missing, and each of these is correct.
    /// Each later save is synced, because an older one would make acknowledged bytes be cut off.
    pub(super) fn save_hash(&self, key: &Key, offset: u64, hasher: &Hasher) -> Result<(), StorageError> {
        let path = self.hash_path(key);
        let saved = self.write_hash(&path, key, offset, hasher);
        if saved.is_err() {
            self.forget_hash(key);
        }
        saved
    }

    /// The saved hash; `None` if there is none, or if it is torn.
    pub(super) fn saved_hash(&self, key: &Key) -> Option<SavedHash> {
        let text = fs::read_to_string(self.hash_path(key)).ok()?;
        let (named, saved) = parse(&text)?;
        (named == key.as_str()).then_some(saved)
    }

    /// Removes the saved hash.
    pub(super) fn forget_hash(&self, key: &Key) {
        let path = self.hash_path(key);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "the saved hash of an upload can't be removed");
        }
    }

    fn write_hash(&self, path: &Path, key: &Key, offset: u64, hasher: &Hasher) -> Result<(), StorageError> {
        let error = |error| StorageError::io("write", path, error);
        let mut text = format!(
            "{HEADER}\n{key}\n{}\n{offset}\n{}\n{}\n",
            self.boot_id,
            hasher.algorithm(),
            hex::encode(hasher.save())
        );
        text = format!("{text}{}\n", Digest::of(Algorithm::Sha256, text.as_bytes()));
        let file = open_or_create_file(path).or_else(|_| {
            // There was no room for the directory, or someone has cleaned up too well.
            self.directories.make(&hashes(&self.base()))?;
            open_or_create_file(path).map_err(error)
        })?;
        let had_one = file.metadata().map_err(error)?.len() > 0;
        file.write_all_at(text.as_bytes(), 0).map_err(error)?;
        file.set_len(text.len() as u64).map_err(error)?;
        if had_one { self.syncs.data(&file, path) } else { Ok(()) }
    }

    fn hash_path(&self, key: &Key) -> PathBuf {
        hashes(&self.base()).join(&*Digest::of(Algorithm::Sha256, key.as_str().as_bytes()).hex())
    }
}

impl SavedHash {
    /// Which staged object the hash at `path` is of.
    pub(super) fn key_at(path: &Path) -> Option<String> {
        let text = fs::read_to_string(path).ok()?;
        parse(&text).map(|(key, _)| key.to_owned())
    }
}

fn parse(text: &str) -> Option<(&str, SavedHash)> {
    let sealed = text.strip_suffix('\n')?.rfind('\n')? + 1;
    let (body, seal) = text.split_at_checked(sealed)?;
    if Digest::of(Algorithm::Sha256, body.as_bytes()).to_string() != seal.trim_end() {
        return None;
    }
    let mut lines = body.lines();
    let (HEADER, key, boot_id) = (lines.next()?, lines.next()?, lines.next()?) else { return None };
    let offset = lines.next()?.parse().ok()?;
    let algorithm = lines.next()?.parse().ok()?;
    let hasher = Hasher::restore(algorithm, &hex::decode(lines.next()?).ok()?)?;
    Some((key, SavedHash { boot_id: boot_id.to_owned(), offset, hasher }))
}

/// A file of a saved hash, for the fuzzer.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        parse(text);
        // The parts that nobody can guess are filled in, so that the rest is reached.
        parse(&format!("{text}{}\n", Digest::of(Algorithm::Sha256, text.as_bytes())));
    }
}

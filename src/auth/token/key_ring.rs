//! The keys of wharf's own issuer: one signs, and all verify.

use std::{path::Path, sync::Arc};

use super::{key_folder, keys::KeySet, signing::SigningKey};
use crate::{
    auth::settings::KeySource,
    files::{Content, FileError, FileFault, Files, Snapshot, Watched},
};

/// One key that signs, and all that verify.
pub(crate) struct KeyRing {
    pub(crate) signer: SigningKey,
    pub(crate) trusted: Arc<KeySet>,
}

impl KeyRing {
    /// Opens the keys as they are.
    pub(crate) fn open(source: &KeySource) -> Result<Watched<Self>, FileError> {
        let (KeySource::File(path) | KeySource::Folder(path)) = source.clone();
        Watched::open(files(source)?, move |files| Self::read(&path, files))
    }

    /// The keys of PEM files. The first key of the first file signs: to rotate the keys of one file, put a new key
    /// before the old.
    fn read(source: &Path, files: &[Snapshot]) -> Result<Self, FileError> {
        let mut keys = Vec::new();
        for file in files {
            keys.extend(SigningKey::read_all(file.bytes()?).map_err(|error| file.error(&error))?);
        }
        let mut trusted = KeySet::default();
        for key in &keys {
            trusted.add(key.public().clone(), None);
        }
        let none = || FileError { path: source.to_owned(), fault: FileFault::Content("it has no key".to_owned()) };
        Ok(Self { signer: keys.into_iter().next().ok_or_else(none)?, trusted: Arc::new(trusted) })
    }
}

/// The files of the keys.
pub(super) fn files(source: &KeySource) -> Result<Files, FileError> {
    match source {
        KeySource::File(path) => Ok(vec![(path.clone(), Content::Credentials)]),
        KeySource::Folder(path) => key_folder::list(path),
    }
}

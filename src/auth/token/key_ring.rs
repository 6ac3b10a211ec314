//! The keys of an issuer at one time: one signs, and those that signed before still check.

use std::{path::Path, sync::Arc};

use super::{keys::KeySet, signing::SigningKey};
use crate::files::{FileError, FileFault, watch};

/// One key that signs, and all that check.
pub(crate) struct KeyRing {
    pub(crate) signer: SigningKey,
    pub(crate) trusted: Arc<KeySet>,
}

impl KeyRing {
    /// The first key signs, all of them check.
    pub(crate) fn new(keys: Vec<SigningKey>) -> Option<Self> {
        let mut trusted = KeySet::default();
        for key in &keys {
            trusted.add(key.public().clone(), None);
        }
        let signer = keys.into_iter().next()?;
        Some(Self { signer, trusted: Arc::new(trusted) })
    }

    /// Reads a PEM file once.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let keys = watch::read(path, watch::Content::Secret).and_then(|content| Self::from_file(path, Some(&content)));
        keys.map_err(|fault| FileError { path: path.to_owned(), fault })
    }

    /// The keys of a PEM file: to rotate, put a new one before the old.
    pub(crate) fn from_file(_: &Path, content: Option<&[u8]>) -> Result<Self, FileFault> {
        let content = content.ok_or(FileFault::Unreadable(std::io::ErrorKind::NotFound))?;
        let keys = SigningKey::read_all(content).map_err(|error| FileFault::Content(error.to_string()))?;
        Self::new(keys).ok_or_else(|| FileFault::Content("it has no private key".to_owned()))
    }
}

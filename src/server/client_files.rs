//! The files that clients of other servers need: authorities, certificates, secrets.

use std::path::{Path, PathBuf};

use crate::{
    client::{Options, Trust},
    files::{Content, FileError, Snapshot},
};

/// The system's authorities, and those of a file, if there is one.
pub(super) fn trust(ca: Option<&PathBuf>) -> Result<Trust, Box<dyn std::error::Error>> {
    match ca {
        Some(path) => Ok(Trust::with_pem(&read(path, Content::Public)?)?),
        None => Ok(Options::default().trust),
    }
}

/// The bytes of a file.
pub(super) fn read(path: &Path, content: Content) -> Result<Vec<u8>, FileError> {
    Snapshot::read(path, content).bytes().map(<[u8]>::to_vec)
}

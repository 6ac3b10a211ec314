//! What a store can answer but the thing asked for.

use std::{io, path::PathBuf};

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is something where nothing must be.
    #[error("the key is taken")]
    Exists,
    /// The object is longer than the caller will read.
    #[error("the object is larger than expected")]
    TooLarge,
    /// No space, no inodes, or over a quota.
    #[error("the store is full")]
    Full,
    /// The store was opened read-only.
    #[error("the store is read-only")]
    ReadOnly,
    /// The store can't be opened; the text is for the operator and says what to do.
    #[error("{0}")]
    Open(String),
    /// Anything else that the system said.
    #[error("{operation} {path}: {source}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// To which file, for the log alone.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

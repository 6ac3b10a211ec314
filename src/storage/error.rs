//! Errors of a store.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The result of an operation on a store.
pub(super) type Result<T, E = StorageError> = std::result::Result<T, E>;

/// An error of a store.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The key, or one above it, is taken.
    #[error("the key is taken")]
    Exists,
    /// The object does not have the version that the put requires.
    #[error("the object was changed")]
    Changed,
    /// Somebody else holds the staged object.
    #[error("the staged object is being written to")]
    Busy,
    /// The object is longer than the limit of the read.
    #[error("the object is larger than expected")]
    TooLarge,
    /// The disk has no space or no inodes left, or a quota is used up.
    #[error("the store is full")]
    Full,
    /// The store was opened read-only.
    #[error("the store is read-only")]
    ReadOnly,
    /// The store cannot be opened. The text tells the operator what to do.
    #[error("{0}")]
    Open(String),
    /// An open object could not be read to its end.
    #[error("an object can't be read: {source}")]
    Read {
        /// The error of the system.
        source: io::Error,
    },
    /// Any other error of the system.
    #[error("{operation} {path}: {source}")]
    Io {
        /// The operation that failed.
        operation: &'static str,
        /// Its file. Only for the log.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl StorageError {
    /// The error for the caller when `operation` on `path` failed with `source`.
    pub(super) fn io(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io { operation, path: path.to_owned(), source },
        }
    }

    /// A copy, for another caller that relied on the same operation. [`io::Error`] cannot be cloned.
    pub(super) fn again(&self) -> Self {
        let same = |source: &io::Error| match source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(source.kind(), source.to_string()),
        };
        match self {
            Self::Exists => Self::Exists,
            Self::Changed => Self::Changed,
            Self::Busy => Self::Busy,
            Self::TooLarge => Self::TooLarge,
            Self::Full => Self::Full,
            Self::ReadOnly => Self::ReadOnly,
            Self::Open(text) => Self::Open(text.clone()),
            Self::Read { source } => Self::Read { source: same(source) },
            Self::Io { operation, path, source } => Self::Io { operation, path: path.clone(), source: same(source) },
        }
    }

    /// Whether the file, or a directory above it, does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the error is a symbolic link whose target does not exist, or that leads to itself. An absent object is
    /// no error, so it never gets here.
    pub(crate) fn leads_nowhere(&self) -> bool {
        let is_loop = |source: &io::Error| rustix::io::Errno::from_io_error(source) == Some(rustix::io::Errno::LOOP);
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound || is_loop(source))
    }
}

/// Why an append ended early.
#[derive(Debug, thiserror::Error)]
pub enum AppendError<E> {
    /// The sender failed. The bytes before the failure are kept.
    #[error("the body ended early: {0}")]
    Body(E),
    /// The store failed, and the staged object is gone. If the store is full ([`StorageError::Full`]), the object is as
    /// it was at its last sync instead.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

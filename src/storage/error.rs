//! What a store can answer but the thing asked for.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is something where nothing must be.
    #[error("the key is taken")]
    Exists,
    /// Another holder is writing to the staged object at this moment.
    #[error("the staged object is being written to")]
    Busy,
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
    /// An object that was open could not be read to its end.
    #[error("an object can't be read: {source}")]
    Read {
        /// What the system said.
        source: io::Error,
    },
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

impl StorageError {
    /// What `source`, met while doing `operation` to `path`, means to a caller.
    pub(super) fn io(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io { operation, path: path.to_owned(), source },
        }
    }

    /// The same, for another who relied on what failed.
    pub(super) fn again(&self) -> Self {
        let same = |source: &io::Error| match source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(source.kind(), source.to_string()),
        };
        match self {
            Self::Exists => Self::Exists,
            Self::Busy => Self::Busy,
            Self::TooLarge => Self::TooLarge,
            Self::Full => Self::Full,
            Self::ReadOnly => Self::ReadOnly,
            Self::Open(text) => Self::Open(text.clone()),
            Self::Read { source } => Self::Read { source: same(source) },
            Self::Io { operation, path, source } => Self::Io { operation, path: path.clone(), source: same(source) },
        }
    }

    /// Whether the system said that the file, or a directory above it, is not there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether a symbolic link was followed to something that is not there, or in a circle. What is simply absent is no error.
    pub(crate) fn leads_nowhere(&self) -> bool {
        let is_loop = |source: &io::Error| rustix::io::Errno::from_io_error(source) == Some(rustix::io::Errno::LOOP);
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound || is_loop(source))
    }
}

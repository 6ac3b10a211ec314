//! The errors of files, for the operator.

use std::{io, path::PathBuf};

/// A file that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct FileError {
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: FileFault,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// It can't be read.
    #[error("it can't be read: {}", describe(*.0, "there is no such file", UNREADABLE))]
    Unreadable(io::ErrorKind),
    /// It can't be written.
    #[error("it can't be written: {}", describe(*.0, "there is no such folder", "permission denied"))]
    Unwritable(io::ErrorKind),
    /// Everybody on the machine could give itself access.
    #[error("its mode {0:o} lets everybody write to it: chmod o-w")]
    WritableByEverybody(u32),
    /// Its content is bad.
    #[error("{0}")]
    Content(String),
}

impl FileError {
    /// Whether there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        self.fault == FileFault::Unreadable(io::ErrorKind::NotFound)
    }
}

const UNREADABLE: &str = "permission denied; it must be readable for the user that wharf runs as";

fn describe(kind: io::ErrorKind, missing: &str, denied: &str) -> String {
    match kind {
        io::ErrorKind::NotFound => missing.to_owned(),
        io::ErrorKind::PermissionDenied => denied.to_owned(),
        kind => kind.to_string(),
    }
}

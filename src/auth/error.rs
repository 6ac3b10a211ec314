//! What can be wrong with the files and settings of authentication, for the operator.

use std::{io, path::PathBuf};

use super::{access::InvalidAccess, realm::InvalidRealm};

/// Why authentication can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A file is bad.
    #[error(transparent)]
    File(#[from] FileError),
    /// A rule is bad.
    #[error(transparent)]
    Access(#[from] InvalidAccess),
    /// The realm can't be told.
    #[error(transparent)]
    Realm(#[from] InvalidRealm),
    /// A setting is out of its range.
    #[error("{setting}: {problem}")]
    Setting {
        /// Its name in the settings.
        setting: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
}

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
    #[error("it can't be read: {}", describe(*.0))]
    Unreadable(io::ErrorKind),
    /// It can't be written.
    #[error("it can't be written: {}", describe(*.0))]
    Unwritable(io::ErrorKind),
    /// Everybody on the machine could give itself access.
    #[error("its mode {0:o} lets everybody write to it: chmod o-w")]
    WritableByEverybody(u32),
    /// What is in it is bad.
    #[error("{0}")]
    Content(String),
}

fn describe(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; it must be readable for the user that wharf runs as".to_owned()
        }
        kind => kind.to_string(),
    }
}

//! Errors in the files and settings of authentication, for the operator.

use super::{access_rules::InvalidAccess, realm::InvalidRealm};
use crate::files::FileError;

/// Why authentication can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A file is bad.
    #[error(transparent)]
    File(#[from] FileError),
    /// A rule is bad.
    #[error(transparent)]
    Access(#[from] InvalidAccess),
    /// The realm is bad or unknown.
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

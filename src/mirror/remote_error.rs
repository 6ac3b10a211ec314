//! Why an upstream does not give what is asked for.

use crate::{
    client::{ClientError, StatusCode},
    registry::UpstreamError,
};

/// Why an upstream does not give what is asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RemoteError {
    /// It does not have it.
    #[error("it does not have this")]
    Absent,
    /// It does not allow it.
    #[error("it denies this: {0}")]
    Denied(String),
    /// The credentials for it can't be had.
    #[error("its credentials can't be had: {0}")]
    Credentials(String),
    /// It does not take the method.
    #[error("it does not take this method")]
    Method,
    /// It takes no more requests for now.
    #[error("it limits its requests")]
    Limited {
        /// In how many seconds it takes requests again.
        retry_after: Option<u64>,
    },
    /// It failed lately, and is not asked for a while.
    #[error("it failed lately, and is not asked for a while")]
    Paused,
    /// It fails, with a status of 5xx.
    #[error("it answers {0}")]
    Failed(StatusCode),
    /// Its answer can't be used.
    #[error("its answer can't be used: {0}")]
    Answer(String),
    /// What it sent can't be used.
    #[error("what it sent can't be used: {0}")]
    Content(String),
    /// There is no answer.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl From<RemoteError> for UpstreamError {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Denied(_) | RemoteError::Absent => Self::Denied,
            RemoteError::Limited { retry_after } => Self::Limited { retry_after },
            RemoteError::Credentials(_)
            | RemoteError::Method
            | RemoteError::Paused
            | RemoteError::Failed(_)
            | RemoteError::Answer(_)
            | RemoteError::Content(_)
            | RemoteError::Client(_) => Self::Unavailable,
        }
    }
}

//! Errors of a registry.

use crate::{
    oci::{Digest, InvalidManifest, RepositoryName, Tag},
    storage::{AppendError, StorageError},
};

/// Why a registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such repository.
    #[error("there is no repository {0}")]
    NameUnknown(RepositoryName),
    /// The repository has no such blob.
    #[error("there is no blob {0}")]
    BlobUnknown(Digest),
    /// The repository has no such manifest or tag.
    #[error("there is no manifest {0}")]
    ManifestUnknown(String),
    /// The body is no manifest that can be stored.
    #[error(transparent)]
    ManifestInvalid(#[from] InvalidManifest),
    /// The body is longer than a manifest may be.
    #[error("a manifest has at most {limit} bytes")]
    ManifestTooLarge {
        /// How many bytes a manifest may have.
        limit: u64,
    },
    /// The manifest refers to content that the repository does not have.
    #[error("the manifest refers to content that is not in the repository")]
    ManifestBlobUnknown(Vec<Digest>),
    /// The content is not what the digest says.
    #[error("the content's digest is {actual}, not {claimed}")]
    DigestMismatch {
        /// The value of the client.
        claimed: Digest,
        /// The value of the content.
        actual: Digest,
    },
    /// The tag is there, and the caller may only make new ones.
    #[error("the tag {0} exists and may not be moved")]
    TagExists(Tag),
    /// The content does not meet the conditions of the client ([`crate::oci::Preconditions`]).
    #[error("a precondition of the request does not hold")]
    PreconditionFailed,
    /// The repository has no such upload session.
    #[error("there is no such upload")]
    UploadUnknown,
    /// The repository has as many unfinished uploads as it may have.
    #[error("{limit} uploads to this repository were begun and not ended")]
    TooManyUploads {
        /// How many it may have.
        limit: usize,
    },
    /// Another request is writing to the session.
    #[error("another request is writing to this upload")]
    UploadBusy,
    /// The chunk does not begin where the session ends.
    #[error("the upload is at offset {offset}")]
    UploadOffset {
        /// How many bytes the session has.
        offset: u64,
    },
    /// The body of a chunk did not have the length that was said.
    #[error("the body does not have the length that was said")]
    LengthMismatch,
    /// The session would have more bytes than an upload may have.
    #[error("an upload has at most {limit} bytes")]
    UploadTooLarge {
        /// How many bytes an upload may have.
        limit: u64,
    },
    /// The body did not come to its end.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The upstream was asked, and what it has is not known.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// An upstream fills the repository, so clients can't push to it.
    #[error("this repository is filled from {host}, so nothing can be pushed to it; push to another repository")]
    FilledByUpstream {
        /// The host of the upstream.
        host: String,
    },
    /// Deletes are switched off.
    #[error("deletes are switched off")]
    DeleteDisabled,
    /// The task that did the work died.
    #[error("the work was given up")]
    Aborted,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why it is not known whether an upstream has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It takes no more requests for now.
    #[error("the upstream registry limits its requests")]
    Limited {
        /// In how many seconds it takes requests again, if it says so.
        retry_after: Option<u64>,
    },
    /// It does not allow this registry to read the repository. To clients, the repository does not exist.
    #[error("the upstream registry has no such repository")]
    Denied,
    /// It can't be reached, or its answer can't be used.
    #[error("the upstream registry does not answer")]
    Unavailable,
}

/// Why a body did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The connection ended, or the encoding was broken.
    #[error("the body ended early")]
    Incomplete,
    /// Nothing came for too long, or too little.
    #[error("the body came too slowly")]
    TooSlow,
    /// It has more bytes than are taken.
    #[error("the body is too large")]
    TooLarge,
    /// The store has no more room for it than the operator wants to keep free.
    #[error("the store has no room for more")]
    NoRoom,
}

impl From<AppendError<BodyError>> for RegistryError {
    fn from(error: AppendError<BodyError>) -> Self {
        match error {
            AppendError::Body(error) => Self::Body(error),
            AppendError::Storage(error) => Self::Storage(error),
        }
    }
}

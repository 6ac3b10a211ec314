//! Content on its way in: written and hashed in one pass, and only then given a name.

use bytes::Bytes;
use futures_util::Stream;

use super::StorageError;
use crate::oci::{Algorithm, Digest};

/// Content that is being received. The one who holds it is the only one who writes to it.
///
/// Dropped, it stays in the store, to be taken up again by [`super::Storage::resume`].
#[derive(Debug)]
pub struct Staging;

/// Why an append ended early.
#[derive(Debug, thiserror::Error)]
pub enum AppendError<E> {
    /// The sender failed. What came before is kept.
    #[error("the body ended early: {0}")]
    Body(E),
    /// The store failed. The staged object is gone.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Staging {
    /// How many bytes there are.
    #[must_use]
    pub fn offset(&self) -> u64 {
        unimplemented!()
    }

    /// Writes and hashes all of `body` after what is there.
    ///
    /// # Errors
    /// [`AppendError::Body`] with the sender's error, the bytes before it kept; [`AppendError::Storage`], nothing kept.
    pub async fn append<E>(
        &mut self,
        _body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), AppendError<E>> {
        unimplemented!()
    }

    /// Makes durable what is there, and the state of its hash as well, so that it can be taken up after a crash.
    ///
    /// # Errors
    /// What the sync met; the staged object is gone then, since a failed sync is never tried again.
    pub async fn sync(&mut self) -> Result<(), StorageError> {
        unimplemented!()
    }

    /// Ends the writing. Reads the content again only if `algorithm` is not the one it was hashed with.
    ///
    /// # Errors
    /// What the reading met; the staged object is gone then.
    pub async fn finish(self, _algorithm: Algorithm) -> Result<Staged, StorageError> {
        unimplemented!()
    }

    /// Throws the staged object away.
    ///
    /// # Errors
    /// What the removal met.
    pub async fn abort(self) -> Result<(), StorageError> {
        unimplemented!()
    }
}

/// Content that is all there, and whose digest is known.
#[derive(Debug)]
pub struct Staged {
    digest: Digest,
    len: u64,
}

impl Staged {
    /// The digest of what was received.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The content as verified, if `claimed` is its digest.
    ///
    /// # Errors
    /// The staged content back, to be thrown away.
    pub fn verify(self, claimed: &Digest) -> Result<Verified, Staged> {
        if self.digest == *claimed { Ok(Verified(self)) } else { Err(self) }
    }

    /// Throws the content away.
    ///
    /// # Errors
    /// What the removal met.
    pub async fn discard(self) -> Result<(), StorageError> {
        unimplemented!()
    }
}

/// Content that is what its digest says: the only kind that can be stored.
#[derive(Debug)]
pub struct Verified(Staged);

impl Verified {
    /// The digest that it was verified against.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }
}

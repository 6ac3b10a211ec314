//! Content on its way in: written and hashed in one pass, and only then given a name.

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream};

use super::{AppendError, BUFFERED_LEN, Object, StorageError, filesystem, memory, s3};
use crate::oci::{Algorithm, Digest};

/// Content that is being received. Only the holder of this value writes to it.
///
/// When this is dropped, the content stays in the store, and [`super::Storage::resume`] can resume it.
#[derive(Debug)]
pub struct Staging(pub(super) Upload);

/// A staged object of a back end.
#[derive(Debug)]
pub(super) enum Upload {
    Filesystem(filesystem::Upload),
    Memory(memory::Upload),
    S3(Box<s3::Upload>),
}

impl Staging {
    /// The most bytes of an append that a back end keeps in memory.
    pub const BUFFERED: u64 = BUFFERED_LEN as u64;

    /// How many bytes there are.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    /// Appends all of `body`, and hashes it.
    ///
    /// # Errors
    /// [`AppendError::Body`] with the sender's error, the bytes before it kept; [`AppendError::Storage`], nothing of it
    /// kept.
    pub async fn append<E>(
        &mut self,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), AppendError<E>> {
        match &mut self.0 {
            Upload::Filesystem(upload) => upload.append(body).await,
            Upload::Memory(upload) => upload.append(body).await,
            Upload::S3(upload) => upload.append(body).await,
        }
    }

    /// The bytes, to be read while more are appended; `None` if the back end can't do this. All bytes so far can be
    /// read. Of those that are appended later, the last [`Staging::BUFFERED`] of a long append, and short appends, can
    /// be read after the next long append or after another call of this. The metadata is that of this moment.
    ///
    /// # Errors
    /// The store failed.
    pub async fn written(&self) -> Result<Option<Object>, StorageError> {
        match &self.0 {
            Upload::Filesystem(upload) => upload.written().await.map(Some),
            Upload::Memory(_) | Upload::S3(_) => Ok(None),
        }
    }

    /// Makes the content durable, and saves the state of its hash, so that it can be resumed after a crash.
    ///
    /// # Errors
    /// The sync failed. The staged object is gone then, since a failed sync is never tried again. If the store is full
    /// ([`StorageError::Full`]), the object is as it was at its last sync instead.
    pub async fn sync(&mut self) -> Result<(), StorageError> {
        match &mut self.0 {
            Upload::Filesystem(upload) => upload.sync().await,
            Upload::Memory(upload) => {
                upload.sync();
                Ok(())
            }
            Upload::S3(upload) => upload.sync().boxed().await,
        }
    }

    /// Goes back to the last [`sync`](Self::sync), or to nothing if there was none.
    ///
    /// # Errors
    /// The store failed; the staged object is gone then.
    pub async fn roll_back(&mut self) -> Result<(), StorageError> {
        match &mut self.0 {
            Upload::Filesystem(upload) => upload.roll_back().await,
            Upload::Memory(upload) => upload.roll_back(),
            Upload::S3(upload) => {
                upload.roll_back();
                Ok(())
            }
        }
    }

    /// Ends the writing. Reads the content again only if `algorithm` is not the one it was hashed with.
    ///
    /// # Errors
    /// The content could not be read; the staged object is gone then.
    pub async fn finish(self, algorithm: Algorithm) -> Result<Staged, StorageError> {
        let digest = match &self.0 {
            Upload::Filesystem(upload) => upload.digest(algorithm).await?,
            Upload::Memory(upload) => upload.digest(algorithm)?,
            Upload::S3(upload) => upload.digest(algorithm)?,
        };
        Ok(Staged { digest, len: self.0.offset(), upload: self.0 })
    }

    /// Throws the staged object away.
    ///
    /// # Errors
    /// The removal failed.
    pub async fn abort(self) -> Result<(), StorageError> {
        self.0.discard().await
    }
}

impl Upload {
    fn offset(&self) -> u64 {
        match self {
            Self::Filesystem(upload) => upload.offset(),
            Self::Memory(upload) => upload.offset(),
            Self::S3(upload) => upload.offset(),
        }
    }

    async fn discard(self) -> Result<(), StorageError> {
        match self {
            Self::Filesystem(upload) => upload.discard().await,
            Self::Memory(upload) => {
                upload.discard();
                Ok(())
            }
            Self::S3(upload) => upload.discard().boxed().await,
        }
    }
}

/// Content that is all there, and whose digest is known.
///
/// It need not be durable yet: [`super::Storage::promote`] syncs it before the rename. When this is dropped, the
/// content stays in the store, can be resumed, and expires.
#[derive(Debug)]
pub struct Staged {
    digest: Digest,
    len: u64,
    upload: Upload,
}

impl Staged {
    /// The digest of the received bytes.
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
    /// The staged content, so that it can be discarded.
    pub fn verify(self, claimed: &Digest) -> Result<Verified, Staged> {
        if self.digest == *claimed { Ok(Verified(self)) } else { Err(self) }
    }

    /// The content as it was before it was thought to be whole, to go on with.
    #[must_use]
    pub fn reopen(self) -> Staging {
        Staging(self.upload)
    }

    /// Throws the content away.
    ///
    /// # Errors
    /// The removal failed.
    pub async fn discard(self) -> Result<(), StorageError> {
        self.upload.discard().await
    }
}

/// Content that has the digest it claims. Only such content can be stored.
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

    pub(super) fn into_upload(self) -> Upload {
        self.0.upload
    }
}

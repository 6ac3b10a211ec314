//! A blob on its way from an upstream: one writer, and readers of what has come.
//!
//! Usually it goes into the store, and its readers follow it there (`followed`). If the store has no room, it goes to
//! one reader alone (`relayed`). Both ways, the last bytes come when the whole blob is verified.

mod followed;
mod relayed;

use std::{io, ops::Range};

use bytes::Bytes;
use futures_util::{Stream, future::Either};

use self::{
    followed::{FollowedBlob, StoreWriter},
    relayed::{Relay, RelayedBlob},
};
use super::{
    RegistryError, Repository,
    events::{Action, BlobTarget},
};
use crate::oci::Digest;

/// A blob with at most this many bytes is read only when it is verified.
const SHORT: u64 = 1024 * 1024;

/// How many bytes of a longer blob are held back until it is verified.
const HELD_BACK: u64 = 64 * 1024;

/// A blob that is being fetched. Clones are the same fetch.
#[derive(Clone, Debug)]
pub struct FetchedBlob {
    len: u64,
    /// Whether another reader began the fetch.
    is_shared: bool,
    reading: Reading,
}

#[derive(Clone, Debug)]
enum Reading {
    Followed(FollowedBlob),
    Relayed(RelayedBlob),
}

/// The right to write a blob that is being fetched. When this is dropped before [`BlobWriter::finish`], the fetch has
/// failed.
#[derive(Debug)]
pub struct BlobWriter(Writing);

#[derive(Debug)]
enum Writing {
    Store(StoreWriter),
    Relay(Relay),
}

/// How many bytes of a blob may be read before it is verified.
fn unverified(len: u64) -> u64 {
    if len > SHORT { len - HELD_BACK } else { 0 }
}

impl Repository {
    /// Begins to store a blob of `len` bytes, and gives it to be read at the same time.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn begin_blob(&self, digest: &Digest, len: u64) -> Result<(BlobWriter, FetchedBlob), RegistryError> {
        let (writer, blob) = self.begin_followed(digest, len, unverified(len)).await?;
        Ok((
            BlobWriter(Writing::Store(writer)),
            FetchedBlob { len, is_shared: false, reading: Reading::Followed(blob) },
        ))
    }

    /// Begins to give a blob of `len` bytes to one reader, without storing it.
    #[must_use]
    pub fn relay_blob(digest: &Digest, len: u64) -> (BlobWriter, FetchedBlob) {
        let (writer, blob) = relayed::relay(digest, unverified(len));
        (BlobWriter(Writing::Relay(writer)), FetchedBlob { len, is_shared: false, reading: Reading::Relayed(blob) })
    }

    /// Makes a blob readable here that the upstream says this repository has, if the store has its bytes; how many
    /// those are. Only the upstream may say so: else a client could read a blob of another repository by its digest.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn link_stored_blob(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let (this, digest) = (self.clone(), digest.clone());
        self.locks()
            .own(async move {
                let _pin = this.locks().pins().pin([digest.clone()]).await;
                let Some(stat) = this.registry.stat_data(&digest).await? else { return Ok(None) };
                let _shared = this.locks().shared(&this.name).await;
                let action = Action::BlobPushed(BlobTarget { digest: &digest, size: stat.len });
                this.link_blob(action, None, &digest, &digest).await?;
                Ok(Some(stat.len))
            })
            .await
    }

    /// Whether the store has the bytes of a blob, in whichever repository.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn has_bytes(&self, digest: &Digest) -> Result<bool, RegistryError> {
        Ok(self.registry.stat_data(digest).await?.is_some())
    }
}

impl BlobWriter {
    /// How many bytes are written.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match &self.0 {
            Writing::Store(writer) => writer.offset(),
            Writing::Relay(relay) => relay.offset(),
        }
    }

    /// Appends the next bytes. Readers see them when this returns.
    ///
    /// # Errors
    /// The store failed, or is full; or nobody reads what is not stored. The fetch has failed then.
    pub async fn append(&mut self, pieces: Vec<Bytes>) -> Result<(), RegistryError> {
        match &mut self.0 {
            Writing::Store(writer) => writer.append(pieces).await,
            Writing::Relay(relay) => relay.append(pieces).await,
        }
    }

    /// Ends the fetch: if the content is what the digest says, it becomes a blob of the repository, and of `others`; or
    /// it is given to its reader wholly.
    ///
    /// # Errors
    /// [`RegistryError::DigestMismatch`]; the error of the store. Nothing is stored then.
    pub async fn finish(self, others: Vec<Repository>) -> Result<(), RegistryError> {
        match self.0 {
            Writing::Store(writer) => writer.finish(others).await,
            Writing::Relay(relay) => relay.finish().await,
        }
    }

    /// Ends the fetch without a blob.
    pub async fn give_up(self) {
        match self.0 {
            Writing::Store(writer) => writer.give_up().await,
            Writing::Relay(relay) => drop(relay),
        }
    }
}

impl FetchedBlob {
    /// The blob for a reader, who began the fetch or shares it; `None`: it is not stored, and another reader has it.
    #[must_use]
    pub fn claim(&self, is_shared: bool) -> Option<Self> {
        let reading = match &self.reading {
            Reading::Followed(blob) => Reading::Followed(blob.clone()),
            Reading::Relayed(blob) => Reading::Relayed(blob.claim()?),
        };
        Some(Self { len: self.len, is_shared, reading })
    }

    /// How many bytes the blob has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no byte of it can be read before it is stored.
    pub(super) fn is_short(&self) -> bool {
        self.len <= SHORT && !self.is_relayed()
    }

    /// Whether it goes to one reader, and not into the store.
    pub(super) fn is_relayed(&self) -> bool {
        matches!(self.reading, Reading::Relayed(_))
    }

    /// Waits until the blob is stored; `false` if the fetch failed, or it is not to be stored.
    pub async fn stored(&self) -> bool {
        match &self.reading {
            Reading::Followed(blob) => blob.stored().await,
            Reading::Relayed(_) => false,
        }
    }

    /// The bytes of each of `ranges`, one range after the other, as they come.
    pub(super) fn into_stream_of(
        self,
        ranges: Vec<Range<u64>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
        match self.reading {
            Reading::Followed(blob) => Either::Left(blob.into_stream_of(ranges)),
            Reading::Relayed(blob) => Either::Right(blob.into_stream_of(ranges)),
        }
    }
}

//! A blob on its way from an upstream into the store: one writer, and readers that follow it.
//!
//! Readers read the file that the writer appends to. So a slow reader does not slow the writer, and readers that go away
//! do not end it. The last bytes come when the whole blob is verified and stored; of a short blob, all of them. If the
//! fetch fails, the streams end with an error, so that a client never gets a whole body with wrong bytes.

use std::{collections::VecDeque, io, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;

use crate::{
    oci::Digest,
    registry::{RegistryError, Repository, SessionId, content::Pin, layout, uploads::verified},
    storage::{AppendError, Object, Staging},
};

/// A blob that is on its way into the store. Clones are the same fetch.
#[derive(Clone, Debug)]
pub(super) struct FollowedBlob(Arc<Fetch>);

#[derive(Debug)]
struct Fetch {
    repository: Repository,
    digest: Digest,
    len: u64,
    /// How many bytes may be read before the whole is verified.
    unverified: u64,
    /// The bytes that are written so far; `None` if the back end can't read them before they are stored.
    written: Option<Object>,
    /// It is neither evicted nor collected while it is fetched and read.
    _pin: Pin,
    progress: watch::Receiver<Progress>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// So many bytes can be read.
    Written(u64),
    /// All of it is verified and stored.
    Stored,
}

/// The right to write a blob that is being fetched. When this is dropped before [`StoreWriter::finish`], the fetch has
/// failed.
#[derive(Debug)]
pub(super) struct StoreWriter {
    repository: Repository,
    digest: Digest,
    staging: Staging,
    progress: watch::Sender<Progress>,
}

impl Repository {
    /// Begins to store a blob of `len` bytes, of which the first `unverified` may be read before the whole is verified.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn begin_followed(
        &self,
        digest: &Digest,
        len: u64,
        unverified: u64,
    ) -> Result<(StoreWriter, FollowedBlob), RegistryError> {
        let pin = self.locks().pins().pin([digest.clone()]).await;
        let key = layout::upload(&self.name, &SessionId::random());
        let staging = self.storage().stage(&key, digest.algorithm()).await?;
        let (progress, receiver) = watch::channel(Progress::Written(0));
        let fetch = Fetch {
            repository: self.clone(),
            digest: digest.clone(),
            len,
            unverified,
            written: staging.written().await?,
            _pin: pin,
            progress: receiver,
        };
        let writer = StoreWriter { repository: self.clone(), digest: digest.clone(), staging, progress };
        Ok((writer, FollowedBlob(Arc::new(fetch))))
    }
}

impl StoreWriter {
    /// How many bytes are written.
    pub(super) fn offset(&self) -> u64 {
        self.staging.offset()
    }

    /// Appends the next bytes. Readers see them when this returns.
    ///
    /// # Errors
    /// The store failed, or is full. The fetch has failed then.
    pub(super) async fn append(&mut self, pieces: Vec<Bytes>) -> Result<(), RegistryError> {
        let appended: usize = pieces.iter().map(Bytes::len).sum();
        let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::convert::Infallible>));
        self.staging.append(pieces).await.map_err(|error| match error {
            AppendError::Storage(error) => error,
            AppendError::Body(never) => match never {},
        })?;
        let mut readable = self.staging.offset();
        if appended as u64 > Staging::BUFFERED {
            readable -= Staging::BUFFERED;
        } else {
            self.staging.written().await?;
        }
        self.progress.send_replace(Progress::Written(readable));
        Ok(())
    }

    /// Ends the fetch: the content becomes a blob of the repository, and of `others`, if it is what the digest says.
    ///
    /// # Errors
    /// [`RegistryError::DigestMismatch`]; the error of the store. Nothing is stored then.
    pub(super) async fn finish(self, others: Vec<Repository>) -> Result<(), RegistryError> {
        let Self { repository, digest, staging, progress } = self;
        let registry = repository.registry.clone();
        let finished = async move {
            match verified(staging, &digest).await? {
                Ok(verified) => repository.commit_blob(verified).await?,
                Err((error, staging)) => {
                    staging.abort().await?;
                    return Err(error);
                }
            }
            for other in others {
                other.link_stored_blob(&digest).await?;
            }
            progress.send_replace(Progress::Stored);
            Ok(())
        };
        registry.0.locks.own(finished).await
    }

    /// Ends the fetch without a blob.
    pub(super) async fn give_up(self) {
        if let Err(error) = self.staging.abort().await {
            tracing::warn!(%error, "what was fetched of a blob can't be removed; it expires as an upload");
        }
    }
}

impl FollowedBlob {
    /// Waits until the blob is stored; `false` if the fetch failed.
    pub(super) async fn stored(&self) -> bool {
        let mut progress = self.0.progress.clone();
        progress.wait_for(|progress| *progress == Progress::Stored).await.is_ok()
    }

    /// The bytes of each of `ranges`, one range after the other, as they come.
    pub(super) fn into_stream_of(
        self,
        ranges: Vec<Range<u64>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
        let state = Following { fetch: self, ranges: ranges.into(), pieces: None };
        Box::pin(stream::try_unfold(state, |mut state| async move {
            let piece = state.next().await?;
            Ok(piece.map(|piece| (piece, state)))
        }))
    }
}

/// A reader of a blob that is being fetched.
struct Following {
    fetch: FollowedBlob,
    /// What is still to be read.
    ranges: VecDeque<Range<u64>>,
    /// What can be read now.
    pieces: Option<stream::BoxStream<'static, io::Result<Bytes>>>,
}

impl Following {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(pieces) = &mut self.pieces {
                if let Some(piece) = pieces.next().await {
                    return piece.map(Some);
                }
                self.pieces = None;
            }
            let Some(range) = self.ranges.front_mut() else { return Ok(None) };
            if range.is_empty() {
                self.ranges.pop_front();
                continue;
            }
            let (object, end) = self.fetch.readable_beyond(range.start).await?;
            let end = end.min(range.end);
            self.pieces = Some(object.into_stream(range.start..end).boxed());
            range.start = end;
        }
    }
}

impl FollowedBlob {
    /// Waits until the byte at `at` can be read; where to read it, and up to where.
    async fn readable_beyond(&self, at: u64) -> io::Result<(Object, u64)> {
        let fetch = &*self.0;
        let bound = |progress: &Progress| match (progress, &fetch.written) {
            (Progress::Stored, _) => fetch.len,
            (Progress::Written(written), Some(_)) => (*written).min(fetch.unverified),
            (Progress::Written(_), None) => 0,
        };
        let failed = || io::Error::new(io::ErrorKind::BrokenPipe, "the upstream did not give the whole blob");
        let mut progress = fetch.progress.clone();
        let progress = *progress.wait_for(|progress| bound(progress) > at).await.map_err(|_| failed())?;
        match &fetch.written {
            Some(written) if progress != Progress::Stored => Ok((written.clone(), bound(&progress))),
            _ => {
                let stored = fetch.repository.stored_object(&fetch.digest).await.map_err(io::Error::other)?;
                stored.map(|object| (object, fetch.len)).ok_or_else(failed)
            }
        }
    }
}

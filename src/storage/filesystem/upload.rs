//! Staged objects, as their holder sees them.

use std::{
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::{
    super::{AppendError, BUFFERED_LEN, Object, Result},
    blocking,
    content::Content,
    leases::Lease,
    volume::Volume,
    write_queue::{BATCHES, ContentGuard, WriteQueue},
};
use crate::oci::{Algorithm, Digest};

/// How many bytes are written at once, if there is memory for it: enough that a write costs little beside the hashing.
const BATCH_LEN: usize = 1024 * 1024;

/// How many bytes are written at once if very many clients push at the same time.
const BATCH_LEN_LEAST: usize = 64 * 1024;

/// The most memory in bytes for the batches of all uploads of a store, unless all batches have the least size. Received
/// bytes that are in no batch yet are counted elsewhere.
const MEMORY: usize = 24 * 1024 * 1024;

/// How many pieces one system call takes.
const BATCH_PIECES: usize = 1024;

/// A staged object and the right to write to it. When this is dropped, the object stays.
#[derive(Debug)]
pub(in crate::storage) struct Upload {
    queue: Arc<WriteQueue>,
    offset: u64,
}

#[derive(Debug, Default)]
struct Batch {
    pieces: Vec<Bytes>,
    len: usize,
}

/// One upload's share in the memory for all of them.
#[derive(Debug)]
struct Share(Arc<Volume>);

impl Upload {
    /// Begins one.
    pub(super) fn create(volume: &Arc<Volume>, lease: Lease, algorithm: Algorithm) -> Result<Self> {
        let content = Content::create(volume, lease.key(), algorithm)?;
        Ok(Self::of(volume, lease, content))
    }

    /// Resumes the staged object, if there is one.
    pub(super) fn reopen(volume: &Arc<Volume>, lease: Lease) -> Result<Option<Self>> {
        let content = Content::reopen(volume, lease.key())?;
        Ok(content.map(|content| Self::of(volume, lease, content)))
    }

    fn of(volume: &Arc<Volume>, lease: Lease, content: Content) -> Self {
        let offset = content.len();
        Self { queue: WriteQueue::new(volume.clone(), lease, content), offset }
    }

    /// How many bytes were taken.
    pub(in crate::storage) fn offset(&self) -> u64 {
        self.offset
    }

    /// As [`crate::storage::Staging::append`].
    pub(in crate::storage) async fn append<E>(
        &mut self,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), AppendError<E>> {
        let appended = self.write(body).await;
        if let Err(AppendError::Storage(_)) = appended {
            self.offset = self.queue.len().unwrap_or_default();
        }
        appended
    }

    /// As [`crate::storage::Staging::roll_back`].
    pub(in crate::storage) async fn roll_back(&mut self) -> Result<()> {
        let mut guard = self.queue.lock().await?;
        self.offset = blocking(move || {
            guard.run(|_, content| {
                content.roll_back()?;
                Ok(content.len())
            })
        })
        .await?;
        Ok(())
    }

    async fn write<E>(&mut self, mut body: impl Stream<Item = Result<Bytes, E>> + Unpin) -> Result<(), AppendError<E>> {
        let share = Share::take(&self.queue.volume);
        let mut batch = Batch::default();
        let ended = loop {
            match body.next().await {
                Some(Ok(piece)) => batch.push(piece),
                Some(Err(error)) => break Err(AppendError::Body(error)),
                None => break Ok(()),
            }
            if batch.is_full(share.batch_len()) {
                self.send(mem::take(&mut batch)).await?;
            }
        };
        if !self.buffer(&mut batch)? && batch.len > 0 {
            self.send(batch).await?;
        }
        drop(self.queue.lock().await?);
        ended
    }

    /// As [`crate::storage::Staging::sync`].
    pub(in crate::storage) async fn sync(&mut self) -> Result<()> {
        let mut guard = self.queue.lock().await?;
        let synced = blocking(move || guard.run_or_roll_back(|volume, content| content.sync(volume))).await;
        if synced.is_err() {
            self.offset = self.queue.len().unwrap_or_default();
        }
        synced
    }

    /// The digest of all of it.
    pub(in crate::storage) async fn digest(&self, algorithm: Algorithm) -> Result<Digest> {
        let mut guard = self.queue.lock().await?;
        if let Some(digest) = guard.content().and_then(|content| content.known_digest(algorithm)) {
            return Ok(digest);
        }
        blocking(move || guard.run_or_roll_back(|_, content| content.digest(algorithm))).await
    }

    /// As [`crate::storage::Staging::written`].
    pub(in crate::storage) async fn written(&self) -> Result<Object> {
        let mut guard = self.queue.lock().await?;
        blocking(move || {
            guard.run(|_, content| {
                content.flush()?;
                content.to_object()
            })
        })
        .await
    }

    /// The content, once every batch is written. Its end may be buffered.
    pub(super) async fn lock(&self) -> Result<ContentGuard> {
        self.queue.lock().await
    }

    /// Throws it away.
    pub(in crate::storage) async fn discard(self) -> Result<()> {
        let mut guard = match self.queue.lock().await {
            Ok(guard) => guard,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        blocking(move || {
            guard.discard();
            Ok(())
        })
        .await
    }

    /// Buffers the end of a body, if it is short and no writer is running.
    fn buffer(&mut self, batch: &mut Batch) -> Result<bool> {
        if batch.len > BUFFERED_LEN {
            return Ok(false);
        }
        let Some(mut guard) = self.queue.try_lock()? else { return Ok(false) };
        match guard.buffer(mem::take(&mut batch.pieces)) {
            Ok(()) => {
                self.offset += batch.len as u64;
                Ok(true)
            }
            Err(pieces) => {
                batch.pieces = pieces;
                Ok(false)
            }
        }
    }

    async fn send(&mut self, batch: Batch) -> Result<()> {
        self.queue.send(batch.pieces).await?;
        self.offset += batch.len as u64;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

impl Share {
    fn take(volume: &Arc<Volume>) -> Self {
        volume.appending.fetch_add(1, Relaxed);
        Self(volume.clone())
    }

    fn batch_len(&self) -> usize {
        let uploads = self.0.appending.load(Relaxed).max(1);
        (MEMORY / uploads / BATCHES).clamp(BATCH_LEN_LEAST, BATCH_LEN)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.appending.fetch_sub(1, Relaxed);
    }
}

impl Batch {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.len += piece.len();
            self.pieces.push(piece);
        }
    }

    fn is_full(&self, len: usize) -> bool {
        self.len >= len || self.pieces.len() >= BATCH_PIECES
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use super::{super::open::open, *};
    use crate::storage::Durability;

    #[test]
    fn many_uploads_share_the_memory() {
        let directory = tempfile::tempdir().unwrap();
        let volume = Arc::new(open(directory.path(), Durability::None).unwrap());
        let mut shares = Vec::new();
        for (uploads, len) in [(1, BATCH_LEN), (8, BATCH_LEN), (64, MEMORY / 64 / BATCHES), (1000, BATCH_LEN_LEAST)] {
            shares.resize_with(uploads, || Share::take(&volume));
            assert_eq!(shares[0].batch_len(), len, "{uploads}");
        }
        shares.truncate(1);
        assert_eq!(shares[0].batch_len(), BATCH_LEN);
    }
}

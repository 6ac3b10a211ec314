//! A blob that is read.

use std::{
    io,
    ops::Range,
    os::fd::BorrowedFd,
    pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{Stream, future::Either};

use crate::{
    oci::{Digest, Hasher},
    registry::{BodyError, CacheStatus, FetchedBlob, Registry, RegistryError, UpstreamError, Verify, content::Pin},
    storage::{FileRegion, Object, Stat},
};

/// A blob that is open for reading.
#[derive(Debug)]
pub struct Blob {
    registry: Registry,
    digest: Digest,
    /// Of a blob that may be evicted: it is not, while it is read.
    pin: Option<Pin>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// It is stored, under the digest `target`.
    Stored { target: Digest, object: Object },
    /// It is being fetched.
    Fetched(FetchedBlob),
}

impl Blob {
    pub(super) fn new(registry: Registry, digest: Digest, pin: Option<Pin>, target: Digest, object: Object) -> Self {
        Self { registry, digest, pin, content: Content::Stored { target, object } }
    }

    pub(in crate::registry) fn of_fetched(registry: Registry, digest: Digest, fetched: FetchedBlob) -> Self {
        Self { registry, digest, pin: None, content: Content::Fetched(fetched) }
    }

    /// The digest it was asked for by.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.content {
            Content::Stored { object, .. } => object.stat().len,
            Content::Fetched(fetched) => fetched.len(),
        }
    }

    /// Where it came from, in a repository that an upstream fills.
    #[must_use]
    pub fn cache(&self) -> Option<CacheStatus> {
        match &self.content {
            Content::Stored { .. } => self.pin.as_ref().map(|_| CacheStatus::Hit),
            Content::Fetched(fetched) if fetched.is_shared() => Some(CacheStatus::Shared),
            Content::Fetched(_) => Some(CacheStatus::Miss),
        }
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until all of it is stored.
    ///
    /// # Errors
    /// [`BodyError::NoRoom`]: it is not to be stored. [`UpstreamError::Unavailable`]: it can't be fetched.
    pub async fn stored(&self) -> Result<(), RegistryError> {
        match &self.content {
            Content::Stored { .. } => Ok(()),
            Content::Fetched(fetched) if fetched.is_relayed() => Err(BodyError::NoRoom.into()),
            Content::Fetched(fetched) if fetched.stored().await => Ok(()),
            Content::Fetched(_) => Err(UpstreamError::Unavailable.into()),
        }
    }

    /// The bytes of `range`, to be sent by the kernel itself. As with [`Blob::into_stream`], the last of them come only
    /// if the blob was not found damaged by then.
    ///
    /// # Errors
    /// The blob: its bytes have to go through this process.
    #[expect(clippy::result_large_err, reason = "it is no failure, and is used at once")]
    pub fn into_delivery(self, range: Range<u64>) -> Result<BlobRegion, Self> {
        if self.registry.0.rules.verify == Verify::Whole {
            return Err(self);
        }
        let Self { registry, digest, pin, content } = self;
        let (target, object) = match content {
            Content::Stored { target, object } => (target, object),
            fetched @ Content::Fetched(_) => return Err(Self { registry, digest, pin, content: fetched }),
        };
        let stat = object.stat();
        match object.into_delivery(range) {
            Ok(delivery) => Ok(BlobRegion { registry, target, stat, delivery, _pin: pin }),
            Err(object) => Err(Self { registry, digest, pin, content: Content::Stored { target, object } }),
        }
    }

    /// The bytes of `range`. The last of them come only if the blob was not found damaged by then; with
    /// [`Verify::Whole`], a whole one is compared with its digest before they come. Else the stream ends with an error,
    /// and its reader has less than was promised.
    pub fn into_stream(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
        self.into_stream_of(vec![range])
    }

    /// The bytes of each of `ranges`, one range after the other; no piece holds bytes of two. As [`Blob::into_stream`]
    /// otherwise.
    pub fn into_stream_of(
        self,
        ranges: Vec<Range<u64>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
        let (target, object) = match self.content {
            Content::Stored { target, object } => (target, object),
            Content::Fetched(fetched) => return Either::Right(fetched.into_stream_of(ranges)),
        };
        let stat = object.stat();
        let is_hashed =
            self.registry.0.rules.verify == Verify::Whole && *ranges == *std::slice::from_ref(&(0..stat.len));
        let hasher = is_hashed.then(|| Hasher::new(target.algorithm()));
        let left = ranges.iter().map(|range| range.end - range.start).sum();
        let pieces = object.into_stream_of(ranges);
        Either::Left(Checked { registry: self.registry, target, stat, hasher, left, pieces, _pin: self.pin })
    }
}

/// A part of a blob that the kernel sends.
#[derive(Debug)]
pub struct BlobRegion {
    registry: Registry,
    target: Digest,
    stat: Stat,
    delivery: FileRegion,
    _pin: Option<Pin>,
}

impl BlobRegion {
    /// The digest that the store has the blob under.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.target
    }

    /// How many bytes are still to be sent.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.delivery.left()
    }

    /// Waits until the next bytes can be sent without waiting for a disk.
    ///
    /// # Errors
    /// As [`FileRegion::poll_ready`].
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.delivery.poll_ready(cx)
    }

    /// Sends of what is ready as many bytes as `socket` takes, `most` at most; how many that were.
    ///
    /// # Errors
    /// As [`FileRegion::send`]; and instead of the last bytes, if the blob was found damaged.
    pub fn send(&mut self, socket: BorrowedFd<'_>, most: u64) -> io::Result<u64> {
        if self.left() <= most && self.registry.0.damaged.has(&self.target, self.stat) {
            return Err(damaged());
        }
        self.delivery.send(socket, most)
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the content is not what its digest says")
}

/// Pieces of a blob, of which the last one comes if all are right.
struct Checked<S> {
    registry: Registry,
    target: Digest,
    stat: Stat,
    hasher: Option<Hasher>,
    left: u64,
    pieces: S,
    _pin: Option<Pin>,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Stream for Checked<S> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(pin::Pin::new(&mut self.pieces).poll_next(cx));
        let Some(Ok(bytes)) = &piece else { return Poll::Ready(piece) };
        self.left = self.left.saturating_sub(bytes.len() as u64);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        if self.left == 0 && !self.is_right() {
            return Poll::Ready(Some(Err(damaged())));
        }
        Poll::Ready(piece)
    }
}

impl<S> Checked<S> {
    /// Whether nothing is known against the blob, now that its last piece has been read.
    fn is_right(&mut self) -> bool {
        if self.registry.0.damaged.has(&self.target, self.stat) {
            return false;
        }
        let Some(hasher) = self.hasher.take() else { return true };
        if hasher.finish() == self.target {
            return true;
        }
        let (registry, target, stat) = (self.registry.clone(), self.target.clone(), self.stat);
        // The reader need not wait for that.
        tokio::spawn(async move {
            if let Err(error) = registry.set_aside(&target, stat).await {
                tracing::error!(%error, digest = %target, "damaged content can't be set aside");
            }
        });
        false
    }
}

//! A blob that the store has no room for: it is given to one client while it is fetched, and is not stored.
//!
//! The client sets the pace. As of a blob that is stored, the last bytes come when the whole is verified, and of a short
//! blob all of them; if it is not what its digest says, the stream ends with an error.

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    oci::{Digest, Hasher},
    registry::RegistryError,
};

/// How many pieces wait for the client.
const PIECES: usize = 4;

/// For how long a client may take nothing.
const UNREAD: Duration = Duration::from_secs(60);

/// The reading end. Clones share it, and the first one that is read has it.
#[derive(Clone, Debug)]
pub(super) struct RelayedBlob(Arc<Mutex<Option<Receiver<Bytes>>>>);

/// The writing end.
#[derive(Debug)]
pub(super) struct Relay {
    digest: Digest,
    /// `None` while another thread hashes.
    hasher: Option<Hasher>,
    offset: u64,
    /// How many bytes of the blob may be sent before it is verified.
    unverified: u64,
    /// The bytes that are not sent yet.
    held: VecDeque<Bytes>,
    sent: u64,
    client: Sender<Bytes>,
}

/// Begins a relay of which the first `unverified` bytes may be sent before the whole is verified.
pub(super) fn relay(digest: &Digest, unverified: u64) -> (Relay, RelayedBlob) {
    let (client, receiver) = channel(PIECES);
    let (digest, hasher) = (digest.clone(), Some(Hasher::new(digest.algorithm())));
    let relay = Relay { digest, hasher, offset: 0, unverified, held: VecDeque::new(), sent: 0, client };
    (relay, RelayedBlob(Arc::new(Mutex::new(Some(receiver)))))
}

impl Relay {
    /// How many bytes came.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next bytes, and sends those that may be sent.
    ///
    /// # Errors
    /// [`RegistryError::Aborted`]: the client has gone.
    pub(super) async fn append(&mut self, pieces: Vec<Bytes>) -> Result<(), RegistryError> {
        let (mut hasher, hashed) = (self.hasher.take().ok_or(RegistryError::Aborted)?, pieces.clone());
        let hashing = spawn_blocking(move || {
            for piece in &hashed {
                hasher.update(piece);
            }
            hasher
        });
        self.hasher = Some(hashing.await.map_err(|_| RegistryError::Aborted)?);
        self.offset += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        self.held.extend(pieces);
        self.send(self.unverified).await
    }

    /// Sends the rest, if all of it is what the digest says.
    ///
    /// # Errors
    /// [`RegistryError::DigestMismatch`]; [`RegistryError::Aborted`]: the client has gone.
    pub(super) async fn finish(mut self) -> Result<(), RegistryError> {
        let actual = self.hasher.take().ok_or(RegistryError::Aborted)?.finish();
        if actual != self.digest {
            return Err(RegistryError::DigestMismatch { claimed: self.digest, actual });
        }
        self.send(u64::MAX).await
    }

    /// Sends what there is of the first `end` bytes of the blob.
    async fn send(&mut self, end: u64) -> Result<(), RegistryError> {
        while self.sent < end
            && let Some(mut piece) = self.held.pop_front()
        {
            let len = piece.len().min(usize::try_from(end - self.sent).unwrap_or(usize::MAX));
            let rest = piece.split_off(len);
            if !rest.is_empty() {
                self.held.push_front(rest);
            }
            self.sent += len as u64;
            match timeout(UNREAD, self.client.send(piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(RegistryError::Aborted),
            }
        }
        Ok(())
    }
}

impl RelayedBlob {
    /// The blob, for the one client who reads it; `None`: another has it.
    pub(super) fn claim(&self) -> Option<Self> {
        let receiver = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Self(Arc::new(Mutex::new(Some(receiver)))))
    }

    /// The bytes of each of `ranges`, which have to follow each other.
    pub(super) fn into_stream_of(
        self,
        ranges: Vec<Range<u64>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
        let receiver = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let state = Reading { receiver, offset: 0, piece: Bytes::new(), ranges: ranges.into() };
        Box::pin(stream::try_unfold(state, |mut state| async move {
            let piece = state.next().await?;
            Ok(piece.map(|piece| (piece, state)))
        }))
    }
}

struct Reading {
    receiver: Option<Receiver<Bytes>>,
    /// The place of the next byte of `piece`.
    offset: u64,
    piece: Bytes,
    ranges: VecDeque<Range<u64>>,
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(range) = self.ranges.front_mut() else { return Ok(None) };
            if range.is_empty() {
                self.ranges.pop_front();
                continue;
            }
            if range.start < self.offset {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "the ranges of a relayed blob go backwards"));
            }
            let skipped = self.piece.len().min(usize::try_from(range.start - self.offset).unwrap_or(usize::MAX));
            drop(self.piece.split_to(skipped));
            self.offset += skipped as u64;
            if !self.piece.is_empty() {
                let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                let given = self.piece.split_to(self.piece.len().min(wanted));
                self.offset += given.len() as u64;
                range.start += given.len() as u64;
                return Ok(Some(given));
            }
            let next = match &mut self.receiver {
                Some(receiver) => receiver.recv().await,
                None => None,
            };
            let broken = || io::Error::new(io::ErrorKind::BrokenPipe, "the upstream did not give the whole blob");
            self.piece = next.ok_or_else(broken)?;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    #![allow(clippy::single_range_in_vec_init, reason = "a list of ranges may have one")]

    use futures_util::StreamExt as _;

    use super::*;
    use crate::oci::Algorithm;

    const BLOB: &[u8] = b"0123456789";

    /// What a client gets of `ranges` when `body` comes in pieces of `size`; and whether its end is right.
    async fn read(body: &[u8], size: usize, unverified: u64, ranges: Vec<Range<u64>>) -> (Vec<u8>, bool) {
        let (mut writer, blob) = relay(&Digest::of(Algorithm::Sha256, BLOB), unverified);
        let pieces: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
        let writing = tokio::spawn(async move {
            for piece in pieces {
                writer.append(vec![piece]).await?;
            }
            writer.finish().await
        });
        let (mut stream, mut read, mut is_whole) = (blob.claim().unwrap().into_stream_of(ranges), Vec::new(), true);
        assert!(blob.claim().is_none(), "one client has it");
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => read.extend_from_slice(&piece),
                Err(_) => is_whole = false,
            }
        }
        drop(stream);
        drop(writing.await.unwrap());
        (read, is_whole)
    }

    #[tokio::test]
    async fn each_range_is_given_as_it_comes() {
        let rows: [(&[Range<u64>], &[u8]); 5] =
            [(&[0..10], BLOB), (&[0..0], b""), (&[3..5], b"34"), (&[1..3, 3..4, 8..10], b"12389"), (&[9..10], b"9")];
        for (ranges, expected) in rows {
            for size in 1..=10 {
                for unverified in [0, 1, 7, 10] {
                    let read = read(BLOB, size, unverified, ranges.to_vec()).await;
                    assert_eq!(read, (expected.to_vec(), true), "{ranges:?} {size} {unverified}");
                }
            }
        }
        assert_eq!(read(BLOB, 3, 10, vec![5..6, 1..2]).await, (b"5".to_vec(), false));
    }

    #[tokio::test]
    async fn what_is_not_what_its_digest_says_ends_short() {
        for (body, unverified, expected) in
            [(&b"0123456780"[..], 7, &b"0123456"[..]), (b"0123456780", 0, b""), (b"012345", 10, b"012345")]
        {
            assert_eq!(read(body, 2, unverified, vec![0..10]).await, (expected.to_vec(), false));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_or_takes_nothing_ends_the_relay() {
        for has_left in [true, false] {
            let (mut writer, blob) = relay(&Digest::of(Algorithm::Sha256, BLOB), 10);
            let blob = (!has_left).then_some(blob);
            let mut appended = Ok(());
            for byte in BLOB.chunks(1) {
                appended = writer.append(vec![Bytes::copy_from_slice(byte)]).await;
                if appended.is_err() {
                    break;
                }
            }
            assert!(matches!(appended, Err(RegistryError::Aborted)));
            drop(blob);
        }
    }
}

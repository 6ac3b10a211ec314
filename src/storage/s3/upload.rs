//! Staged objects of a bucket: parts of one size in a multipart upload, and the rest beside them.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, future::BoxFuture};

use super::{
    super::{
        AppendError, Condition, Key, OWN_PREFIX, Result, StorageError,
        stat::{ETag, Identity, Version},
    },
    request::{Bucket, failure},
    session::Session,
};
use crate::oci::{Algorithm, Digest, Hasher};

/// The size of a part in bytes. Content that is not longer is one object, written at once.
const PART_LEN: usize = 16 * 1024 * 1024;

/// The longest object of the state of an upload, in bytes: its tail, and the tags of 10,000 parts, the most that there
/// can be.
const SESSION_LIMIT: u64 = PART_LEN as u64 + 1024 * 1024;

/// The staged objects that this process holds.
pub(super) type Held = Arc<Mutex<HashSet<Key>>>;

/// A staged object and the right of this process to write to it. When this is dropped, what was synced stays.
#[derive(Debug)]
pub(in crate::storage) struct Upload {
    bucket: Arc<Bucket>,
    hold: Hold,
    state: Session,
    tail: BytesMut,
    /// The state at the last sync, and the version of the object that has it.
    synced: (Session, ETag),
}

/// The right of one holder in this process. Those of other processes are told by the versions of the object.
#[derive(Debug)]
pub(super) struct Hold {
    held: Held,
    key: Key,
}

impl Hold {
    /// `None` if somebody has it.
    pub(super) fn take(held: &Held, key: &Key) -> Option<Self> {
        let is_free = held.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        is_free.then(|| Self { held: held.clone(), key: key.clone() })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Upload {
    /// Begins a staged object.
    pub(super) async fn create(bucket: &Arc<Bucket>, hold: Hold, algorithm: Algorithm) -> Result<Self> {
        let hasher = Hasher::new(algorithm);
        let state = Session { offset: 0, hasher, multipart: None, parts: Vec::new(), tail: Bytes::new() };
        let etag = bucket.store(hold.key.as_str(), state.encode(), Condition::IfAbsent).await?;
        Ok(Self::of(bucket, hold, state, etag))
    }

    /// Resumes the staged object, if there is one.
    pub(super) async fn reopen(bucket: &Arc<Bucket>, hold: Hold) -> Result<Option<Self>> {
        let key = hold.key.as_str();
        let Some((object, stat)) = bucket.get(key, SESSION_LIMIT).await? else { return Ok(None) };
        let state = Session::decode(&object);
        let state = state.ok_or_else(|| failure("resume", key, "another version of wharf began this upload"))?;
        let Version(Identity::S3(etag)) = stat.version else { return Ok(None) };
        Ok(Some(Self::of(bucket, hold, state, etag)))
    }

    fn of(bucket: &Arc<Bucket>, hold: Hold, state: Session, etag: ETag) -> Self {
        let tail = BytesMut::from(&state.tail[..]);
        Self { bucket: bucket.clone(), hold, state: state.clone(), tail, synced: (state, etag) }
    }

    /// The length in bytes.
    pub(in crate::storage) fn offset(&self) -> u64 {
        self.state.offset
    }

    /// As [`crate::storage::Staging::append`].
    pub(in crate::storage) async fn append<E>(
        &mut self,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), AppendError<E>> {
        while let Some(piece) = body.next().await {
            let mut piece = piece.map_err(AppendError::Body)?;
            while !piece.is_empty() {
                // The part is sent before the bytes after it are taken: who drops this future leaves a whole state.
                if self.tail.len() >= PART_LEN {
                    self.send_part().await?;
                }
                self.take(&mut piece);
            }
        }
        Ok(())
    }

    /// Takes as many bytes as the part has room for.
    fn take(&mut self, piece: &mut Bytes) {
        let taken = piece.split_to(piece.len().min(PART_LEN - self.tail.len()));
        self.state.hasher.update(&taken);
        self.tail.extend_from_slice(&taken);
        self.state.offset += taken.len() as u64;
    }

    fn send_part(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.store_part())
    }

    async fn store_part(&mut self) -> Result<()> {
        let key = content_key(&self.hold.key);
        let id = match &self.state.multipart {
            Some(id) => id.clone(),
            None => self.state.multipart.insert(self.bucket.begin_parts(&key).await?).clone(),
        };
        let part = Bytes::copy_from_slice(&self.tail);
        let etag = self.bucket.put_part(&key, &id, self.state.parts.len() + 1, part).await?;
        self.state.parts.push(etag);
        self.tail.clear();
        Ok(())
    }

    /// As [`crate::storage::Staging::sync`].
    pub(in crate::storage) async fn sync(&mut self) -> Result<()> {
        self.state.tail = Bytes::copy_from_slice(&self.tail);
        let version = Condition::IfVersion(Version(Identity::S3(self.synced.1)));
        let stored = self.bucket.store(self.hold.key.as_str(), self.state.encode(), version).await;
        self.synced = match stored {
            Ok(etag) => (self.state.clone(), etag),
            // Another process goes on with it.
            Err(StorageError::Changed) => return Err(StorageError::Busy),
            Err(error) => return Err(error),
        };
        Ok(())
    }

    /// As [`crate::storage::Staging::roll_back`].
    pub(in crate::storage) fn roll_back(&mut self) {
        // The multipart upload goes on: parts that are written again replace those that were.
        let multipart = self.state.multipart.take();
        self.state = Session { multipart, ..self.synced.0.clone() };
        self.tail = BytesMut::from(&self.state.tail[..]);
    }

    /// The digest of all bytes.
    pub(in crate::storage) fn digest(&self, algorithm: Algorithm) -> Result<Digest> {
        if self.state.hasher.algorithm() == algorithm {
            return Ok(self.state.hasher.clone().finish());
        }
        if self.state.parts.is_empty() {
            return Ok(Digest::of(algorithm, &self.tail));
        }
        // The parts of an upload that is not completed can't be read.
        let cause = "content of several parts has no other digest than that of the algorithm that it began with";
        Err(failure("hash", self.hold.key.as_str(), cause))
    }

    /// Makes it the object at `key`.
    pub(in crate::storage) async fn promote(mut self, key: &Key) -> Result<()> {
        let promoted = self.store_content(key.as_str()).await;
        match promoted {
            Ok(()) => self.bucket.remove(self.hold.key.as_str()).await,
            Err(error) => {
                let _ = self.discard().await;
                Err(error)
            }
        }
    }

    async fn store_content(&mut self, key: &str) -> Result<()> {
        if self.state.parts.is_empty() {
            return self.bucket.store(key, mem::take(&mut self.tail).freeze(), Condition::Any).await.map(|_| ());
        }
        if !self.tail.is_empty() {
            self.send_part().await?;
        }
        let staged = content_key(&self.hold.key);
        let id = self.state.multipart.take().unwrap_or_default();
        self.bucket.complete_parts(&staged, &id, &self.state.parts, None).await?;
        self.bucket.copy(&staged, key, self.state.offset).await?;
        self.bucket.remove(&staged).await
    }

    /// Deletes it.
    pub(in crate::storage) async fn discard(self) -> Result<()> {
        discard(&self.bucket, &self.hold.key, self.state.multipart.as_deref()).await
    }
}

/// Deletes a staged object that nobody in this process holds; returns whether there was one.
pub(super) async fn expire(bucket: &Bucket, hold: Hold) -> Result<bool> {
    let Some((object, _)) = bucket.get(hold.key.as_str(), SESSION_LIMIT).await? else { return Ok(false) };
    let multipart = Session::decode(&object).and_then(|state| state.multipart);
    discard(bucket, &hold.key, multipart.as_deref()).await?;
    Ok(true)
}

/// First the content, then the object that tells of it.
async fn discard(bucket: &Bucket, key: &Key, multipart: Option<&str>) -> Result<()> {
    if let Some(id) = multipart {
        let content = content_key(key);
        bucket.abort_parts(&content, id).await;
        bucket.remove(&content).await?;
    }
    bucket.remove(key.as_str()).await
}

/// The key of the multipart upload. Nothing is there before it is completed.
fn content_key(key: &Key) -> String {
    format!("{OWN_PREFIX}/parts/{}", &*Digest::of(Algorithm::Sha256, key.as_str().as_bytes()).hex())
}

//! Damaged content: bytes that do not have their digest. They are found, confirmed and set aside, so that the next push
//! heals the store.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use futures_util::StreamExt as _;

use crate::{
    oci::{Digest, Hasher},
    registry::{Registry, RegistryError, events::Event, fsck::RateLimit, layout},
    storage::{Stat, StorageError},
};

/// Content that this process found damaged, with its state at that time. A reader that still has it open must not get
/// its last bytes.
#[derive(Debug, Default)]
pub(in crate::registry) struct DamagedContents {
    /// How many there are, so that the usual look at none costs no lock.
    count: AtomicUsize,
    contents: Mutex<HashSet<(Digest, Stat)>>,
}

impl DamagedContents {
    fn insert(&self, digest: &Digest, stat: Stat) {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.insert((digest.clone(), stat));
        self.count.store(contents.len(), SeqCst);
    }

    /// Whether this is what was found damaged, and not what was pushed over it since.
    pub(in crate::registry) fn has(&self, digest: &Digest, stat: Stat) -> bool {
        if self.count.load(SeqCst) == 0 {
            return false;
        }
        self.contents.lock().unwrap_or_else(PoisonError::into_inner).contains(&(digest.clone(), stat))
    }
}

impl Registry {
    /// Whether content is an empty file that should not be one, as a power cut leaves it in stores that were written
    /// without syncing. Such content is set aside: a client that asks whether it is there must hear no, to push it
    /// again.
    pub(in crate::registry) async fn lost_its_bytes(&self, digest: &Digest, stat: Stat) -> Result<bool, StorageError> {
        if stat.len > 0 || digest.is_of_nothing() {
            return Ok(false);
        }
        // Seldom: the usual way through here is short, and takes no room for it.
        Box::pin(self.set_aside(digest, stat)).await?;
        Ok(true)
    }

    /// Reads content whose length is not what a client says, and sets it aside if its digest is not right either;
    /// whether it is right.
    pub(in crate::registry) async fn is_intact(&self, digest: &Digest) -> Result<bool, StorageError> {
        let _permit = self.0.locks.reading().await;
        self.rehash(digest, &mut RateLimit::free()).await
    }

    /// Reads content at some pace, and sets it aside if its digest is not right; whether it is right.
    pub(in crate::registry) async fn rehash(
        &self,
        digest: &Digest,
        pace: &mut RateLimit,
    ) -> Result<bool, StorageError> {
        let Some(object) = self.storage().open(&layout::data(digest)).await? else { return Ok(false) };
        let stat = object.stat();
        let mut pieces = object.into_stream(0..stat.len);
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                // Cut short since it was opened, or a disk that can't be read: only the first is known to be damage.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
                Err(source) => return Err(StorageError::Read { source }),
            };
            pace.take(piece.len()).await;
            let hashed = tokio::task::spawn_blocking(move || {
                hasher.update(&piece);
                hasher
            });
            hasher = hashed.await.map_err(|error| StorageError::Read { source: error.into() })?;
        }
        if hasher.finish() == *digest {
            return Ok(true);
        }
        self.set_aside(digest, stat).await?;
        Ok(false)
    }

    /// Moves content out of the way of its next push, unless it changed since it was judged: a push may have healed it
    /// meanwhile. A read-only store keeps it where it is.
    pub(in crate::registry) async fn set_aside(&self, digest: &Digest, judged: Stat) -> Result<(), StorageError> {
        self.0.damaged.insert(digest, judged);
        let (this, digest) = (self.clone(), digest.clone());
        let work = async move {
            let _alone = this.0.locks.content(&digest).await;
            if this.is_read_only() || this.storage().stat(&layout::data(&digest)).await? != Some(judged) {
                return Ok(());
            }
            tracing::error!(%digest, "stored content is not what its digest says; it is set aside until it is pushed again");
            this.storage().rename(&layout::data(&digest), &layout::damaged(&digest)).await?;
            this.notify(&Event::Damaged(&digest));
            Ok(())
        };
        match self.0.locks.own(work).await {
            Err(RegistryError::Storage(error)) => Err(error),
            // Only the store can fail here. Content that was not moved is found again.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use bytes::Bytes;
    use futures_util::future::join_all;

    use super::*;
    use crate::{
        registry::Rules,
        storage::{Condition, Storage},
    };

    const GOOD: &[u8] = b"as it was pushed";

    async fn stored(bytes: &'static [u8]) -> (Storage, Registry, Digest) {
        let storage = Storage::memory();
        let digest = Digest::of(crate::oci::Algorithm::Sha256, GOOD);
        storage.put(&layout::data(&digest), Bytes::from_static(bytes), Condition::Any).await.unwrap();
        (storage.clone(), Registry::new(storage, Rules::default()), digest)
    }

    #[tokio::test]
    async fn what_was_healed_meanwhile_is_not_set_aside() {
        let (storage, registry, digest) = stored(b"damaged").await;
        let judged = storage.stat(&layout::data(&digest)).await.unwrap().unwrap();
        storage.put(&layout::data(&digest), Bytes::from_static(GOOD), Condition::Any).await.unwrap();
        registry.set_aside(&digest, judged).await.unwrap();
        assert!(registry.is_intact(&digest).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_damaged_is_set_aside_once_by_whoever_comes_first() {
        for bytes in [&b""[..], b"damaged"] {
            let (storage, registry, digest) = stored(bytes).await;
            let looks = (0..20).map(|_| async {
                let Some(stat) = registry.stat_data(&digest).await.unwrap() else { return };
                assert!(stat.len > 0);
                assert!(!registry.is_intact(&digest).await.unwrap());
            });
            join_all(looks).await;
            assert_eq!(storage.stat(&layout::data(&digest)).await.unwrap(), None);
            assert!(storage.stat(&layout::damaged(&digest)).await.unwrap().is_some());
        }
    }
}

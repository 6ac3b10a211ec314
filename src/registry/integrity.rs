//! Content that is not what its name says: found, confirmed, set aside, so that the next push of it heals the store.

use futures_util::StreamExt as _;

use super::{Registry, layout};
use crate::{
    oci::{Digest, Hasher},
    storage::{Stat, StorageError},
};

impl Registry {
    /// Whether content is an empty file that should not be one, as a power cut leaves it in stores that were written without
    /// syncing. Such content is set aside: a client that asks whether it is there must hear no, to push it again.
    pub(super) async fn lost_its_bytes(&self, digest: &Digest, stat: Stat) -> Result<bool, StorageError> {
        if stat.len > 0 || digest.is_of_nothing() {
            return Ok(false);
        }
        self.set_aside(digest).await?;
        Ok(true)
    }

    /// Reads content whose length is not what a client says, and sets it aside if its digest is not right either; whether it is right.
    pub(super) async fn is_intact(&self, digest: &Digest) -> Result<bool, StorageError> {
        let Some(object) = self.storage().open(&layout::data(digest)).await? else { return Ok(false) };
        let len = object.stat().len;
        let mut pieces = Box::pin(object.into_stream(0..len));
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(piece) = pieces.next().await {
            let Ok(piece) = piece else { return Ok(false) };
            hasher.update(&piece);
            tokio::task::yield_now().await;
        }
        if hasher.finish() == *digest {
            return Ok(true);
        }
        self.set_aside(digest).await?;
        Ok(false)
    }

    /// Moves content out of the way of its next push. A store that can't be written keeps it where it is.
    pub(super) async fn set_aside(&self, digest: &Digest) -> Result<(), StorageError> {
        tracing::error!(%digest, "stored content is not what its digest says; it is set aside until it is pushed again");
        match self.storage().rename(&layout::data(digest), &layout::damaged(digest)).await {
            Err(StorageError::ReadOnly) => Ok(()),
            result => result,
        }
    }
}

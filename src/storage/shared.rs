//! The operations that only a store has which several processes serve at the same time.

use bytes::Bytes;
use futures_util::FutureExt as _;

use super::{
    Action, Backend, Key, Storage, StorageError, Version,
    s3::{S3, lease::TERM},
};

/// A store that other processes may change at any time.
#[derive(Clone, Copy, Debug)]
pub struct SharedStore<'a> {
    storage: &'a Storage,
    store: &'a S3,
}

impl Storage {
    /// The store, if other processes may serve it as well. Then nothing of it that may change can be kept in memory.
    #[must_use]
    pub fn shared(&self) -> Option<SharedStore<'_>> {
        match &self.backend {
            Backend::Filesystem(_) | Backend::Memory(_) => None,
            Backend::S3(store) => Some(SharedStore { storage: self, store }),
        }
    }

    /// Whether other processes may change the store while this one serves it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared().is_some()
    }

    /// Whether this process alone may change the store.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.shared().is_none_or(|shared| shared.store.is_alone())
    }

    /// Runs a change, from its first look to its last write. If other processes could change the store meanwhile without
    /// this process being seen, its later writes are refused.
    pub fn under_one_lease<F: Future>(&self, change: F) -> impl Future<Output = F::Output> + use<F> {
        let term = self.shared().map_or(0, |shared| shared.store.term());
        TERM.scope(term, change)
    }

    /// Ends the use of the store: a collection need not wait for this process. Changes are refused from then on.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn close(&self) -> Result<(), StorageError> {
        match self.shared() {
            Some(shared) => shared.store.close().boxed().await,
            None => Ok(()),
        }
    }
}

impl SharedStore<'_> {
    /// The whole of a small object, and its version; `None` if there is none.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] if it has more than `limit` bytes.
    pub async fn read_version(&self, key: &Key, limit: u64) -> Result<Option<(Bytes, Version)>, StorageError> {
        self.storage.observed(Action::GetContent, self.store.read_version(key, limit).boxed()).await
    }

    /// Deletes an object if it has this version, or is gone. A store that ignores the condition deletes it anyway.
    ///
    /// # Errors
    /// [`StorageError::Changed`] if it has another version.
    pub async fn delete_version(&self, key: &Key, version: Version) -> Result<(), StorageError> {
        self.storage.observed(Action::Delete, self.store.delete_version(key, version).boxed()).await
    }

    /// The paths of all objects below `prefix`, as they go on from there, in byte order: the first `limit` after
    /// `after`.
    ///
    /// # Errors
    /// The listing failed.
    pub async fn paths_after(&self, prefix: &Key, after: &str, limit: usize) -> Result<Vec<String>, StorageError> {
        self.storage.observed(Action::List, self.store.paths_after(prefix, after, limit).boxed()).await
    }
}

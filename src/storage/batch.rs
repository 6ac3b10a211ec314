//! Operations on many keys in one call, for passes over a whole store. One call for each key would take much longer.

use bytes::Bytes;

use super::{Action, Child, Key, Pace, Stat, Storage, StorageError, dispatch};

impl Storage {
    /// The [`Storage::children`] of each of `prefixes`, in the same order. Of more than `limit` names, it may return
    /// any `limit`.
    ///
    /// # Errors
    /// Each answer has its own.
    pub async fn children_of(&self, prefixes: &[Key], limit: usize) -> Vec<Result<Vec<Child>, StorageError>> {
        self.observed(Action::List, async { dispatch!(self, store => store.children_of(prefixes, limit).await) }).await
    }

    /// The [`Storage::stat`] of each of `keys`, in the same order.
    ///
    /// # Errors
    /// Each answer has its own.
    pub async fn stat_all(&self, keys: &[Key]) -> Vec<Result<Option<Stat>, StorageError>> {
        self.observed(Action::Stat, async { dispatch!(self, store => store.stat_all(keys).await) }).await
    }

    /// The [`Storage::read`] of each of `keys`, in the same order.
    ///
    /// # Errors
    /// Each answer has its own.
    pub async fn read_all(&self, keys: &[Key], limit: u64) -> Vec<Result<Option<Bytes>, StorageError>> {
        self.observed(Action::GetContent, async { dispatch!(self, store => store.read_all(keys, limit).await) }).await
    }

    /// [`Storage::delete`] for each of `keys`, in the same order, with one sync of each directory.
    ///
    /// # Errors
    /// A removal failed; some of the objects may be gone.
    pub async fn delete_all(&self, keys: &[Key]) -> Result<Vec<bool>, StorageError> {
        self.observed(Action::Delete, async { dispatch!(self, store => store.delete_all(keys).await) }).await
    }

    /// [`Storage::delete_tree`] for each of `prefixes`, in the same order. One sync of each directory makes all
    /// deletions in it durable, so many trees take little longer than one.
    ///
    /// # Errors
    /// A removal failed; some of the trees may be gone.
    pub async fn delete_trees(&self, prefixes: &[Key], pace: Pace) -> Result<Vec<bool>, StorageError> {
        self.observed(Action::Delete, async { dispatch!(self, store => store.delete_trees(prefixes, pace).await) })
            .await
    }

    /// The permits for the threads of such calls, if there are any. A test that takes all of them delays these calls
    /// and no others.
    #[cfg(test)]
    pub(crate) fn batch_threads(&self) -> Option<&tokio::sync::Semaphore> {
        match &self.backend {
            super::Backend::Filesystem(store) => Some(store.batch_threads()),
            super::Backend::Memory(_) | super::Backend::S3(_) => None,
        }
    }
}

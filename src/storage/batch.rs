//! Many things in one call, for what goes over a whole store: done one by one, most of the time would go by between them.

use bytes::Bytes;

use super::{Backend, Child, Key, Pace, Stat, Storage, StorageError};

impl Storage {
    /// [`Storage::children`] of each of `prefixes`, in the order of these. Where there are more than `limit` names, it may be any `limit` of them.
    ///
    /// # Errors
    /// Each answer has its own.
    pub async fn children_of(&self, prefixes: &[Key], limit: usize) -> Vec<Result<Vec<Child>, StorageError>> {
        match &self.0 {
            Backend::Filesystem(store) => store.children_of(prefixes, limit).await,
            Backend::Memory(store) => {
                let few = |prefix| store.children(prefix).into_iter().take(limit).collect();
                prefixes.iter().map(|prefix| Ok(few(prefix))).collect()
            }
        }
    }

    /// [`Storage::stat`] of each of `keys`, in the order of these.
    ///
    /// # Errors
    /// Each answer has its own.
    pub async fn stat_all(&self, keys: &[Key]) -> Vec<Result<Option<Stat>, StorageError>> {
        match &self.0 {
            Backend::Filesystem(store) => store.stat_all(keys).await,
            Backend::Memory(store) => keys.iter().map(|key| Ok(store.stat(key))).collect(),
        }
    }

    /// [`Storage::read`] of each of `keys`, in the order of these.
    ///
    /// # Errors
    /// Each answer has its own.
    pub async fn read_all(&self, keys: &[Key], limit: u64) -> Vec<Result<Option<Bytes>, StorageError>> {
        match &self.0 {
            Backend::Filesystem(store) => store.read_all(keys, limit).await,
            Backend::Memory(store) => keys.iter().map(|key| store.read(key, limit)).collect(),
        }
    }

    /// [`Storage::delete_tree`] of each of `prefixes`, in the order of these. It takes about as long as one: they are made durable together.
    ///
    /// # Errors
    /// What the removal met; some of them may be gone then.
    pub async fn delete_trees(&self, prefixes: &[Key], pace: Pace) -> Result<Vec<bool>, StorageError> {
        match &self.0 {
            Backend::Filesystem(store) => store.delete_trees(prefixes, pace).await,
            Backend::Memory(store) => Ok(prefixes.iter().map(|prefix| store.delete_tree(prefix)).collect()),
        }
    }

    /// What the threads for such calls are taken from, where there are any: a test that has them all holds up these calls and no others.
    #[cfg(test)]
    pub(crate) fn batch_threads(&self) -> Option<&tokio::sync::Semaphore> {
        match &self.0 {
            Backend::Filesystem(store) => Some(store.batch_threads()),
            Backend::Memory(_) => None,
        }
    }
}

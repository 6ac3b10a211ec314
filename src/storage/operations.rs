//! The operations on a store. This is the one place that chooses the back end and reports to the observer.

use bytes::Bytes;
use futures_util::FutureExt as _;

use super::{
    Action, Backend, Child, Condition, FreeSpace, Key, Object, Pace, Staging, Stat, Step, Storage, StorageError,
    Upload, Verified, dispatch,
};
use crate::oci::Algorithm;

impl Storage {
    /// Whether this store is read-only because it could not be written when it was opened.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match &self.backend {
            Backend::Filesystem(store) => store.is_read_only(),
            Backend::Memory(_) => false,
            Backend::S3(store) => store.is_read_only(),
        }
    }

    /// Empties the caches. Later reads see the store as it is now, even if somebody else changed its files.
    pub fn clear_cache(&self) {
        if let Backend::Filesystem(store) = &self.backend {
            store.clear_cache();
        }
    }

    /// Tests whether the store takes writes now, by writing and deleting a small object.
    ///
    /// # Errors
    /// The error of the write.
    pub async fn probe(&self) -> Result<(), StorageError> {
        dispatch!(self, store => store.probe().await)
    }

    /// How many bytes are free; `None` where that has no meaning.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn free_space(&self) -> Result<Option<FreeSpace>, StorageError> {
        dispatch!(self, store => store.free_space().await)
    }

    /// Identifies this run of the system: writes of another run that were not synced may be lost. A store in memory
    /// lives in one run.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        match &self.backend {
            Backend::Filesystem(store) => store.boot_id(),
            Backend::Memory(_) => "memory",
            Backend::S3(_) => "s3",
        }
    }

    /// The metadata of the object at `key`; `None` if there is none. It is durable: if the sync of the object's name is
    /// still running, the call waits; if that sync failed, there is no object.
    ///
    /// # Errors
    /// The lookup failed.
    pub async fn stat(&self, key: &Key) -> Result<Option<Stat>, StorageError> {
        self.observed(Action::Stat, async { dispatch!(self, store => store.stat(key).await) }).await
    }

    /// Sets the time of an object to now, if the back end can; returns whether there is such an object. The change is
    /// not synced: a power cut may bring the old time back.
    ///
    /// # Errors
    /// The change failed.
    pub async fn touch(&self, key: &Key) -> Result<bool, StorageError> {
        self.observed(Action::Stat, async { dispatch!(self, store => store.touch(key).await) }).await
    }

    /// The whole of a small object; `None` if there is none.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] if it has more than `limit` bytes.
    pub async fn read(&self, key: &Key, limit: u64) -> Result<Option<Bytes>, StorageError> {
        self.observed(Action::GetContent, async { dispatch!(self, store => store.read(key, limit).await) }).await
    }

    /// Opens an object. Later writes and deletes do not change the bytes that it reads.
    ///
    /// # Errors
    /// The object cannot be opened.
    pub async fn open(&self, key: &Key) -> Result<Option<Object>, StorageError> {
        self.observed(Action::Reader, async { dispatch!(self, store => store.open_object(key).await) }).await
    }

    /// Stores a small object, wholly or not at all, durably.
    ///
    /// # Errors
    /// [`StorageError::Exists`] or [`StorageError::Changed`] if `condition` does not hold; `Exists` also if the key is
    /// a prefix, or below an object.
    pub async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<(), StorageError> {
        let put = async { dispatch!(self, store => store.put(key, bytes, condition).await) };
        self.observed(Action::PutContent, put).await
    }

    /// Stores several small objects as one tree under `prefix`, which must be free or empty. Their keys begin with
    /// `prefix`; the key that sorts first reveals the tree.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if there is an object at `prefix` or under it.
    pub async fn put_tree(&self, prefix: &Key, objects: Vec<(Key, Bytes)>) -> Result<(), StorageError> {
        let put = async { dispatch!(self, store => store.put_tree(prefix, objects).await) };
        self.observed(Action::PutContent, put).await
    }

    /// Deletes an object, durably; returns whether there was one.
    ///
    /// # Errors
    /// The removal failed.
    pub async fn delete(&self, key: &Key) -> Result<bool, StorageError> {
        let deleted = self.delete_all(std::slice::from_ref(key)).await?;
        Ok(deleted.contains(&true))
    }

    /// Deletes everything under `prefix`, durably; returns whether there was anything. The key that sorts first goes
    /// first and hides the tree.
    ///
    /// # Errors
    /// The removal failed.
    pub async fn delete_tree(&self, prefix: &Key) -> Result<bool, StorageError> {
        let deleted = self.delete_trees(std::slice::from_ref(prefix), Pace::Full).await?;
        Ok(deleted.contains(&true))
    }

    /// Makes the prefixes visible in this order, although nothing is under them yet, durably. A back end without
    /// directories does nothing.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if an object is in the way.
    pub async fn make_prefixes(&self, prefixes: &[Key]) -> Result<(), StorageError> {
        let make = async { dispatch!(self, store => store.make_prefixes(prefixes).await) };
        self.observed(Action::PutContent, make).await
    }

    /// Removes the prefixes in this order, and stops at the first that is not empty; returns whether all are gone.
    ///
    /// # Errors
    /// The removal failed. A prefix that is not empty is no error.
    pub async fn remove_empty_prefixes(&self, prefixes: &[Key]) -> Result<bool, StorageError> {
        let remove = async { dispatch!(self, store => store.remove_empty_prefixes(prefixes).await) };
        self.observed(Action::Delete, remove).await
    }

    /// The names directly under `prefix`, in byte order; none if there is no such prefix.
    ///
    /// # Errors
    /// The listing failed.
    pub async fn children(&self, prefix: &Key) -> Result<Vec<Child>, StorageError> {
        self.observed(Action::List, async { dispatch!(self, store => store.children(prefix).await) }).await
    }

    /// The first `limit` of the [children](Storage::children) whose names sort after `after`.
    ///
    /// # Errors
    /// The listing failed.
    pub async fn children_after(&self, prefix: &Key, after: &str, limit: usize) -> Result<Vec<Child>, StorageError> {
        let children = self.children(prefix).await?;
        Ok(children.into_iter().filter(|child| child.name.as_str() > after).take(limit).collect())
    }

    /// Moves a damaged object to another key.
    ///
    /// # Errors
    /// The move failed.
    pub async fn rename(&self, from: &Key, to: &Key) -> Result<(), StorageError> {
        self.observed(Action::Move, async { dispatch!(self, store => store.rename(from, to).await) }).await
    }

    /// Begins a staged object at `key`, which must be free. It is hashed with `algorithm` while it is written.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if there is an object or a staged object at `key`.
    pub async fn stage(&self, key: &Key, algorithm: Algorithm) -> Result<Staging, StorageError> {
        let staged = self.stage_among(key, algorithm, usize::MAX).await?;
        staged.ok_or(StorageError::Exists)
    }

    /// As [`Storage::stage`], but returns `None` if the prefix of `key` has `limit` objects already.
    ///
    /// # Errors
    /// As [`Storage::stage`].
    pub async fn stage_among(
        &self,
        key: &Key,
        algorithm: Algorithm,
        limit: usize,
    ) -> Result<Option<Staging>, StorageError> {
        let stage = async {
            match &self.backend {
                Backend::Filesystem(store) => {
                    Ok(store.stage_among(key, algorithm, limit).await?.map(Upload::Filesystem))
                }
                Backend::Memory(store) => Ok(store.stage_among(key, algorithm, limit)?.map(Upload::Memory)),
                Backend::S3(store) => {
                    Ok(store.stage_among(key, algorithm, limit).boxed().await?.map(Box::new).map(Upload::S3))
                }
            }
        };
        Ok(self.observed(Action::Writer, stage).await?.map(Staging))
    }

    /// Resumes the staged object at `key`, also after a restart; `None` if there is none. Its offset is its durable
    /// length. If its last holder is gone but a thread still writes what the holder handed over, the call waits.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if somebody holds it.
    pub async fn resume(&self, key: &Key) -> Result<Option<Staging>, StorageError> {
        let resume = async {
            match &self.backend {
                Backend::Filesystem(store) => Ok(store.resume(key).await?.map(Upload::Filesystem)),
                Backend::Memory(store) => Ok(store.resume(key)?.map(Upload::Memory)),
                Backend::S3(store) => Ok(store.resume(key).boxed().await?.map(Box::new).map(Upload::S3)),
            }
        };
        Ok(self.observed(Action::Writer, resume).await?.map(Staging))
    }

    /// Deletes a staged object that has expired; returns whether it did. A staged object that somebody holds stays.
    ///
    /// # Errors
    /// The removal failed.
    pub async fn discard_staging(&self, key: &Key) -> Result<bool, StorageError> {
        self.observed(Action::Delete, async { dispatch!(self, store => store.discard_staging(key).await) }).await
    }

    /// Stores verified content at `key`, durably. An object at the key is replaced.
    ///
    /// # Errors
    /// The commit failed; the content is gone then.
    pub async fn promote(&self, content: Verified, key: &Key) -> Result<(), StorageError> {
        self.commit(vec![Step::Promote(content, key.clone())]).await
    }

    /// Does several writes in this order: each is durable before the next becomes visible. The result is that of
    /// separate calls, in less time.
    ///
    /// # Errors
    /// The error of the first step that failed. The steps before it stay, those after it are not done, and content that
    /// was not promoted is gone.
    pub async fn commit(&self, steps: Vec<Step>) -> Result<(), StorageError> {
        let moves = steps.iter().any(|step| matches!(step, Step::Promote(..)));
        let action = if moves { Action::Move } else { Action::PutContent };
        self.observed(action, async { dispatch!(self, store => store.commit(steps).await) }).await
    }
}

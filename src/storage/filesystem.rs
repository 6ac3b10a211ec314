//! The filesystem back end: the files of a store, and the order of writes and syncs that makes them durable.
//!
//! Each operation runs on a blocking thread to its end, even if its caller goes away. Reads from memory are the
//! exception: the page cache is read on the caller's thread (`nonblocking`), and so is the cache of small objects that
//! were just read (`read_cache`).

mod batch;
mod batch_threads;
mod changes;
mod check;
mod commit;
mod content;
mod directories;
mod durable_rename;
mod early_sync;
mod group_sync;
mod hash_state;
mod job;
mod leases;
mod leftovers;
mod lock;
mod lookup;
mod nonblocking;
mod nonblocking_support;
mod open;
mod own_location;
mod owner;
mod pending_names;
mod read_cache;
mod recovery;
mod remove;
mod rename_targets;
mod subtree;
mod sync;
#[cfg(test)]
mod sync_faults;
mod temporary;
#[cfg(test)]
mod tests;
mod upload;
mod volume;
mod write_check;
mod write_failure;
mod write_queue;

use std::{io, path::Path, slice, sync::Arc};

use bytes::Bytes;

use super::{
    Child, Condition, Durability, FOREIGN, FreeSpace, Key, Object, Observer, Pace, Result, Stat, StorageError,
};
use crate::oci::Algorithm;

#[cfg(any(test, fuzzing))]
pub(crate) use hash_state::fuzz as fuzz_hash_state;
pub(super) use upload::Upload;
use {commit::Step, recovery::WriteGate, temporary::Temporary, volume::Volume};

/// A store in a directory.
#[derive(Clone, Debug)]
pub(super) struct Filesystem {
    volume: Arc<Volume>,
    gate: WriteGate,
}

impl Filesystem {
    /// See [`check::check`].
    pub(super) fn check(root: &Path) -> Result<()> {
        check::check(root)
    }

    pub(super) async fn open(root: &Path, durability: Durability) -> Result<Self> {
        let root = root.to_owned();
        let volume = Arc::new(blocking(move || open::open(&root, durability)).await?);
        let gate = WriteGate::begin(&volume);
        Ok(Self { volume, gate })
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.volume.read_only
    }

    /// Reports each sync to `observer`, unless there is an observer already.
    pub(super) fn observe_syncs(&self, observer: Arc<dyn Observer>) {
        let _ = self.volume.syncs.observer.set(observer);
    }

    pub(super) fn clear_cache(&self) {
        self.volume.read_cache.clear();
    }

    pub(super) async fn probe(&self) -> Result<()> {
        self.write_with(|volume| volume.try_commit()).await
    }

    pub(super) async fn free_space(&self) -> Result<Option<FreeSpace>> {
        self.read_with(|volume| volume.free_space().map(Some)).await
    }

    pub(super) async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        if let Ok(stat) = self.volume.stat_nonblocking(key) {
            return Ok(stat);
        }
        let key = key.clone();
        self.read_with(move |volume| volume.stat(&key)).await
    }

    pub(super) async fn touch(&self, key: &Key) -> Result<bool> {
        let key = key.clone();
        self.write_with(move |volume| volume.touch(&key)).await
    }

    pub(super) fn boot_id(&self) -> &str {
        &self.volume.boot_id
    }

    pub(super) async fn read(&self, key: &Key, limit: u64) -> Result<Option<Bytes>> {
        if let Some(bytes) = self.volume.read_cache.get(self.volume.directories.changes(), key) {
            return if bytes.len() as u64 > limit { Err(StorageError::TooLarge) } else { Ok(Some(bytes)) };
        }
        let directory = self.volume.version(key);
        let read = if let Ok(read) = self.volume.read_nonblocking(key, limit) {
            read?
        } else {
            let key = key.clone();
            self.read_with(move |volume| volume.read(&key, limit)).await?
        };
        if let (Some(directory), Some(bytes)) = (directory, &read) {
            self.volume.read_cache.keep(directory, key, bytes);
        }
        Ok(read)
    }

    pub(super) async fn open_object(&self, key: &Key) -> Result<Option<Object>> {
        if let Ok(object) = self.volume.open_nonblocking(key) {
            return Ok(object);
        }
        let key = key.clone();
        self.read_with(move |volume| volume.open(&key)).await
    }

    pub(super) async fn children(&self, prefix: &Key) -> Result<Vec<Child>> {
        let prefix = prefix.clone();
        self.read_with(move |volume| volume.children(&prefix)).await
    }

    pub(super) async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<()> {
        let key = key.clone();
        self.write_with(move |volume| {
            let file = Temporary::file(volume, &bytes)?;
            file.rename_durably(volume, &volume.path(&key), condition)
        })
        .await
    }

    pub(super) async fn put_tree(&self, prefix: &Key, objects: Vec<(Key, Bytes)>) -> Result<()> {
        let prefix = prefix.clone();
        self.write_with(move |volume| volume.put_tree(&prefix, &objects)).await
    }

    pub(super) async fn delete_all(&self, keys: &[Key]) -> Result<Vec<bool>> {
        let keys = keys.to_owned();
        self.write_with(move |volume| volume.delete_all(&keys)).await
    }

    pub(super) async fn delete_trees(&self, prefixes: &[Key], pace: Pace) -> Result<Vec<bool>> {
        let prefixes = prefixes.to_owned();
        self.write_with(move |volume| volume.delete_trees(&prefixes, pace)).await
    }

    pub(super) async fn make_prefixes(&self, prefixes: &[Key]) -> Result<()> {
        let prefixes = prefixes.to_owned();
        self.write_with(move |volume| volume.make_prefixes(&prefixes)).await
    }

    pub(super) async fn remove_empty_prefixes(&self, prefixes: &[Key]) -> Result<bool> {
        let prefixes = prefixes.to_owned();
        self.write_with(move |volume| volume.remove_empty_prefixes(&prefixes)).await
    }

    pub(super) async fn rename(&self, from: &Key, to: &Key) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        self.write_with(move |volume| volume.rename(&from, &to)).await
    }

    pub(super) async fn commit(&self, steps: Vec<super::Step>) -> Result<()> {
        // The uploads are dropped at the end, so that nobody can resume them before.
        let (mut uploads, mut taken) = (Vec::new(), Vec::with_capacity(steps.len()));
        for step in steps {
            taken.push(match step {
                super::Step::Promote(content, key) => {
                    let super::Upload::Filesystem(upload) = content.into_upload() else { unreachable!("{FOREIGN}") };
                    let guard = upload.lock().await?;
                    uploads.push(upload);
                    Step::Promote(guard, key)
                }
                super::Step::MakePrefixes(prefixes) => Step::MakePrefixes(prefixes),
                super::Step::Put(key, bytes) => Step::Put(key, bytes),
                super::Step::Record(key, bytes) => Step::Record(key, bytes),
                super::Step::PutTree(prefix, objects) => Step::PutTree(prefix, objects),
            });
        }
        self.write_with(move |volume| volume.commit(taken)).await
    }

    pub(super) async fn stage_among(&self, key: &Key, algorithm: Algorithm, limit: usize) -> Result<Option<Upload>> {
        let lease = self.volume.leases.take(key).await.map_err(|_| StorageError::Exists)?;
        self.write_with(move |volume| {
            let prefix = lease.key().parent().filter(|_| limit < usize::MAX);
            let others = prefix.map_or(Ok(0), |prefix| volume.count(&prefix))?;
            (others < limit).then(|| Upload::create(volume, lease, algorithm)).transpose()
        })
        .await
    }

    pub(super) async fn resume(&self, key: &Key) -> Result<Option<Upload>> {
        let lease = self.volume.leases.take(key).await?;
        self.write_with(move |volume| Upload::reopen(volume, lease)).await
    }

    pub(super) async fn discard_staging(&self, key: &Key) -> Result<bool> {
        let Ok(lease) = self.volume.leases.take(key).await else { return Ok(false) };
        self.write_with(move |volume| {
            let removed = volume.delete_all(slice::from_ref(lease.key()))?.contains(&true);
            volume.forget_hash(lease.key());
            Ok(removed)
        })
        .await
    }

    /// Runs an operation that only reads.
    async fn read_with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Volume>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let volume = self.volume.clone();
        blocking(move || work(&volume)).await
    }

    /// Runs an operation that writes, as soon as writes may be answered.
    async fn write_with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Volume>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.volume.read_only {
            return Err(StorageError::ReadOnly);
        }
        self.gate.wait(&self.volume.root).await?;
        self.read_with(work).await
    }
}

/// Runs `work` on a blocking thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StorageError::io("run", Path::new("a blocking thread"), io::Error::other(error))))
}

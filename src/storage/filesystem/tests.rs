//! What only a filesystem has to do.
#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

mod batch;
mod durability;
mod failures;
mod nonblocking;
mod opening;
mod races;
mod read_cache;
mod uploads;

use std::path::Path;

use bytes::Bytes;
use futures_util::stream;

use super::{
    super::Durability, Condition, Filesystem, Key, Pace, StorageError, Upload, blocking, commit::Step, volume::Volume,
};

impl Filesystem {
    async fn stage(&self, key: &Key, algorithm: Algorithm) -> Result<Upload, StorageError> {
        self.stage_among(key, algorithm, usize::MAX).await.map(Option::unwrap)
    }
}

use crate::oci::Algorithm;

struct Disk {
    directory: tempfile::TempDir,
    store: Filesystem,
}

impl Disk {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        Self { directory, store }
    }

    fn path(&self, at: &str) -> std::path::PathBuf {
        self.directory.path().join(at)
    }

    fn volume(&self) -> &Volume {
        &self.store.volume
    }

    async fn put(&self, at: &str, bytes: &'static str) -> Result<(), StorageError> {
        self.store.put(&key(at), Bytes::from(bytes), Condition::Any).await
    }

    async fn read(&self, at: &str) -> Option<String> {
        let bytes = self.store.read(&key(at), 1 << 20).await.unwrap()?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn delete_tree(&self, at: &str) -> Result<bool, StorageError> {
        Ok(self.store.delete_trees(&[key(at)], Pace::Full).await? == [true])
    }

    async fn names(&self, at: &str) -> Vec<String> {
        self.store.children(&key(at)).await.unwrap().into_iter().map(|child| child.name).collect()
    }

    /// What was synced since the last time, with paths from the root on; temporary names are `wharf/tmp/…`.
    fn synced(&self) -> Vec<String> {
        let seen = self.volume().syncs.faults.take();
        let root = self.directory.path().canonicalize().unwrap();
        let shown = seen.into_iter().map(|(operation, path)| {
            let path = path.strip_prefix(&root).unwrap().display().to_string();
            let path = if path.starts_with("wharf/tmp/") { "wharf/tmp/…".to_owned() } else { path };
            format!("{operation} {path}")
        });
        shown.collect()
    }

    /// As [`Disk::synced`], with those between `first` and the last `last` in the order of their names: they may go on
    /// at the same time.
    fn synced_between(&self, first: usize, last: usize) -> Vec<String> {
        let mut synced = self.synced();
        let end = synced.len() - last;
        synced[first..end].sort_unstable();
        synced
    }

    /// Ends this store and opens it again, as a restart does.
    async fn restart(self) -> Self {
        let Self { directory, store } = self;
        drop(store);
        let store = open(directory.path()).await;
        Self { directory, store }
    }

    /// The files that no object has.
    fn temporary_files(&self) -> usize {
        std::fs::read_dir(self.path("wharf/tmp")).unwrap().count()
    }
}

/// Opens the store at `root` as soon as what the last one left on blocking threads has ended; it is ready for writes
/// then.
async fn open(root: &Path) -> Filesystem {
    loop {
        match Filesystem::open(root, Durability::Full).await {
            Ok(store) => {
                store.gate.wait(root).await.unwrap();
                store.volume.syncs.faults.take();
                return store;
            }
            Err(StorageError::Open(text)) if text.contains("in use") => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Commits an upload and nothing else.
async fn promote(store: &Filesystem, upload: Upload, at: &str) -> Result<(), StorageError> {
    let (volume, step) = (store.volume.clone(), Step::Promote(upload.lock().await?, key(at)));
    blocking(move || volume.commit(vec![step])).await
}

fn key(text: &str) -> Key {
    let mut components = text.split('/');
    let first = Key::new(components.next().unwrap());
    components.fold(first, |key, component| key.join(component))
}

fn body(bytes: &'static str) -> impl futures_util::Stream<Item = Result<Bytes, ()>> + Unpin {
    stream::iter([Ok(Bytes::from(bytes))])
}

#[expect(clippy::needless_pass_by_value, reason = "the result of a call, asked at once")]
fn is_io<T>(result: Result<T, StorageError>) -> bool {
    matches!(result, Err(StorageError::Io { .. }))
}

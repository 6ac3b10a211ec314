//! Many lookups in few calls on blocking threads, and on few threads at a time, since the requests that are served
//! meanwhile need the same disk and the same cores.

#[cfg(test)]
use std::sync::atomic::Ordering::SeqCst;
use std::{io, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::task::spawn_blocking;

use super::{
    super::{Child, Key, Result, Stat, StorageError},
    Filesystem,
    volume::Volume,
};

/// The number of lookups in one call on a blocking thread.
pub(super) const BATCH_LEN: usize = 64;

impl Filesystem {
    pub(in super::super) async fn children_of(&self, prefixes: &[Key], limit: usize) -> Vec<Result<Vec<Child>>> {
        self.run_batches(prefixes, move |volume, prefix| volume.some_children(prefix, limit)).await
    }

    pub(in super::super) async fn stat_all(&self, keys: &[Key]) -> Vec<Result<Option<Stat>>> {
        self.run_batches(keys, Volume::stat).await
    }

    pub(in super::super) async fn read_all(&self, keys: &[Key], limit: u64) -> Vec<Result<Option<Bytes>>> {
        self.run_batches(keys, move |volume, key| volume.read(key, limit)).await
    }

    #[cfg(test)]
    pub(in super::super) fn batch_threads(&self) -> &tokio::sync::Semaphore {
        &self.volume.threads.free
    }

    async fn run_batches<T: Send + 'static>(
        &self,
        keys: &[Key],
        look: impl Fn(&Volume, &Key) -> Result<T> + Copy + Send + 'static,
    ) -> Vec<Result<T>> {
        let some = keys.chunks(BATCH_LEN).map(|keys| run_batch(Arc::clone(&self.volume), keys.into(), look));
        let some: Vec<_> = some.collect();
        stream::iter(some).buffered(self.volume.threads.count).collect::<Vec<_>>().await.into_iter().flatten().collect()
    }
}

async fn run_batch<T: Send + 'static>(
    volume: Arc<Volume>,
    keys: Arc<[Key]>,
    look: impl Fn(&Volume, &Key) -> Result<T> + Send + 'static,
) -> Vec<Result<T>> {
    // A single lookup waits for no permit. The semaphore is never closed, so a permit always comes.
    let _turn = if keys.len() > 1 { Some(volume.threads.free.acquire().await) } else { None };
    #[cfg(test)]
    volume.threads.hops.fetch_add(1, SeqCst);
    let (on, looked_at) = (Arc::clone(&volume), Arc::clone(&keys));
    let looked = spawn_blocking(move || looked_at.iter().map(|key| look(&on, key)).collect());
    looked.await.unwrap_or_else(|error| {
        let why = error.to_string();
        let failed = |key: &Key| StorageError::io("look at", Path::new(key.as_str()), io::Error::other(why.clone()));
        keys.iter().map(|key| Err(failed(key))).collect()
    })
}

//! The back end of a bucket in an object store that speaks S3.
//!
//! Each object is an object of the bucket, under the same key as on a filesystem. There are no directories: a prefix is
//! there while something is under it, and nothing keeps an object from lying under the key of another. `registry`
//! never makes such keys.
//!
//! A staged object is an object with its state, and for more than one part a multipart upload. So any process can go on
//! with it. If two do at the same time, only one of them can sync. A multipart upload that a process began after its
//! last sync stays if that process ends, until the bucket's rule for unfinished uploads removes it.
//!
//! Several processes serve one bucket at the same time. The conditional writes of the store decide their races.

mod credentials;
mod entries;
pub(super) mod lease;
mod listing;
mod multipart;
mod objects;
mod opening;
mod reading;
mod request;
mod session;
mod settings;
mod signature;
#[cfg(test)]
pub(super) mod tests;
mod upload;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use uuid::Uuid;

use super::{
    Child, Condition, FOREIGN, FreeSpace, Key, OWN_PREFIX, Object, Pace, Result, Stat, Step, StorageError, Verified,
    Version,
};
use crate::oci::Algorithm;

use self::{
    reading::Opened,
    request::{Bucket, failure},
    upload::{Held, Hold},
};

pub(super) use self::{reading::RemoteObject, upload::Upload};

pub use self::settings::{Credentials, S3Settings};

/// How many requests of one call are under way at a time.
const AT_ONCE: usize = 16;

/// The use of a bucket that a process makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketAccess {
    /// It serves the bucket, as others may.
    Serve,
    /// It changes the bucket, and nobody else may meanwhile.
    Alone,
    /// It only reads.
    Read,
    /// It only tries whether the bucket can be served.
    Try,
}

/// A bucket.
#[derive(Clone, Debug)]
pub(super) struct S3 {
    bucket: Arc<Bucket>,
    held: Held,
}

impl S3 {
    /// A bucket of which nothing is asked yet.
    ///
    /// # Errors
    /// [`StorageError::Open`].
    pub(super) fn new(settings: S3Settings) -> Result<Self> {
        let credentials = settings.credentials.clone().map_or_else(credentials::find, Ok)?;
        Ok(Self { bucket: Arc::new(Bucket::new(settings, credentials)?), held: Held::default() })
    }

    /// Opens a bucket. One that can't be written, or whose conditional writes do not decide races, is served read-only.
    ///
    /// # Errors
    /// [`StorageError::Open`].
    pub(super) async fn open(settings: S3Settings, access: BucketAccess) -> Result<Self> {
        let store = Self::new(settings)?;
        let reason = opening::try_bucket(&store.bucket, access != BucketAccess::Read).await?;
        match (access, reason) {
            (BucketAccess::Read, _) => store.bucket.refuse_writes(),
            (BucketAccess::Try, None) => {}
            (BucketAccess::Serve, None) => store.bucket.serve().await?,
            (BucketAccess::Alone, None) => store.bucket.take_alone().await?,
            (BucketAccess::Serve, Some(reason)) => {
                tracing::error!(%reason, "{} is served read-only", store.bucket.settings());
                store.bucket.refuse_writes();
            }
            (BucketAccess::Try | BucketAccess::Alone, Some(reason)) => {
                return Err(StorageError::Open(format!("{} can only be read: {reason}", store.bucket.settings())));
            }
        }
        Ok(store)
    }

    /// The number of the lease that a change begins under.
    pub(super) fn term(&self) -> u64 {
        self.bucket.lease.term()
    }

    /// Whether no other process may change the bucket.
    pub(super) fn is_alone(&self) -> bool {
        self.bucket.lease.is_alone()
    }

    /// Ends what others know of this process.
    pub(super) async fn close(&self) -> Result<()> {
        self.bucket.release().await
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.bucket.is_read_only()
    }

    pub(super) async fn probe(&self) -> Result<()> {
        let key = probe_key();
        self.bucket.store(key.as_str(), Bytes::from_static(b"probe"), Condition::IfAbsent).await?;
        self.bucket.remove(key.as_str()).await
    }

    #[expect(clippy::unused_async, reason = "the operations have the signatures of the filesystem's")]
    pub(super) async fn free_space(&self) -> Result<Option<FreeSpace>> {
        Ok(None)
    }

    pub(super) async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.bucket.head(key.as_str()).await
    }

    pub(super) async fn stat_all(&self, keys: &[Key]) -> Vec<Result<Option<Stat>>> {
        all(keys.iter().map(|key| self.stat(key).boxed()).collect()).await
    }

    pub(super) async fn read(&self, key: &Key, limit: u64) -> Result<Option<Bytes>> {
        Ok(self.bucket.get(key.as_str(), limit).await?.map(|(bytes, _)| bytes))
    }

    /// As [`super::SharedStore::read_version`].
    pub(super) async fn read_version(&self, key: &Key, limit: u64) -> Result<Option<(Bytes, Version)>> {
        Ok(self.bucket.get(key.as_str(), limit).await?.map(|(bytes, stat)| (bytes, stat.version)))
    }

    /// As [`super::SharedStore::delete_version`].
    pub(super) async fn delete_version(&self, key: &Key, version: Version) -> Result<()> {
        self.bucket.remove_version(key.as_str(), version).await
    }

    /// As [`super::SharedStore::paths_after`].
    pub(super) async fn paths_after(&self, prefix: &Key, after: &str, limit: usize) -> Result<Vec<String>> {
        self.bucket.paths_after(prefix, after, limit).await
    }

    pub(super) async fn read_all(&self, keys: &[Key], limit: u64) -> Vec<Result<Option<Bytes>>> {
        all(keys.iter().map(|key| self.read(key, limit).boxed()).collect()).await
    }

    pub(super) async fn open_object(&self, key: &Key) -> Result<Option<Object>> {
        Ok(reading::open(&self.bucket, key.as_str()).await?.map(|opened| match opened {
            Opened::Read(bytes, stat) => Object::of_memory(bytes, stat),
            Opened::Remote(object) => Object::of_remote(object),
        }))
    }

    /// The time of an object of a bucket is that of its last write.
    pub(super) async fn touch(&self, key: &Key) -> Result<bool> {
        Ok(self.stat(key).await?.is_some())
    }

    pub(super) async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<()> {
        self.bucket.store(key.as_str(), bytes, condition).await.map(|_| ())
    }

    pub(super) async fn put_tree(&self, prefix: &Key, mut objects: Vec<(Key, Bytes)>) -> Result<()> {
        if self.bucket.has_children(prefix).await? {
            return Err(StorageError::Exists);
        }
        // Others list the tree as soon as they see its first key. Of two that put the same tree, one puts that.
        let first = objects.iter().enumerate().min_by_key(|(_, (key, _))| key.as_str()).map(|(at, _)| at);
        let first = first.map(|first| objects.swap_remove(first));
        for (key, bytes) in objects {
            self.put(&key, bytes, Condition::Any).await?;
        }
        match first {
            Some((key, bytes)) => self.put(&key, bytes, Condition::IfAbsent).await,
            None => Ok(()),
        }
    }

    pub(super) async fn delete_all(&self, keys: &[Key]) -> Result<Vec<bool>> {
        let mut deleted = Vec::new();
        for key in keys {
            // A delete does not say whether there was something.
            let is_there = self.stat(key).await?.is_some();
            if is_there {
                self.bucket.remove(key.as_str()).await?;
            }
            deleted.push(is_there);
        }
        Ok(deleted)
    }

    pub(super) async fn delete_trees(&self, prefixes: &[Key], _: Pace) -> Result<Vec<bool>> {
        let mut deleted = Vec::new();
        for prefix in prefixes {
            let keys = self.bucket.keys_under(prefix).await?;
            deleted.push(!keys.is_empty());
            let Some((first, others)) = keys.split_first() else { continue };
            self.bucket.remove(first).await?;
            for removed in all(others.iter().map(|key| self.bucket.remove(key).boxed()).collect()).await {
                removed?;
            }
        }
        Ok(deleted)
    }

    #[expect(clippy::unused_async, reason = "the operations have the signatures of the filesystem's")]
    pub(super) async fn make_prefixes(&self, _: &[Key]) -> Result<()> {
        Ok(())
    }

    pub(super) async fn remove_empty_prefixes(&self, prefixes: &[Key]) -> Result<bool> {
        for prefix in prefixes {
            if self.bucket.has_children(prefix).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn children(&self, prefix: &Key) -> Result<Vec<Child>> {
        self.bucket.children(prefix, usize::MAX).await
    }

    pub(super) async fn children_of(&self, prefixes: &[Key], limit: usize) -> Vec<Result<Vec<Child>>> {
        let some = |prefix| {
            let children = async move {
                let mut children = self.bucket.children(prefix, limit).await?;
                children.truncate(limit);
                Ok(children)
            };
            children.boxed()
        };
        all(prefixes.iter().map(some).collect()).await
    }

    pub(super) async fn rename(&self, from: &Key, to: &Key) -> Result<()> {
        let Some(stat) = self.stat(from).await? else {
            return Err(failure("rename", from.as_str(), "there is no such object"));
        };
        if from == to {
            return Ok(());
        }
        self.bucket.copy(from.as_str(), to.as_str(), stat.len).await?;
        self.bucket.remove(from.as_str()).await
    }

    pub(super) async fn stage_among(&self, key: &Key, algorithm: Algorithm, limit: usize) -> Result<Option<Upload>> {
        if limit < usize::MAX
            && let Some(prefix) = key.parent()
            && self.bucket.children(&prefix, limit).await?.len() >= limit
        {
            return Ok(None);
        }
        let hold = Hold::take(&self.held, key).ok_or(StorageError::Exists)?;
        Upload::create(&self.bucket, hold, algorithm).await.map(Some)
    }

    pub(super) async fn resume(&self, key: &Key) -> Result<Option<Upload>> {
        let hold = Hold::take(&self.held, key).ok_or(StorageError::Busy)?;
        Upload::reopen(&self.bucket, hold).await
    }

    pub(super) async fn discard_staging(&self, key: &Key) -> Result<bool> {
        match Hold::take(&self.held, key) {
            Some(hold) => upload::expire(&self.bucket, hold).await,
            None => Ok(false),
        }
    }

    pub(super) async fn commit(&self, steps: Vec<Step>) -> Result<()> {
        // Records are stored before the steps that they tell of.
        let (records, others): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| matches!(step, Step::Record(..)));
        let mut steps = records.into_iter().chain(others);
        let mut done = Ok(());
        while done.is_ok() {
            let Some(step) = steps.next() else { break };
            done = match step {
                Step::Promote(content, key) => upload_of(content).promote(&key).await,
                Step::MakePrefixes(_) => Ok(()),
                Step::Put(key, bytes) | Step::Record(key, bytes) => self.put(&key, bytes, Condition::Any).await,
                Step::PutTree(prefix, objects) => self.put_tree(&prefix, objects).await,
            };
        }
        for step in steps {
            if let Step::Promote(content, _) = step {
                upload_of(content).discard().await?;
            }
        }
        done
    }
}

/// A key that no other process writes to, for a try.
fn probe_key() -> Key {
    Key::new(OWN_PREFIX).then("probe").then(&Uuid::new_v4().to_string())
}

/// The results of requests, of which a few are under way at a time, in the same order.
async fn all<T: Send>(requests: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = requests.iter().map(|_| None).collect();
    let requests = requests.into_iter().zip(&mut results);
    run(requests.map(|(request, result)| async move { *result = Some(request.await) }.boxed()).collect()).await;
    results.into_iter().flatten().collect()
}

/// The part of [`all`] that is the same for all results.
fn run(requests: Vec<BoxFuture<'_, ()>>) -> BoxFuture<'_, ()> {
    stream::iter(requests).for_each_concurrent(AT_ONCE, |request| request).boxed()
}

fn upload_of(content: Verified) -> Upload {
    let super::Upload::S3(upload) = content.into_upload() else { unreachable!("{FOREIGN}") };
    *upload
}

//! Locks, and the tasks that finish what was begun.
//!
//! Two rules. Changes to the links of one repository exclude each other where one could undo what the other relies on.
//! A commit or a delete is a task of its own that runs to its end, also if its client goes away.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    runtime::Handle,
    sync::{OwnedMutexGuard, RwLock, Semaphore, SemaphorePermit, oneshot},
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

use super::{
    RegistryError,
    content::Pins,
    index::{Exclusive, RepositoryState, Shared},
};
use crate::{
    oci::{Digest, RepositoryName},
    storage::Storage,
};

/// How many locks, with what is known of their repositories, are kept in memory before the idle ones are dropped.
const KNOWN: usize = 1024;

/// The lock for reading a long list of one repository.
pub(super) type Listing = OwnedMutexGuard<()>;

/// The lock of the bytes of one digest: they are neither stored nor set aside meanwhile.
pub(super) type Content = OwnedMutexGuard<()>;

/// The locks of the repositories and of content, and the tasks that own a change.
#[derive(Debug)]
pub(super) struct Locks {
    repositories: LockTable<RepositoryName, RwLock<RepositoryState>>,
    listings: LockTable<RepositoryName, tokio::sync::Mutex<()>>,
    contents: LockTable<Digest, tokio::sync::Mutex<()>>,
    /// Content is rehashed for one request at a time: every client that may push can cause it.
    readings: Semaphore,
    pins: Arc<Pins>,
    storage: Storage,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Locks {
    /// The locks of a store. They keep content young for `grace`. Its tasks run on the runtime that this is called in, and so
    /// outlive a request's.
    pub(super) fn new(storage: Storage, grace: Duration) -> Self {
        Self {
            repositories: LockTable::default(),
            listings: LockTable::default(),
            contents: LockTable::default(),
            readings: Semaphore::new(1),
            pins: Pins::new(grace),
            storage,
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
        }
    }

    /// Locks a repository, shared with others that only add to it.
    pub(super) async fn shared(&self, name: &RepositoryName) -> Shared {
        self.repositories.of(name).read_owned().await
    }

    /// Locks a repository exclusively.
    pub(super) async fn exclusive(&self, name: &RepositoryName) -> Exclusive {
        self.repositories.of(name).write_owned().await
    }

    /// Locks the reading of a long list of a repository. A caller that has the repository's lock must not call this.
    pub(super) async fn listing(&self, name: &RepositoryName) -> Listing {
        self.listings.of(name).lock_owned().await
    }

    /// Locks the bytes of one digest.
    pub(super) async fn content(&self, digest: &Digest) -> Content {
        self.contents.of(digest).lock_owned().await
    }

    /// The content that a collection must not remove.
    pub(super) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    /// Waits for the permit to rehash content.
    pub(super) async fn reading(&self) -> Option<SemaphorePermit<'_>> {
        self.readings.acquire().await.ok()
    }

    /// Runs `work` to its end, even if the caller is dropped meanwhile.
    ///
    /// # Errors
    /// Those of `work`; [`RegistryError::Aborted`] if it panicked.
    pub(super) async fn own<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, RegistryError>> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let (done, result) = oneshot::channel();
        let task = self.spawn(Box::pin(async move { drop(done.send(work.await)) }));
        if let Err(error) = task.await {
            tracing::error!(%error, "a task died");
        }
        result.await.unwrap_or(Err(RegistryError::Aborted))
    }

    /// The part of [`Locks::own`] that is the same for all work, so that its code is there once.
    fn spawn(&self, work: BoxFuture<'static, ()>) -> JoinHandle<()> {
        self.tasks.spawn_on(self.storage.under_one_lease(work), &self.runtime)
    }

    /// Whether long work has to end.
    pub(super) fn is_finishing(&self) -> bool {
        self.tasks.is_closed()
    }

    /// Waits until every task has ended, also those that begin meanwhile.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The locks that were used lately, by key.
#[derive(Debug)]
struct LockTable<K, L>(Mutex<HashMap<K, Arc<L>>>);

impl<K, L> Default for LockTable<K, L> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, L: Default> LockTable<K, L> {
    fn of(&self, key: &K) -> Arc<L> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(key) {
            return Arc::clone(lock);
        }
        if locks.len() >= KNOWN {
            // A lock that only this table refers to is free, and stays so while the table is locked.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        Arc::clone(locks.entry(key.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_task_ends_though_its_caller_went_away() {
        let locks = Arc::new(Locks::new(Storage::memory(), Duration::ZERO));
        let (started, begun) = tokio::sync::oneshot::channel();
        let (go_on, gate) = tokio::sync::oneshot::channel::<()>();
        let (done, ended) = tokio::sync::oneshot::channel();
        let caller = {
            let locks = Arc::clone(&locks);
            tokio::spawn(async move {
                let work = async move {
                    started.send(()).unwrap();
                    gate.await.unwrap();
                    done.send(()).unwrap();
                    Ok(())
                };
                locks.own(work).await
            })
        };
        begun.await.unwrap();
        caller.abort();
        go_on.send(()).unwrap();
        ended.await.unwrap();
        tokio::time::timeout(Duration::from_secs(10), locks.finish()).await.unwrap();
    }

    #[tokio::test]
    async fn locks_of_idle_repositories_are_forgotten_and_held_ones_are_not() {
        let locks = Locks::new(Storage::memory(), Duration::ZERO);
        let held: RepositoryName = "held".parse().unwrap();
        let guard = locks.exclusive(&held).await;
        for n in 0..2 * KNOWN {
            drop(locks.shared(&format!("r{n}").parse().unwrap()).await);
        }
        assert!(locks.repositories.0.lock().unwrap().len() <= KNOWN + 1);
        let lock = locks.repositories.of(&held);
        assert!(lock.try_read().is_err());
        drop(guard);
        assert!(lock.try_read().is_ok());
    }
}

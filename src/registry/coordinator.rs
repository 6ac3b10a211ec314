//! Who may do what at the same time, and that what was begun is ended.
//!
//! Two rules: changes to the links of one repository exclude each other where one could undo what the other relies on, and a commit
//! or a delete is a task of its own that runs to its end whatever its client does.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, Semaphore, SemaphorePermit},
};
use tokio_util::task::TaskTracker;

use super::{RegistryError, content::Pins, index::RepositoryState};
use crate::oci::{Digest, RepositoryName};

/// How many things may keep a lock (and what is known of them) in memory before the idle ones are forgotten.
const KNOWN: usize = 1024;

/// Keeps a repository from losing content, or from going away, while something is added to it.
pub(super) type Shared = OwnedRwLockReadGuard<RepositoryState>;

/// Keeps everybody else from changing a repository's links.
pub(super) type Exclusive = OwnedRwLockWriteGuard<RepositoryState>;

/// The turn to read a long list of one repository.
pub(super) type Listing = OwnedMutexGuard<()>;

/// Keeps the bytes of one digest as they are: nobody stores them or sets them aside meanwhile.
pub(super) type Content = OwnedMutexGuard<()>;

/// The locks of the repositories and of content, and the tasks that own a change.
#[derive(Debug)]
pub(super) struct Coordinator {
    repositories: Locks<RepositoryName, RwLock<RepositoryState>>,
    listings: Locks<RepositoryName, tokio::sync::Mutex<()>>,
    contents: Locks<Digest, tokio::sync::Mutex<()>>,
    /// Content is read again for one request at a time: anybody who may push can cause it.
    readings: Semaphore,
    pins: Arc<Pins>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Coordinator {
    /// A coordinator that keeps content young for `grace`, and whose tasks run on the runtime that this is called in, so that they outlive the one of a request.
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            repositories: Locks::default(),
            listings: Locks::default(),
            contents: Locks::default(),
            readings: Semaphore::new(1),
            pins: Pins::new(grace),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
        }
    }

    /// Takes part in a repository with others that only add to it.
    pub(super) async fn shared(&self, name: &RepositoryName) -> Shared {
        self.repositories.of(name).read_owned().await
    }

    /// Takes a repository alone.
    pub(super) async fn exclusive(&self, name: &RepositoryName) -> Exclusive {
        self.repositories.of(name).write_owned().await
    }

    /// Waits for the turn to read a long list of a repository. Not for one who has the repository, shared or alone.
    pub(super) async fn listing(&self, name: &RepositoryName) -> Listing {
        self.listings.of(name).lock_owned().await
    }

    /// Takes the bytes of one digest alone.
    pub(super) async fn content(&self, digest: &Digest) -> Content {
        self.contents.of(digest).lock_owned().await
    }

    /// What a collection must leave alone.
    pub(super) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    /// Waits for the turn to read content again.
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
        let task = self.tasks.spawn_on(work, &self.runtime);
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a task died");
            Err(RegistryError::Aborted)
        })
    }

    /// Whether nothing that may take long shall go on.
    pub(super) fn is_finishing(&self) -> bool {
        self.tasks.is_closed()
    }

    /// Waits until every task has ended. Those that begin meanwhile are waited for, too.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A lock for each thing that one was needed for lately.
#[derive(Debug)]
struct Locks<K, L>(Mutex<HashMap<K, Arc<L>>>);

impl<K, L> Default for Locks<K, L> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, L: Default> Locks<K, L> {
    fn of(&self, key: &K) -> Arc<L> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(key) {
            return Arc::clone(lock);
        }
        if locks.len() >= KNOWN {
            // A lock that only this table holds is nobody's, and can't become anybody's while the table is locked.
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
        let coordinator = Arc::new(Coordinator::new(Duration::ZERO));
        let (started, begun) = tokio::sync::oneshot::channel();
        let (go_on, gate) = tokio::sync::oneshot::channel::<()>();
        let (done, ended) = tokio::sync::oneshot::channel();
        let caller = {
            let coordinator = Arc::clone(&coordinator);
            tokio::spawn(async move {
                let work = async move {
                    started.send(()).unwrap();
                    gate.await.unwrap();
                    done.send(()).unwrap();
                    Ok(())
                };
                coordinator.own(work).await
            })
        };
        begun.await.unwrap();
        caller.abort();
        go_on.send(()).unwrap();
        ended.await.unwrap();
        tokio::time::timeout(Duration::from_secs(10), coordinator.finish()).await.unwrap();
    }

    #[tokio::test]
    async fn locks_of_idle_repositories_are_forgotten_and_held_ones_are_not() {
        let coordinator = Coordinator::new(Duration::ZERO);
        let held: RepositoryName = "held".parse().unwrap();
        let guard = coordinator.exclusive(&held).await;
        for n in 0..2 * KNOWN {
            drop(coordinator.shared(&format!("r{n}").parse().unwrap()).await);
        }
        assert!(coordinator.repositories.0.lock().unwrap().len() <= KNOWN + 1);
        let lock = coordinator.repositories.of(&held);
        assert!(lock.try_read().is_err());
        drop(guard);
        assert!(lock.try_read().is_ok());
    }
}

//! Upload sessions that are open: at any moment each belongs to one request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::Instant,
};

use super::RegistryError;
use crate::storage::{Key, Staging, Storage};

/// How long a request waits for another that has the session. Clients that retry after a broken connection come while
/// their first request is still being ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many idle sessions stay open. The others are opened again when they are needed.
const DORMANT: usize = 128;

/// The sessions that were used lately.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    slots: Mutex<HashMap<Key, Arc<AsyncMutex<Slot>>>>,
    /// When this process last worked on each session that has not ended, by a clock that is never set.
    used: Mutex<HashMap<Key, Instant>>,
}

/// The content of a session, unless it has to be opened, or has ended.
type Slot = Option<Staging>;

/// The lock of one session, until it is dropped.
#[derive(Debug)]
pub(super) struct Session {
    slot: OwnedMutexGuard<Slot>,
    /// Whether the content is closed at the end of the request, because another process may go on with it.
    is_shared: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_shared {
            *self.slot = None;
        }
    }
}

impl Session {
    /// The received content; `None` once it was taken.
    pub(super) fn staging(&mut self) -> Option<&mut Staging> {
        self.slot.as_mut()
    }

    /// Takes the content out: the session has ended, and is still locked.
    pub(super) fn take(&mut self) -> Option<Staging> {
        self.slot.take()
    }

    /// Puts back content that was taken out: the session goes on.
    pub(super) fn put_back(&mut self, staging: Staging) {
        *self.slot = Some(staging);
    }

    /// Takes the content, and ends the session with it.
    pub(super) fn end(mut self) -> Option<Staging> {
        self.slot.take()
    }
}

impl Sessions {
    /// Notes a session that has just begun.
    pub(super) fn begin(&self, storage: &Storage, key: Key, staging: Staging) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= DORMANT {
            // A request that works on a session, or waits for it, holds its slot.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        self.used(&key);
        slots.insert(key, Arc::new(AsyncMutex::new(Some(staging).filter(|_| !storage.is_shared()))));
    }

    /// Locks a session, and opens it if an earlier process left it.
    ///
    /// # Errors
    /// [`RegistryError::UploadBusy`] if another request keeps it; [`RegistryError::UploadUnknown`] if there is none.
    pub(super) async fn lock(&self, storage: &Storage, key: &Key) -> Result<Session, RegistryError> {
        self.used(key);
        let locked = Arc::clone(&self.slot(key)).lock_owned();
        let mut slot = tokio::time::timeout(PATIENCE, locked).await.map_err(|_| RegistryError::UploadBusy)?;
        if slot.is_none() {
            *slot = storage.resume(key).await?;
        }
        if slot.is_none() {
            drop(slot);
            self.forget(key);
            return Err(RegistryError::UploadUnknown);
        }
        Ok(Session { slot, is_shared: storage.is_shared() })
    }

    /// Closes an idle session; `false` if a request works on it.
    pub(super) fn forget(&self, key: &Key) -> bool {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.get(key).is_some_and(|slot| Arc::strong_count(slot) > 1) {
            return false;
        }
        slots.remove(key);
        self.used.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        true
    }

    /// Whether this process has worked on a session within the last `age`. The date of its content does not matter.
    pub(super) fn is_in_use(&self, key: &Key, age: Duration) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.get(key).is_some_and(|used| used.elapsed() <= age)
    }

    /// How many sessions this process has worked on that have not ended.
    pub(super) fn count(&self) -> usize {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn used(&self, key: &Key) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Instant::now());
    }

    fn slot(&self, key: &Key) -> Arc<AsyncMutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

//! Leases of staged objects: each has one holder at most.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::super::{Key, StorageError};

/// The keys of the staged objects that somebody holds, or whose writer still finishes the batches of a former holder.
#[derive(Debug, Default)]
pub(super) struct Leases {
    keys: Mutex<HashMap<Key, Holder>>,
    freed: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// May write as long as its client sends.
    Present,
    /// Gone: its writer only finishes the last batches.
    Gone,
}

/// The right to write to a staged object. The last thread that can write to it drops it.
#[derive(Debug)]
pub(super) struct Lease {
    leases: Arc<Leases>,
    key: Key,
}

impl Leases {
    /// Leases `key`. If its holder is gone, waits for the writer.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if there is a holder.
    pub(super) async fn take(self: &Arc<Self>, key: &Key) -> Result<Lease, StorageError> {
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            let holder = self.keys().get(key).copied();
            match holder {
                Some(Holder::Gone) => freed.await,
                Some(Holder::Present) | None => return self.try_take(key),
            }
        }
    }

    fn try_take(self: &Arc<Self>, key: &Key) -> Result<Lease, StorageError> {
        let mut keys = self.keys();
        if keys.contains_key(key) {
            return Err(StorageError::Busy);
        }
        keys.insert(key.clone(), Holder::Present);
        Ok(Lease { leases: self.clone(), key: key.clone() })
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<Key, Holder>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The staged object's key.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// The holder is gone: no new batch will come.
    pub(super) fn holder_is_gone(&self) {
        self.leases.keys().insert(self.key.clone(), Holder::Gone);
        self.leases.freed.notify_waiters();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.keys().remove(&self.key);
        self.leases.freed.notify_waiters();
    }
}

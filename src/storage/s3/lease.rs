//! The right of this process to change a bucket, as its requests need it: see [`entries`](super::entries).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::super::{Key, Result, StorageError, stat::ETag};

tokio::task_local! {
    /// The number of the lease under which the change of this task began.
    pub(in crate::storage) static TERM: u64;
}

/// The lease of this process.
#[derive(Debug, Default)]
pub(super) struct Lease(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// How many leases there were.
    terms: u64,
    /// The date of the last request of which it is not known whether it was carried out.
    pub(super) doubt: Option<SystemTime>,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Phase {
    /// No lease is needed: nothing that others rely on is changed.
    #[default]
    Unneeded,
    /// There is none at this moment, and nothing may be changed.
    Waiting,
    Held(Entry),
    /// There is none any more.
    Over,
}

/// The own entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// The store's date of its last write.
    pub(super) date: SystemTime,
    /// Its version, if nobody else may write it.
    pub(super) version: Option<ETag>,
}

impl Lease {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn entry(&self) -> Option<Entry> {
        if let Phase::Held(entry) = &self.state().phase { Some(entry.clone()) } else { None }
    }

    pub(super) fn begin(&self, entry: Entry) {
        let mut state = self.state();
        state.terms += 1;
        state.phase = Phase::Held(entry);
    }

    pub(super) fn set(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// The number of the lease that a change begins under; 0: there is none.
    pub(super) fn term(&self) -> u64 {
        let state = self.state();
        if let Phase::Held(_) = state.phase { state.terms } else { 0 }
    }

    /// Whether no other process may change the bucket.
    pub(super) fn is_alone(&self) -> bool {
        self.entry().is_some_and(|entry| entry.version.is_some())
    }

    /// The date of a request that changes something; `None` if it may have any.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`] without a lease, or if the change began under another one.
    pub(super) fn date(&self) -> Result<Option<SystemTime>> {
        let state = self.state();
        match &state.phase {
            Phase::Unneeded => Ok(None),
            Phase::Held(entry) if TERM.try_with(|term| *term == state.terms).unwrap_or(true) => Ok(Some(entry.date)),
            Phase::Held(_) | Phase::Waiting | Phase::Over => Err(StorageError::ReadOnly),
        }
    }

    /// As if the entry had been written so long ago.
    #[cfg(test)]
    pub(super) fn age_by(&self, time: std::time::Duration) {
        if let Phase::Held(entry) = &mut self.state().phase {
            entry.date -= time;
        }
    }

    /// Notes that it is not known whether a request of this date was carried out.
    pub(super) fn doubt(&self, date: Option<SystemTime>) {
        let mut state = self.state();
        state.doubt = state.doubt.max(date);
    }
}

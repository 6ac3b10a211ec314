//! The upkeep of the outbox: what was delivered is removed, what is too old or too much is given up, and how far the
//! endpoints are is stored.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{self, Instant};

use super::{Notifier, state::State};
use crate::registry::{Registry, StorageError};

/// How often the upkeep runs. A crash may cause what was delivered since to be sent again.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often a drain looks whether it is done.
const LOOK: Duration = Duration::from_millis(10);

impl Notifier {
    /// Keeps the outbox small, for as long as the registry is served.
    pub(super) async fn keep_up(self: Arc<Self>, registry: Registry) {
        let (mut stored, mut has_failed) = (State::default(), false);
        loop {
            time::sleep(INTERVAL).await;
            self.give_up();
            if self.is_read_only.load(Relaxed) {
                continue;
            }
            match self.store(&registry, &stored).await {
                Ok(state) => (stored, has_failed) = (state, false),
                Err(error) if !has_failed => {
                    tracing::warn!(%error, "the outbox of notifications can't be kept up; it is tried again");
                    has_failed = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Gives up what is too old or too much.
    fn give_up(&self) {
        let lost = self.queue.bound(self.settings.max_bytes, self.settings.max_age);
        for ((endpoint, state), lost) in self.settings.endpoints.iter().zip(&self.endpoints).zip(lost) {
            if lost > 0 {
                state.counters.lost(lost);
                let name = &endpoint.name;
                tracing::error!(
                    endpoint = name,
                    lost,
                    "notifications were given up: they waited too long, or too many waited"
                );
            }
        }
    }

    /// Removes what was delivered, and stores how far the endpoints are, unless that is `stored` already or nothing
    /// waits. In this order: a change that failed has no record any more when it counts as ended.
    pub(super) async fn store(&self, registry: &Registry, stored: &State) -> Result<State, StorageError> {
        let (cursors, confirmed) = self.queue.positions();
        let names = self.settings.endpoints.iter().map(|endpoint| endpoint.name.clone());
        let state = State { endpoints: names.zip(cursors).collect(), confirmed };
        let finished = self.queue.finished();
        registry.remove_outbox_records(&finished).await?;
        self.queue.removed(finished.len());
        if state != *stored && (self.queue.has_stored() || *stored == State::default()) {
            let Ok(content) = serde_json::to_vec(&state) else { return Ok(stored.clone()) };
            registry.set_outbox_state(Bytes::from(content)).await?;
            return Ok(state);
        }
        Ok(stored.clone())
    }

    /// Waits until what is only in memory is sent, at most until `end`; the rest is lost. To be called when no request
    /// is under way any more.
    pub async fn drain(&self, registry: &Registry, end: Instant) {
        let is_volatile = registry.storage_driver() == "inmemory";
        let waiting = |index| {
            if is_volatile { self.queue.waiting(index).count } else { self.queue.waiting_in_memory(index) }
        };
        let endpoints = self.settings.endpoints.iter().enumerate();
        while endpoints.clone().any(|(index, _)| waiting(index) > 0) && Instant::now() < end {
            time::sleep(LOOK).await;
        }
        for (index, endpoint) in endpoints {
            let lost = waiting(index);
            if lost > 0 {
                self.endpoints[index].counters.lost(lost as u64);
                tracing::error!(endpoint = endpoint.name, lost, "notifications were lost: the server stops");
            }
        }
        if !self.is_read_only.load(Relaxed)
            && let Err(error) = self.store(registry, &State::default()).await
        {
            tracing::warn!(%error, "it can't be stored how far notifications are; some will be sent again");
        }
    }
}

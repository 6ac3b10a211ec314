//! The start: what an earlier run left in the outbox, and whether its changes were made.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use super::{Notifier, record::Record, state::State};
use crate::{
    oci::RepositoryName,
    registry::{OutboxRecord, Registry, StorageError},
};

/// How long events are sent after a start at the least, however long they have waited.
const TIME_TO_SEND: Duration = Duration::from_secs(3600);

impl Notifier {
    /// Takes over what an earlier run left, and begins to send. To be called before anything is pushed.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn start(self: &Arc<Self>, registry: &Registry) -> Result<(), StorageError> {
        self.is_read_only.store(registry.is_read_only(), Relaxed);
        if !registry.is_read_only() {
            self.restore(registry).await?;
        }
        for index in 0..self.endpoints.len() {
            tokio::spawn(Arc::clone(self).deliver(index, registry.clone()));
        }
        tokio::spawn(Arc::clone(self).keep_up(registry.clone()));
        Ok(())
    }

    async fn restore(&self, registry: &Registry) -> Result<(), StorageError> {
        let state = stored_state(registry).await?;
        let records = registry.outbox_records().await?;
        let last = records.last().map_or(0, |record| record.number);
        let last = state.endpoints.values().copied().chain([last, state.confirmed]).max().unwrap_or(last);
        // An endpoint that is new gets what happens from now on.
        let cursor = |name: &String| state.endpoints.get(name).copied().unwrap_or(last);
        let cursors: Vec<u64> = self.settings.endpoints.iter().map(|endpoint| cursor(&endpoint.name)).collect();
        let needed = cursors.iter().copied().min().unwrap_or(last);
        self.queue.restore(cursors, last + 1);
        let (needed, done): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| record.number > needed);
        let mut gone: Vec<u64> = done.iter().map(|record| record.number).collect();
        let (confirmed, doubtful): (Vec<_>, Vec<_>) =
            needed.into_iter().partition(|record| record.number <= state.confirmed);
        let made = self.judge(registry, &doubtful).await?;
        for record in confirmed.into_iter().chain(doubtful) {
            if record.number <= state.confirmed || made.contains(&record.number) {
                self.queue.restore_record(record.number, record.len, record.stored, self.waited(record.stored));
            } else {
                gone.push(record.number);
            }
        }
        registry.remove_outbox_records(&gone).await?;
        self.store(registry, &State::default()).await.map(drop)
    }

    /// How long a record has waited that was stored at a time. Its date, or the one of today, may be that of a clock that
    /// was wrong. So some time is left in which it is sent.
    fn waited(&self, stored: SystemTime) -> Duration {
        stored.elapsed().unwrap_or_default().min(self.settings.max_age.saturating_sub(TIME_TO_SEND))
    }

    /// Of records whose changes may not have been made, the numbers of those that were. A later change that had the
    /// repository alone proves that the earlier ones had ended; a change that failed has removed its record.
    async fn judge(&self, registry: &Registry, records: &[OutboxRecord]) -> Result<HashSet<u64>, StorageError> {
        let (mut made, mut followed) = (HashSet::new(), HashSet::<RepositoryName>::new());
        for OutboxRecord { number, .. } in records.iter().rev() {
            let Some(content) = registry.outbox_record(*number).await? else { continue };
            let Ok(record) = serde_json::from_slice::<Record>(&content) else {
                tracing::error!(number, "a record of the outbox makes no sense; it is given up");
                continue;
            };
            if followed.contains(&record.repository) || self.was_made(registry, &record).await? {
                made.insert(*number);
            }
            if record.is_exclusive() {
                followed.insert(record.repository);
            }
        }
        Ok(made)
    }

    /// Whether the repository is as the change of a record has left it.
    pub(super) async fn was_made(&self, registry: &Registry, record: &Record) -> Result<bool, StorageError> {
        let Some(outcome) = record.outcome() else { return Ok(true) };
        registry.repository(record.repository.clone()).is_as_after(outcome).await
    }
}

/// Removes the outbox of a registry whose settings name no endpoint.
///
/// # Errors
/// The error of the store.
pub async fn remove_all(registry: &Registry) -> Result<(), StorageError> {
    if !registry.is_read_only() && registry.remove_outbox().await? {
        tracing::info!("the settings name no endpoint for notifications any more: the outbox was removed");
    }
    Ok(())
}

/// What was stored of the endpoints; what makes no sense is nothing.
pub(super) async fn stored_state(registry: &Registry) -> Result<State, StorageError> {
    let content = registry.outbox_state().await?.unwrap_or_default();
    Ok(serde_json::from_slice(&content).unwrap_or_default())
}

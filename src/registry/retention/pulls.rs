//! When tags and manifests were pulled: noted in memory, and written to one object of the store from time to time.
//!
//! The object says since when every pull is in it. A stop writes all pulls. After a crash, pulls of the last minute may
//! be missing, so the record begins anew: a rule with `pulled_within` removes nothing for so long.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Retention;
use crate::{
    oci::{Digest, RepositoryName, Tag},
    registry::{Inner, Registry, layout},
    storage::{Condition, StorageError},
};

/// How often pulls are written, if there are new ones.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many bytes the object has at most. A longer one is not read, and the record begins anew.
const BYTES: u64 = 1024 * 1024 * 1024;

/// Since when all pulls are recorded; `None`: they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded(pub(super) Option<SystemTime>);

/// The pulls of a registry.
#[derive(Debug, Default)]
pub(super) struct Pulls(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    record: Record,
    is_loaded: bool,
    /// Whether there are pulls that are not written.
    is_new: bool,
    /// Whether the stored record says that it is open. Until then, a crash would leave one that seems whole.
    is_marked: bool,
}

/// The record as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    /// Since when all pulls are in it, in seconds since 1970.
    since: u64,
    /// Whether a server notes pulls that may not be in it yet.
    is_open: bool,
    /// When each tag and each manifest of a repository was pulled last.
    pulls: HashMap<RepositoryName, HashMap<String, u64>>,
}

impl Pulls {
    /// Notes a pull of a manifest, by these tags.
    pub(super) fn note(&self, repository: &RepositoryName, digest: &Digest, tags: &[Tag]) {
        let now = seconds(SystemTime::now());
        let mut state = self.state();
        state.is_new = true;
        let pulls = state.record.pulls.entry(repository.clone()).or_default();
        for reference in tags.iter().map(Tag::to_string).chain([digest.to_string()]) {
            pulls.insert(reference, now);
        }
    }

    /// When a tag was pulled last, or the manifest that it names.
    pub(super) fn last(&self, repository: &RepositoryName, tag: &Tag, digest: &Digest) -> Option<SystemTime> {
        let state = self.state();
        let pulls = state.record.pulls.get(repository)?;
        let last = pulls.get(tag.as_str()).max(pulls.get(digest.to_string().as_str()))?;
        Some(UNIX_EPOCH + Duration::from_secs(*last))
    }

    pub(super) fn recorded(&self) -> Recorded {
        let state = self.state();
        Recorded((state.is_loaded && state.is_marked).then(|| UNIX_EPOCH + Duration::from_secs(state.record.since)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Retention {
    /// Reads the record, if that was not done. A server that notes pulls opens it.
    pub(super) async fn load_pulls(&self, registry: &Registry) -> Result<(), StorageError> {
        if !self.needs_pulls() || self.pulls.state().is_loaded {
            return Ok(());
        }
        let stored = match registry.storage().read(&layout::pulls(), BYTES).await {
            Err(StorageError::TooLarge) => None,
            other => other?,
        };
        let now = seconds(SystemTime::now());
        let record = stored.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
        let mut record = record.unwrap_or_else(|| Record { since: now, ..Record::default() });
        if record.is_open || record.since > now {
            tracing::warn!("when tags were pulled is recorded anew from now on, because the last record is not whole");
            record.since = now;
        }
        {
            let mut state = self.pulls.state();
            for (repository, pulls) in std::mem::take(&mut state.record.pulls) {
                record.pulls.entry(repository).or_default().extend(pulls);
            }
            (state.record, state.is_loaded, state.is_new) = (record, true, true);
            // Without clients, there are no pulls that could be lost.
            state.is_marked = registry.0.beginning.serving.is_none();
        }
        Ok(())
    }

    /// Writes the record, if there are new pulls. At the end of a server it is closed.
    pub(in crate::registry) async fn store_pulls(
        &self,
        registry: &Registry,
        is_open: bool,
    ) -> Result<(), StorageError> {
        let oldest = self.window().map_or(0, |window| seconds(SystemTime::now()).saturating_sub(window.as_secs()));
        let content = {
            let mut state = self.pulls.state();
            if !state.is_loaded || (is_open && !state.is_new) {
                return Ok(());
            }
            state.is_new = false;
            state.record.is_open = is_open;
            // A longer time that a rule gets later must not take the older pulls, which go here, for none.
            state.record.since = state.record.since.max(oldest);
            for pulls in state.record.pulls.values_mut() {
                pulls.retain(|_, last| *last >= oldest);
            }
            state.record.pulls.retain(|_, pulls| !pulls.is_empty());
            serde_json::to_vec(&state.record)
        };
        let Ok(content) = content else { return Ok(()) };
        let stored = registry.storage().put(&layout::pulls(), Bytes::from(content), Condition::Any).await;
        match &stored {
            Ok(()) => self.pulls.state().is_marked = true,
            Err(_) => self.pulls.state().is_new = true,
        }
        stored.map(drop)
    }
}

/// Removes the record, as a server does that notes no pulls: it would not be whole.
pub(in crate::registry) async fn forget(registry: Registry) {
    if let Err(error) = registry.storage().delete(&layout::pulls()).await {
        tracing::error!(%error, "the record of pulls can't be removed, and is not whole any more");
    }
}

/// Keeps the record of pulls, for as long as the registry is there.
pub(in crate::registry) async fn keep(registry: Weak<Inner>) {
    loop {
        let Some(inner) = registry.upgrade() else { return };
        let registry = Registry(inner);
        if let Some(retention) = &registry.0.extensions.retention {
            let kept = async {
                retention.load_pulls(&registry).await?;
                retention.store_pulls(&registry, true).await
            };
            if let Err(error) = kept.await {
                tracing::error!(%error, "when tags were pulled can't be recorded");
            }
        }
        let weak = std::sync::Arc::downgrade(&registry.0);
        drop(registry);
        tokio::time::sleep(INTERVAL).await;
        if weak.strong_count() == 0 {
            return;
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::{
        registry::{RetentionRule, Rules},
        storage::Storage,
    };

    const DAY: u64 = 24 * 60 * 60;

    #[tokio::test]
    async fn a_record_goes_back_no_further_than_its_pulls() {
        let rule = RetentionRule { pulled_within: Some(Duration::from_secs(7 * DAY)), ..RetentionRule::default() };
        let retention = Retention::new(vec![rule], None, 1);
        let registry = Registry::new(Storage::memory(), Rules::default());
        let now = seconds(SystemTime::now());
        {
            let mut state = retention.pulls.state();
            (state.record.since, state.is_loaded, state.is_new) = (now - 90 * DAY, true, true);
            let pulls = HashMap::from([("old".to_owned(), now - 20 * DAY), ("new".to_owned(), now)]);
            state.record.pulls.insert("app".parse::<RepositoryName>().unwrap(), pulls);
        }
        retention.store_pulls(&registry, false).await.unwrap();
        let record = retention.pulls.state().record.clone();
        assert_eq!(record.pulls[&"app".parse::<RepositoryName>().unwrap()], HashMap::from([("new".to_owned(), now)]));
        assert!(record.since >= now - 7 * DAY, "{} days", (now - record.since) / DAY);
    }
}

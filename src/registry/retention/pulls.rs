//! When tags and manifests were pulled: noted in memory, and written to one object of the store.
//!
//! The object says since when every pull is in it. While a server notes pulls, the object says that it is open; a stop
//! writes all pulls and closes it. After a crash, pulls may be missing, so the record begins anew: a rule with
//! `pulled_within` removes nothing for so long. Writing pulls in between would not change that.

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
    registry::{Inner, Registry, layout, periodic::repeat},
    storage::{Condition, StorageError},
};

/// How often old pulls are dropped, and an opening that failed is tried again.
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
        let now = seconds(SystemTime::now());
        let new = Record { since: now, ..Record::default() };
        let (mut record, is_whole) = match registry.storage().read(&layout::pulls(), BYTES).await {
            Ok(None) => (new, true),
            Ok(Some(bytes)) => serde_json::from_slice::<Record>(&bytes).map_or((new, false), |record| {
                let is_whole = !record.is_open && record.since <= now;
                (record, is_whole)
            }),
            Err(StorageError::TooLarge) => (new, false),
            Err(error) => return Err(error),
        };
        if !is_whole {
            tracing::warn!("when tags were pulled is recorded anew from now on, because the last record is not whole");
            record.since = now;
        }
        {
            let mut state = self.pulls.state();
            for (repository, pulls) in std::mem::take(&mut state.record.pulls) {
                record.pulls.entry(repository).or_default().extend(pulls);
            }
            (state.record, state.is_loaded) = (record, true);
            // Without clients, there are no pulls that could be lost.
            state.is_marked = registry.0.beginning.serving.is_none();
        }
        Ok(())
    }

    /// Marks the stored record as open, if that was not done.
    async fn open_pulls(&self, registry: &Registry) -> Result<(), StorageError> {
        self.load_pulls(registry).await?;
        if self.pulls.state().is_marked {
            return Ok(());
        }
        self.store_pulls(registry, true).await?;
        self.pulls.state().is_marked = true;
        Ok(())
    }

    /// Writes all pulls, at the end of a server, and says that they are all.
    pub(in crate::registry) async fn close_pulls(&self, registry: &Registry) -> Result<(), StorageError> {
        if self.pulls.state().is_loaded { self.store_pulls(registry, false).await } else { Ok(()) }
    }

    async fn store_pulls(&self, registry: &Registry, is_open: bool) -> Result<(), StorageError> {
        self.drop_old_pulls();
        let content = {
            let mut state = self.pulls.state();
            state.record.is_open = is_open;
            serde_json::to_vec(&state.record).unwrap_or_default()
        };
        registry.storage().put(&layout::pulls(), Bytes::from(content), Condition::Any).await.map(drop)
    }

    fn drop_old_pulls(&self) {
        let oldest = self.window().map_or(0, |window| seconds(SystemTime::now()).saturating_sub(window.as_secs()));
        let mut state = self.pulls.state();
        // A longer time that a rule gets later must not take the older pulls, which go here, for none.
        state.record.since = state.record.since.max(oldest);
        for pulls in state.record.pulls.values_mut() {
            pulls.retain(|_, last| *last >= oldest);
        }
        state.record.pulls.retain(|_, pulls| !pulls.is_empty());
    }
}

/// Removes the record, as a server does that notes no pulls: it would not be whole.
pub(in crate::registry) async fn forget(registry: Registry) {
    if let Err(error) = registry.storage().delete(&layout::pulls()).await {
        tracing::error!(%error, "the record of pulls can't be removed, and is not whole any more");
    }
}

/// Keeps the record of pulls.
pub(in crate::registry) async fn keep(registry: Weak<Inner>) {
    let keep = |registry: Registry| async move {
        if let Some(retention) = &registry.0.extensions.retention {
            retention.drop_old_pulls();
            if let Err(error) = retention.open_pulls(&registry).await {
                tracing::error!(%error, "when tags were pulled can't be recorded");
            }
        }
        INTERVAL
    };
    repeat(registry, Duration::ZERO, keep).await;
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

    fn retention() -> Retention {
        let rule = RetentionRule { pulled_within: Some(Duration::from_secs(7 * DAY)), ..RetentionRule::default() };
        Retention::new(vec![rule], None, 1)
    }

    #[tokio::test]
    async fn a_record_goes_back_no_further_than_its_pulls() {
        let retention = retention();
        let registry = Registry::new(Storage::memory(), Rules::default());
        let now = seconds(SystemTime::now());
        {
            let mut state = retention.pulls.state();
            (state.record.since, state.is_loaded) = (now - 90 * DAY, true);
            let pulls = HashMap::from([("old".to_owned(), now - 20 * DAY), ("new".to_owned(), now)]);
            state.record.pulls.insert("app".parse::<RepositoryName>().unwrap(), pulls);
        }
        retention.close_pulls(&registry).await.unwrap();
        let record = retention.pulls.state().record.clone();
        assert_eq!(record.pulls[&"app".parse::<RepositoryName>().unwrap()], HashMap::from([("new".to_owned(), now)]));
        assert!(record.since >= now - 7 * DAY, "{} days", (now - record.since) / DAY);
    }

    /// If the mark can't be written, as in a full store, and the server crashes, the older record would seem whole.
    #[tokio::test]
    async fn a_record_counts_once_the_store_says_that_it_is_open() {
        let registry = Registry::new(Storage::memory(), Rules::default());
        let (before, old) = (retention(), seconds(SystemTime::now()) - 3 * DAY);
        before.load_pulls(&registry).await.unwrap();
        before.pulls.state().record.since = old;
        before.close_pulls(&registry).await.unwrap();

        let retention = retention();
        retention.load_pulls(&registry).await.unwrap();
        assert_eq!(retention.pulls.recorded(), Recorded(None));
        retention.open_pulls(&registry).await.unwrap();
        assert_eq!(retention.pulls.recorded(), Recorded(Some(UNIX_EPOCH + Duration::from_secs(old))));
    }

    #[tokio::test]
    async fn a_record_that_is_not_whole_begins_anew() {
        let now = seconds(SystemTime::now());
        let rows = [
            (format!(r#"{{"since":{},"is_open":false,"pulls":{{}}}}"#, now - DAY), true),
            (format!(r#"{{"since":{},"is_open":true,"pulls":{{}}}}"#, now - DAY), false),
            (format!(r#"{{"since":{},"is_open":false,"pulls":{{}}}}"#, now + DAY), false),
            (r#"{"since":1"#.to_owned(), false),
            (String::new(), false),
        ];
        for (stored, is_whole) in rows {
            let registry = Registry::new(Storage::memory(), Rules::default());
            registry.storage().put(&layout::pulls(), Bytes::from(stored.clone()), Condition::Any).await.unwrap();
            let retention = retention();
            retention.load_pulls(&registry).await.unwrap();
            assert_eq!(retention.pulls.state().record.since < now, is_whole, "{stored}");
        }
    }
}

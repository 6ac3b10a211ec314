//! Eviction: when manifests were used is noted, and those that nobody uses go.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time;

use super::Mirror;
use crate::{
    oci::{Digest, RepositoryName},
    registry::Registry,
};

/// How often, at least, uses are noted on the disk, and what nobody uses is looked for. A crash loses the uses of so
/// long. With a shorter `ttl` it is an eighth of that.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How many uses are kept. More are noted only when they come again later.
const KEPT: usize = 100_000;

/// When manifests were used last.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<(RepositoryName, Digest), Use>>);

#[derive(Debug)]
struct Use {
    at: SystemTime,
    is_noted: bool,
}

impl Uses {
    pub(super) fn add(&self, name: &RepositoryName, digest: &Digest) {
        let (mut uses, key) = (self.all(), (name.clone(), digest.clone()));
        if uses.len() < KEPT || uses.contains_key(&key) {
            uses.insert(key, Use { at: SystemTime::now(), is_noted: false });
        }
    }

    /// When a manifest was used last; `None`: not lately.
    pub(super) fn last(&self, name: &RepositoryName, digest: &Digest) -> Option<SystemTime> {
        self.all().get(&(name.clone(), digest.clone())).map(|last| last.at)
    }

    /// Notes the uses on the disk, in their order.
    pub(super) async fn note(&self, registry: &Registry) {
        let mut new = Vec::new();
        {
            let mut uses = self.all();
            for (key, last) in uses.iter_mut().filter(|(_, last)| !last.is_noted) {
                last.is_noted = true;
                new.push((last.at, key.clone()));
            }
            if uses.len() >= KEPT {
                uses.clear();
            }
        }
        new.sort_by_key(|(at, _)| *at);
        for (_, (name, digest)) in new {
            registry.repository(name).note_use(&digest).await;
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(RepositoryName, Digest), Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mirror {
    /// Notes uses and evicts, again and again.
    pub async fn keep_up(self: Arc<Self>, registry: Registry) {
        let shortest = self.sources.iter().filter_map(|source| source.ttl).min();
        for source in &self.sources {
            source.count(&registry).await;
        }
        let interval = shortest.map_or(INTERVAL, |ttl| (ttl / 8).clamp(Duration::from_secs(1), INTERVAL));
        while !registry.is_read_only() {
            time::sleep(interval).await;
            self.evict(&registry, SystemTime::now()).await;
        }
    }

    /// Notes the uses on the disk. To be called before an end, too.
    pub async fn note_uses(&self, registry: &Registry) {
        self.uses.note(registry).await;
    }

    async fn evict(&self, registry: &Registry, now: SystemTime) {
        self.note_uses(registry).await;
        for source in &self.sources {
            // What an upstream that is never asked has given can't be had again.
            let Some(since) = source.ttl.and_then(|ttl| now.checked_sub(ttl)).filter(|_| !source.is_offline) else {
                continue;
            };
            match registry.evict(|name| source.fills(name), since).await {
                Ok(0) => {}
                Ok(manifests) => tracing::info!(upstream = source.remote.host(), manifests, "evicted what nobody uses"),
                Err(error) => tracing::error!(%error, "what nobody uses can't be evicted"),
            }
        }
    }
}

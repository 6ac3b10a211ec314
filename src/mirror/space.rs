//! The space of an upstream in the store: what is stored for it, its bound, and room for what comes.
//!
//! Each content counts once, whichever repositories of the upstream have it. The longest unused goes when the bound is
//! near, while clients go on, and before a blob that would not fit is fetched.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use super::Source;
use crate::{
    oci::{Digest, RepositoryName},
    registry::{Registry, Repository},
};

/// After an eviction that could not make any room, the next one waits so many times as long as that one took.
const PAUSES: u32 = 10;

/// The links and directories of a blob take so many bytes of the store at most, beside its own.
const LINKS: u64 = 64 * 1024;

/// What is being fetched of all upstreams and not written yet: they have one store.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    bytes: AtomicU64,
    /// Held while room is taken.
    taking: AsyncMutex<()>,
}

/// The space of an upstream.
#[derive(Debug)]
pub(super) struct Space {
    bound: Option<u64>,
    unwritten: Arc<Unwritten>,
    state: Mutex<State>,
    /// Held by the task that evicts.
    evicting: Arc<AsyncMutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// The content that is stored; `None`: it was not counted yet.
    contents: Option<HashSet<Digest>>,
    /// How many bytes that has, and what an eviction could not remove yet.
    stored: u64,
    /// How many bytes the blobs have that are being fetched.
    coming: u64,
    /// What was stored since an eviction began that is under way; `None`: none is.
    added: Option<Vec<(Digest, u64)>>,
    /// The content that no repository has any more, and that an eviction could not remove yet.
    left: Vec<(Digest, u64)>,
    /// Until when no eviction begins, because the last one could not make any room.
    paused_until: Option<Instant>,
}

/// Room for a blob that is being fetched.
#[derive(Debug)]
pub(super) struct Room {
    source: Arc<Source>,
    len: u64,
    /// How many bytes of it are not written yet.
    unwritten: AtomicU64,
}

impl Space {
    pub(super) fn new(bound: Option<u64>, unwritten: Arc<Unwritten>) -> Self {
        Self { bound, unwritten, state: Mutex::default(), evicting: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many more bytes stay within the bound.
    fn fits(&self, state: &State, len: u64) -> bool {
        self.bound.is_none_or(|bound| state.contents.is_some() && state.stored + state.coming + len <= bound)
    }

    /// Whether it is time to evict: a sixteenth of the bound is left.
    fn is_nearly_full(&self) -> bool {
        let state = self.state();
        self.bound.is_some_and(|bound| state.stored + state.coming > bound - bound / 16)
    }

    /// How much of what is `stored` may stay, so that `len` more bytes fit, and an eighth of the bound is free.
    fn keeps(&self, stored: u64, len: u64) -> u64 {
        let (Some(bound), coming) = (self.bound, self.state().coming + len) else { return stored };
        // What does not fit at all is no reason to evict the rest.
        let most = if coming <= bound { (bound - bound / 8).saturating_sub(coming) } else { bound };
        most.min(stored)
    }
}

impl Source {
    /// Room for a blob of `len` bytes, after an eviction if it takes one; `None`: there is none.
    pub(super) async fn make_room(self: &Arc<Self>, repository: &Repository, len: u64) -> Option<Room> {
        let registry = repository.registry();
        if self.space.bound.is_some_and(|bound| len > bound) {
            return None;
        }
        let mut room = self.take_room(registry, len).await;
        if room.is_none() {
            let _evicting = self.space.evicting.lock().await;
            // Another fetch may have made room meanwhile.
            room = self.take_room(registry, len).await;
            if room.is_none() {
                self.evict(registry, len).await;
                room = self.take_room(registry, len).await;
            }
        }
        self.evict_if_nearly_full(registry);
        room
    }

    /// Notes that content is stored.
    pub(super) fn stored(self: &Arc<Self>, registry: &Registry, digest: &Digest, len: u64) {
        if self.space.bound.is_none() {
            return;
        }
        let mut state = self.space.state();
        if let Some(added) = &mut state.added {
            added.push((digest.clone(), len));
        }
        if state.contents.as_mut().is_some_and(|contents| contents.insert(digest.clone())) {
            state.stored += len;
            self.counters.stored.set(state.stored);
        }
        drop(state);
        self.evict_if_nearly_full(registry);
    }

    async fn take_room(self: &Arc<Self>, registry: &Registry, len: u64) -> Option<Room> {
        let _taking = self.space.unwritten.taking.lock().await;
        if self.missing_space(registry, len).await > 0 {
            return None;
        }
        let mut state = self.space.state();
        self.space.fits(&state, len).then(|| {
            state.coming += len;
            self.space.unwritten.bytes.fetch_add(len + LINKS, Relaxed);
            Room { source: Arc::clone(self), len, unwritten: AtomicU64::new(len + LINKS) }
        })
    }

    /// How many bytes of the store are to become free for `len` more, and for what is being fetched.
    async fn missing_space(&self, registry: &Registry, len: u64) -> u64 {
        let needed = (self.space.unwritten.bytes.load(Relaxed) + LINKS).saturating_add(self.remote.min_free);
        let free = registry.free_space().await.unwrap_or_else(|error| {
            tracing::error!(%error, "the free space of the store is not known");
            None
        });
        free.map_or(0, |free| len.saturating_add(needed).saturating_sub(free.bytes))
    }

    fn evict_if_nearly_full(self: &Arc<Self>, registry: &Registry) {
        if self.space.is_nearly_full()
            && let Ok(evicting) = Arc::clone(&self.space.evicting).try_lock_owned()
        {
            let (this, registry) = (Arc::clone(self), registry.clone());
            tokio::spawn(async move {
                this.evict(&registry, 0).await;
                drop(evicting);
            });
        }
    }

    /// Counts what is stored, at the start, and evicts what is above the bound.
    pub(super) async fn count(self: &Arc<Self>, registry: &Registry) {
        if self.space.bound.is_some() {
            let _evicting = self.space.evicting.lock().await;
            self.evict(registry, 0).await;
        }
    }

    /// Evicts the longest unused so that `len` more bytes fit. The caller has the lock of evictions.
    async fn evict(&self, registry: &Registry, len: u64) {
        let begin = Instant::now();
        if self.space.state().paused_until.is_some_and(|until| begin < until) {
            return;
        }
        self.uses.note(registry).await;
        let missing = self.missing_space(registry, len).await;
        let left = {
            let mut state = self.space.state();
            state.added = Some(Vec::new());
            std::mem::take(&mut state.left)
        };
        // What an upstream that is never asked has given can't be had again.
        let mut goal = u64::MAX;
        let keeps = |stored: u64| {
            if !self.is_offline {
                // What does not fit at all is no reason to evict the rest.
                goal = self.space.keeps(stored, len).min(stored.checked_sub(missing).unwrap_or(stored));
            }
            goal
        };
        let last_use = |name: &RepositoryName, manifest: &Digest| self.uses.last(name, manifest);
        let evicted = registry.evict_down(|name| self.fills(name), keeps, last_use, left.clone()).await;
        let mut state = self.space.state();
        let added = state.added.take().unwrap_or_default();
        let eviction = match evicted {
            Ok(eviction) => eviction,
            Err(error) => {
                state.left = left;
                state.paused_until = Some(Instant::now() + PAUSES * begin.elapsed());
                tracing::warn!(upstream = self.remote.host(), %error, "the cache can't be made smaller");
                return;
            }
        };
        state.stored = eviction.bytes + eviction.left.iter().map(|(_, size)| size).sum::<u64>();
        let is_in_vain = state.stored > goal && eviction.freed == 0;
        state.paused_until = is_in_vain.then(|| Instant::now() + PAUSES * begin.elapsed());
        let mut contents = eviction.contents;
        for (digest, len) in added {
            if contents.insert(digest) {
                state.stored += len;
            }
        }
        (state.contents, state.left) = (Some(contents), eviction.left);
        if self.space.bound.is_some() {
            self.counters.stored.set(state.stored);
        }
        self.counters.evicted.fetch_add(eviction.freed, Relaxed);
        if eviction.manifests > 0 || eviction.freed > 0 {
            tracing::info!(
                upstream = self.remote.host(),
                manifests = eviction.manifests,
                bytes = eviction.freed,
                stored = state.stored,
                "evicted what was unused for the longest time"
            );
        }
    }
}

impl Room {
    /// Notes that so many bytes more are written.
    pub(super) fn written(&self, bytes: u64) {
        self.unwritten.fetch_sub(bytes, Relaxed);
        self.source.space.unwritten.bytes.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.source.space.unwritten.bytes.fetch_sub(self.unwritten.load(Relaxed), Relaxed);
        self.source.space.state().coming -= self.len;
    }
}

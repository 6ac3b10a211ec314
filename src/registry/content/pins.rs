//! Pins: content that a collection must not remove, because a change relies on it now or a client was told of it
//! lately.
//!
//! A change pins the content it refers to, from the existence check until its last link is durable. A collection locks
//! content before it looks at it for the last time, and never takes content that is pinned, or was pinned since the
//! collection began. A client that was told that content exists skips the upload. So content that a client was told of
//! is *young*, for the grace time at least.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::{oci::Digest, storage::Key};

/// A set that keeps only fingerprints. Two things may have the same fingerprint: then one thing too many is kept, and
/// nothing is lost.
#[derive(Debug, Default)]
pub(in crate::registry) struct Fingerprints {
    hash: RandomState,
    seen: HashSet<u64>,
}

impl Fingerprints {
    pub(in crate::registry) fn insert(&mut self, thing: impl std::hash::Hash) {
        self.seen.insert(self.hash.hash_one(thing));
    }

    pub(in crate::registry) fn has(&self, thing: impl std::hash::Hash) -> bool {
        self.seen.contains(&self.hash.hash_one(thing))
    }
}

/// The pinned content, the young content, and the content that a collection has taken.
#[derive(Debug)]
pub(in crate::registry) struct Pins {
    state: Mutex<State>,
    /// Tells that something that was taken is free again.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    held: HashMap<Digest, usize>,
    taken: HashSet<Digest>,
    /// The content that was pinned since the running collection began; `None` if none runs.
    remembered: Option<Fingerprints>,
    young: Young,
    /// The links whose age was looked at in the last sixteenth of the grace time, or in the one before.
    looked_at: Young,
}

/// The content that became young in this grace time and in the one before.
#[derive(Debug)]
struct Young {
    grace: Duration,
    since: Instant,
    now: Fingerprints,
    before: Fingerprints,
}

/// Keeps content from being collected. Ends when it is dropped.
#[derive(Debug)]
pub(in crate::registry) struct Pin {
    pins: Arc<Pins>,
    digests: Vec<Digest>,
}

/// A collection: there is one at a time. Ends when this is dropped.
#[derive(Debug)]
pub(in crate::registry) struct Run(Arc<Pins>);

/// Content that a collection has locked. A change that would pin it waits until this is dropped.
#[derive(Debug)]
pub(in crate::registry) struct Taken {
    pins: Arc<Pins>,
    digest: Digest,
}

impl Pins {
    /// No pins. Content stays young for `grace` at least, and for twice that at most.
    pub(in crate::registry) fn new(grace: Duration) -> Arc<Self> {
        let (young, looked_at) = (Young::new(grace), Young::new(grace / 16));
        let state = State { held: HashMap::new(), taken: HashSet::new(), remembered: None, young, looked_at };
        Arc::new(Self { state: Mutex::new(state), freed: Notify::new() })
    }

    /// Pins content, whether it is there or not. Waits for a collection that has any of it.
    pub(in crate::registry) async fn pin(self: &Arc<Self>, digests: impl IntoIterator<Item = Digest>) -> Pin {
        let digests: Vec<Digest> = digests.into_iter().collect();
        self.when_free(&digests, |state| {
            for digest in &digests {
                *state.held.entry(digest.clone()).or_default() += 1;
                // What comes to be by it is as young by a clock that is never set as it is by its date.
                state.young.insert(digest);
                if let Some(remembered) = &mut state.remembered {
                    remembered.insert(digest);
                }
            }
        })
        .await;
        Pin { pins: Arc::clone(self), digests }
    }

    /// Makes content young, before it is looked whether it is there. Waits for a collection that has it.
    pub(in crate::registry) async fn touch(&self, digest: &Digest) {
        self.when_free(std::slice::from_ref(digest), |state| state.young.insert(digest)).await;
    }

    /// Whether it is time to look how old a link is that a client was just told of: not if that was done lately.
    pub(in crate::registry) fn is_look_due(&self, link: &Key) -> bool {
        let looked_at = &mut self.state().looked_at;
        if looked_at.grace.is_zero() || looked_at.has(link) {
            return false;
        }
        looked_at.insert(link);
        true
    }

    /// Whether content is pinned, or was since the running collection began.
    pub(in crate::registry) fn is_pinned(&self, digest: &Digest) -> bool {
        self.state().is_pinned(digest)
    }

    /// Begins a collection; `None` if there is one.
    pub(in crate::registry) fn begin(self: &Arc<Self>) -> Option<Run> {
        let mut state = self.state();
        if state.remembered.is_some() {
            return None;
        }
        let mut remembered = Fingerprints::default();
        state.held.keys().for_each(|digest| remembered.insert(digest));
        state.remembered = Some(remembered);
        Some(Run(Arc::clone(self)))
    }

    async fn when_free(&self, digests: &[Digest], work: impl FnOnce(&mut State)) {
        loop {
            let mut freed = pin!(self.freed.notified());
            {
                let mut state = self.state();
                if state.taken.is_empty() || !digests.iter().any(|digest| state.taken.contains(digest)) {
                    return work(&mut state);
                }
                // Before the lock is given back, so that no word of freedom is missed.
                freed.as_mut().enable();
            }
            freed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// Takes content alone, unless somebody relies on it.
    pub(in crate::registry) fn take(&self, digest: &Digest) -> Option<Taken> {
        self.take_unless(digest, State::is_relied_on)
    }

    /// Takes content alone that is not pinned, and was not since this began; it may be young.
    pub(in crate::registry) fn take_unpinned(&self, digest: &Digest) -> Option<Taken> {
        self.take_unless(digest, |state, digest| state.is_pinned(digest))
    }

    fn take_unless(&self, digest: &Digest, is_used: impl Fn(&mut State, &Digest) -> bool) -> Option<Taken> {
        let mut state = self.0.state();
        if is_used(&mut state, digest) || !state.taken.insert(digest.clone()) {
            return None;
        }
        Some(Taken { pins: Arc::clone(&self.0), digest: digest.clone() })
    }

    /// Takes all of some content alone, or, if somebody relies on any of it, none.
    pub(in crate::registry) fn take_all(&self, digests: &[Digest]) -> Option<Vec<Taken>> {
        let mut state = self.0.state();
        if digests.iter().any(|digest| state.is_relied_on(digest) || state.taken.contains(digest)) {
            return None;
        }
        state.taken.extend(digests.iter().cloned());
        let taken = |digest: &Digest| Taken { pins: Arc::clone(&self.0), digest: digest.clone() };
        Some(digests.iter().map(taken).collect())
    }

    /// Whether somebody relies on content, or did since this began, or was told of it lately.
    pub(in crate::registry) fn is_relied_on(&self, digest: &Digest) -> bool {
        self.0.state().is_relied_on(digest)
    }
}

impl State {
    fn is_pinned(&self, digest: &Digest) -> bool {
        let is_remembered = self.remembered.as_ref().is_some_and(|remembered| remembered.has(digest));
        self.held.contains_key(digest) || is_remembered
    }

    fn is_relied_on(&mut self, digest: &Digest) -> bool {
        self.is_pinned(digest) || self.young.has(digest)
    }
}

impl Young {
    fn new(grace: Duration) -> Self {
        Self { grace, since: Instant::now(), now: Fingerprints::default(), before: Fingerprints::default() }
    }

    fn insert(&mut self, thing: impl std::hash::Hash) {
        self.turn();
        self.now.insert(thing);
    }

    fn has(&mut self, thing: impl std::hash::Hash + Copy) -> bool {
        self.turn();
        self.now.has(thing) || self.before.has(thing)
    }

    /// What was said within the last grace time is in one of the two.
    fn turn(&mut self) {
        let passed = self.since.elapsed();
        if passed < self.grace {
            return;
        }
        let now = std::mem::take(&mut self.now);
        self.before = if passed < 2 * self.grace { now } else { Fingerprints::default() };
        self.since = Instant::now();
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.pins.state();
        for digest in &self.digests {
            if let Some(holders) = state.held.get_mut(digest) {
                *holders -= 1;
                if *holders == 0 {
                    state.held.remove(digest);
                }
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.pins.state().taken.remove(&self.digest);
        self.pins.freed.notify_waiters();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.0.state().remembered = None;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    fn digest(text: &str) -> Digest {
        Digest::of(crate::oci::Algorithm::Sha256, text.as_bytes())
    }

    fn run(pins: &Arc<Pins>) -> Run {
        pins.begin().unwrap_or_else(|| unreachable!("there is no other"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_pinned_is_not_taken_nor_what_was_since_the_run_began() {
        let pins = Pins::new(GRACE);
        let (before, during, never) = (digest("before"), digest("during"), digest("never"));
        let pin = pins.pin([before.clone()]).await;
        let run = run(&pins);
        drop(pin);
        drop(pins.pin([during.clone()]).await);
        assert!(run.take(&before).is_none() && run.take(&during).is_none());
        assert!(run.take(&never).is_some());
        drop(run);
        let next = super::tests::run(&pins);
        assert!(
            next.take(&before).is_none() && next.take(&during).is_none(),
            "it is young, whatever the wall clock says"
        );
        tokio::time::advance(2 * GRACE).await;
        assert!(next.take(&before).is_some() && next.take(&during).is_some());
    }

    #[tokio::test]
    async fn there_is_one_run_at_a_time() {
        let pins = Pins::new(GRACE);
        let run = run(&pins);
        assert!(pins.begin().is_none());
        drop(run);
        assert!(pins.begin().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn all_is_taken_or_nothing() {
        let pins = Pins::new(GRACE);
        let (run, all) = (run(&pins), ["a", "b", "c"].map(digest));
        let pin = pins.pin([all[1].clone()]).await;
        assert!(run.take_all(&all).is_none());
        assert!(run.take(&all[0]).is_some(), "what was refused was taken");
        drop((pin, run));
        tokio::time::advance(2 * GRACE).await;
        let run = super::tests::run(&pins);
        let taken = run.take_all(&all);
        assert!(taken.is_some() && run.take_all(&all[2..]).is_none());
        let mut pin = pin!(pins.pin([all[2].clone()]));
        assert!(pin.as_mut().now_or_never().is_none());
        drop(taken);
        pin.await;
    }

    #[tokio::test]
    async fn whoever_would_pin_what_is_taken_waits() {
        let pins = Pins::new(GRACE);
        let (run, digest) = (run(&pins), digest("x"));
        let taken = run.take(&digest);
        assert!(taken.is_some() && run.take(&digest).is_none());
        let mut pin = pin!(pins.pin([digest.clone()]));
        let mut touch = pin!(pins.touch(&digest));
        assert!(pin.as_mut().now_or_never().is_none() && touch.as_mut().now_or_never().is_none());
        drop(taken);
        let _pin = pin.await;
        touch.await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_touched_is_young_for_the_grace_time() {
        let pins = Pins::new(GRACE);
        let (old, new) = (digest("old"), digest("new"));
        pins.touch(&old).await;
        let run = run(&pins);
        tokio::time::advance(GRACE * 9 / 10).await;
        assert!(run.take(&old).is_none());
        pins.touch(&new).await;
        tokio::time::advance(GRACE / 2).await;
        pins.touch(&digest("another")).await;
        assert!(run.take(&new).is_none(), "half the grace time has not made it old");
        tokio::time::advance(GRACE).await;
        pins.touch(&digest("yet another")).await;
        assert!(run.take(&old).is_some() && run.take(&new).is_some());
    }
}

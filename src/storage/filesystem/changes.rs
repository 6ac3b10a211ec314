//! Versions of directories: they tell whether names in a directory may have changed since a lookup.
//!
//! Directories share a limited number of counters. So a change in one may look like a change in another, but no change
//! is missed.

use std::{
    hash::{BuildHasher as _, RandomState},
    path::Path,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

/// How many states there are.
const STATES: usize = 1024;

/// The states of all directories of a store.
#[derive(Debug)]
pub(super) struct Changes {
    hash: RandomState,
    states: Box<[State]>,
    /// For renames of whole trees.
    trees: State,
}

/// The lower half counts the running changes, the upper half those that have ended.
#[derive(Debug, Default)]
struct State(AtomicU64);

const ENDED: u64 = 1 << 32;

/// A change that goes on until this is dropped.
#[derive(Debug)]
pub(super) struct Changing<'a>(&'a State);

/// The version of a directory at a moment when no change was running.
#[derive(Clone, Copy, Debug)]
pub(super) struct DirectoryVersion {
    state: usize,
    seen: u64,
    trees: u64,
}

impl Default for Changes {
    fn default() -> Self {
        let states = (0..STATES).map(|_| State::default()).collect();
        Self { hash: RandomState::new(), states, trees: State::default() }
    }
}

impl Changes {
    /// Names in `directory` are about to change.
    pub(super) fn change(&self, directory: &Path) -> Changing<'_> {
        self.states[self.state_of(directory)].begin()
    }

    /// A directory is about to move, and all that is below it.
    pub(super) fn change_tree(&self) -> Changing<'_> {
        self.trees.begin()
    }

    /// The version of `directory`, unless it is being changed. Must be taken before the lookup whose result is cached.
    pub(super) fn now(&self, directory: &Path) -> Option<DirectoryVersion> {
        let state = self.state_of(directory);
        Some(DirectoryVersion { state, seen: self.states[state].version()?, trees: self.trees.version()? })
    }

    /// Whether nothing has changed since `before`, and no change is running.
    pub(super) fn is_current(&self, before: DirectoryVersion) -> bool {
        self.states[before.state].0.load(SeqCst) == before.seen && self.trees.0.load(SeqCst) == before.trees
    }

    fn state_of(&self, directory: &Path) -> usize {
        usize::try_from(self.hash.hash_one(directory.as_os_str()) % STATES as u64).unwrap_or_default()
    }
}

impl State {
    fn begin(&self) -> Changing<'_> {
        self.0.fetch_add(1, SeqCst);
        Changing(self)
    }

    fn version(&self) -> Option<u64> {
        Some(self.0.load(SeqCst)).filter(|state| state % ENDED == 0)
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(ENDED - 1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_change_is_seen_while_it_goes_on_and_ever_after() {
        let (changes, directory) = (Changes::default(), Path::new("/a/b"));
        let before = changes.now(directory).unwrap();
        assert!(changes.is_current(before));
        for tree in [false, true] {
            let before = changes.now(directory).unwrap();
            let begin = || if tree { changes.change_tree() } else { changes.change(directory) };
            let (one, other) = (begin(), begin());
            assert!(!changes.is_current(before) && changes.now(directory).is_none());
            drop(one);
            assert!(!changes.is_current(before) && changes.now(directory).is_none());
            drop(other);
            assert!(!changes.is_current(before));
            assert!(changes.is_current(changes.now(directory).unwrap()));
        }
        assert!(!changes.is_current(before));
    }
}

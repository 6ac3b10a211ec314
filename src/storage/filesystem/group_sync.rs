//! Group sync of directories: one sync serves all writers that need it at that time.
//!
//! A sync covers the changes that had ended when it began. Writers that come later share the next sync: the first of
//! them is its leader and does it, the others are followers and wait. If the sync fails, it has failed for all of them,
//! since the kernel reports a failure only once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::super::Result;

/// The running syncs, and the next one of each directory.
#[derive(Debug, Default)]
pub(super) struct GroupSyncs(HashMap<PathBuf, Pair>);

#[derive(Debug, Default)]
struct Pair {
    running: Option<Arc<GroupSync>>,
    next: Option<Arc<GroupSync>>,
}

/// One sync, shared by its leader and its followers.
#[derive(Debug, Default)]
pub(super) struct GroupSync {
    /// The directory's mark when the sync began; empty until then.
    seen: OnceLock<u64>,
    outcome: OnceLock<Result<()>>,
}

/// The part of a writer in a sync.
#[derive(Debug)]
pub(super) enum Role {
    /// Another writer does the sync.
    Follower(Arc<GroupSync>),
    /// This writer does the sync, after the running one has ended.
    Leader(Arc<GroupSync>, Option<Arc<GroupSync>>),
}

impl GroupSyncs {
    /// The sync of `directory` that covers a change which has ended. `mark` is the directory's mark now.
    pub(super) fn join(&mut self, directory: &Path, mark: u64) -> Role {
        let pair = self.0.entry(directory.to_owned()).or_default();
        let role = |sync: &Arc<GroupSync>| Role::Follower(sync.clone());
        match (&pair.running, &pair.next) {
            (Some(running), _) if running.seen.get().is_none_or(|seen| *seen == mark) => role(running),
            (_, Some(next)) => role(next),
            (running, None) => {
                let (sync, before) = (Arc::<GroupSync>::default(), running.clone());
                *(if before.is_some() { &mut pair.next } else { &mut pair.running }) = Some(sync.clone());
                Role::Leader(sync, before)
            }
        }
    }

    /// Records that the running sync has ended. The next one begins once its leader has been woken.
    pub(super) fn finished(&mut self, directory: &Path) {
        let Some(pair) = self.0.get_mut(directory) else { return };
        pair.running = pair.next.take();
        if pair.running.is_none() {
            self.0.remove(directory);
        }
    }

    /// For tests: how many writers share the running sync of `directory`, and how many the next one.
    #[cfg(test)]
    pub(super) fn members(&self, directory: &Path) -> (usize, usize) {
        let count = |sync: &Option<Arc<GroupSync>>| sync.as_ref().map_or(0, |sync| Arc::strong_count(sync) - 1);
        self.0.get(directory).map_or((0, 0), |pair| (count(&pair.running), count(&pair.next)))
    }
}

impl GroupSync {
    /// The sync begins now. Changes after the directory's mark was `mark` are not covered.
    pub(super) fn begin(&self, mark: u64) {
        // Only the leader sets it.
        let _ = self.seen.set(mark);
    }

    /// Whether `mark` is the mark at which the sync began.
    pub(super) fn has_seen(&self, mark: u64) -> bool {
        self.seen.get() == Some(&mark)
    }

    /// Publishes the outcome.
    pub(super) fn finish(&self, outcome: Result<()>) {
        let _ = self.outcome.set(outcome);
    }

    /// Waits until the sync has ended, whatever its outcome.
    pub(super) fn wait(&self) {
        self.outcome.wait();
    }

    /// Waits until the sync has ended.
    ///
    /// # Errors
    /// The error of the sync.
    pub(super) fn outcome(&self) -> Result<()> {
        match self.outcome.wait() {
            Ok(()) => Ok(()),
            Err(error) => Err(error.again()),
        }
    }
}

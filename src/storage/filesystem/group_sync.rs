//! Syncs of directories, each for all who need it at that time.
//!
//! A sync counts for those whose change had ended when it began. Who comes later takes the next one, together with all others who do, and
//! the first of them does it. If it fails, it has failed for all of them: the kernel tells of a failure only once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::super::StorageError;

/// The syncs that are under way, or are to follow those.
#[derive(Debug, Default)]
pub(super) struct GroupSyncs(HashMap<PathBuf, Pair>);

#[derive(Debug, Default)]
struct Pair {
    running: Option<Arc<GroupSync>>,
    next: Option<Arc<GroupSync>>,
}

/// One sync, for all who rely on it.
#[derive(Debug, Default)]
pub(super) struct GroupSync {
    /// The mark of the directory when it began; nothing as long as it has not.
    seen: OnceLock<u64>,
    outcome: OnceLock<Result<(), StorageError>>,
}

/// How somebody gets a sync.
#[derive(Debug)]
pub(super) enum Role {
    /// Another does it.
    Follower(Arc<GroupSync>),
    /// It does it itself, after the one that is under way.
    Leader(Arc<GroupSync>, Option<Arc<GroupSync>>),
}

impl GroupSyncs {
    /// Finds out which sync of `directory` somebody has to wait for whose change has ended. The directory's mark is `mark` by now.
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

    /// The sync that was under way has ended, and the next one may begin as soon as it is said how.
    pub(super) fn finished(&mut self, directory: &Path) {
        let Some(pair) = self.0.get_mut(directory) else { return };
        pair.running = pair.next.take();
        if pair.running.is_none() {
            self.0.remove(directory);
        }
    }

    /// For tests: how many have the sync of `directory` that is under way, and how many the one after it.
    #[cfg(test)]
    pub(super) fn members(&self, directory: &Path) -> (usize, usize) {
        let count = |sync: &Option<Arc<GroupSync>>| sync.as_ref().map_or(0, |sync| Arc::strong_count(sync) - 1);
        self.0.get(directory).map_or((0, 0), |pair| (count(&pair.running), count(&pair.next)))
    }
}

impl GroupSync {
    /// It begins now, while the directory's mark is `mark`: who comes after that mark has changed is not aboard.
    pub(super) fn begin(&self, mark: u64) {
        // Only its pilot says so.
        let _ = self.seen.set(mark);
    }

    /// Whether it has seen everything up to `mark`, and that is the last.
    pub(super) fn has_seen(&self, mark: u64) -> bool {
        self.seen.get() == Some(&mark)
    }

    /// It has ended.
    pub(super) fn finish(&self, outcome: Result<(), StorageError>) {
        let _ = self.outcome.set(outcome);
    }

    /// Waits until it has ended, however that is.
    pub(super) fn wait(&self) {
        self.outcome.wait();
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// What it met.
    pub(super) fn outcome(&self) -> Result<(), StorageError> {
        match self.outcome.wait() {
            Ok(()) => Ok(()),
            Err(error) => Err(error.again()),
        }
    }
}

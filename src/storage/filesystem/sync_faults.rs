//! For tests: what was synced, and syncs that fail or wait.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, PoisonError},
};

/// Sees every sync before it is done.
#[derive(Debug, Default)]
pub(super) struct SyncFaults {
    seen: Mutex<Vec<(&'static str, PathBuf)>>,
    rules: Mutex<Rules>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rules {
    failing: Option<(&'static str, PathBuf)>,
    held: Option<PathBuf>,
    waiting: usize,
    let_go: usize,
}

impl SyncFaults {
    /// What was synced, in order; forgets it.
    pub(super) fn take(&self) -> Vec<(&'static str, PathBuf)> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes each `operation` on a path that ends in `end` fail, until [`SyncFaults::heal`].
    pub(super) fn fail(&self, operation: &'static str, end: impl Into<PathBuf>) {
        self.rules().failing = Some((operation, end.into()));
    }

    /// Makes nothing fail any more.
    pub(super) fn heal(&self) {
        self.rules().failing = None;
    }

    /// Makes each sync of `path` wait, until [`SyncFaults::release`].
    pub(super) fn hold(&self, path: impl Into<PathBuf>) {
        self.rules().held = Some(path.into());
    }

    /// Lets what waits go on.
    pub(super) fn release(&self) {
        self.rules().held = None;
        self.changed.notify_all();
    }

    /// Lets one of those that wait go on; the others, and those that come, wait.
    pub(super) fn let_one_go(&self) {
        self.rules().let_go += 1;
        self.changed.notify_all();
    }

    /// Returns once `count` syncs wait.
    pub(super) fn wait_for_held(&self, count: usize) {
        let mut rules = self.rules();
        while rules.waiting < count {
            rules = self.changed.wait(rules).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn before(&self, operation: &'static str, path: &Path) -> io::Result<()> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push((operation, path.to_owned()));
        let mut rules = self.rules();
        while rules.held.as_deref().is_some_and(|held| path.ends_with(held)) {
            rules.waiting += 1;
            self.changed.notify_all();
            rules = self.changed.wait(rules).unwrap_or_else(PoisonError::into_inner);
            rules.waiting -= 1;
            if rules.let_go > 0 {
                rules.let_go -= 1;
                break;
            }
        }
        let fails = |(what, end): &(&str, PathBuf)| *what == operation && path.ends_with(end);
        if rules.failing.as_ref().is_some_and(fails) { Err(rustix::io::Errno::IO.into()) } else { Ok(()) }
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

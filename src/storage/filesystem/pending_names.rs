//! PendingNames that can be seen already and are not durable yet.
//!
//! A rename shows a name to every reader at once, while its directory is synced only afterwards. Nobody may rely on it in between:
//! readers of such a name wait here. If the sync fails, and nothing durable had the name before, it counts as absent until it
//! is written again with success, although it can be seen. If something durable had it before, it counts as there: a power cut
//! leaves either the old content or the new, both of them whole, and neither was promised to be gone.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

/// The names under way, and those whose sync failed.
#[derive(Debug, Default)]
pub(super) struct PendingNames {
    /// How many entries there are, so that the usual look at none costs no lock.
    tracked: AtomicUsize,
    entries: Mutex<HashMap<PathBuf, Entry>>,
    settled: Condvar,
    /// How many wait for that.
    pub(super) waiting: AtomicUsize,
}

#[derive(Debug)]
struct Entry {
    /// How many writers are between the rename and the end of its sync.
    writers: u32,
    /// Whether what a power cut would leave under the name is something that counts; `None` until the first writer has looked.
    durable: Option<bool>,
    /// Whether any writer changed what can be seen.
    touched: bool,
}

/// Whether a name that can be seen counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameState {
    /// It does: it is durable.
    Durable,
    /// It does not: its sync failed, or that of a tree that it is in.
    Absent,
}

/// A writer's part in a name. Dropped without [`PendingName::durable`], its sync counts as failed.
#[derive(Debug)]
pub(super) struct PendingName<'a> {
    names: &'a PendingNames,
    path: &'a Path,
}

impl PendingNames {
    /// How a name stands that was just seen; waits for its writers. To be asked after the look, not before.
    pub(super) fn state(&self, path: &Path) -> NameState {
        if self.tracked.load(SeqCst) == 0 {
            return NameState::Durable;
        }
        let mut entries = self.entries();
        loop {
            if let Some(standing) = settled(&entries, path) {
                return standing;
            }
            entries = self.wait(entries);
        }
    }

    /// [`PendingNames::standing`], if that need not wait: neither for writers, nor for one who has the names and looks at the disk.
    pub(super) fn try_state(&self, path: &Path) -> Option<NameState> {
        if self.tracked.load(SeqCst) == 0 {
            return Some(NameState::Durable);
        }
        let entries = self.entries.try_lock().ok()?;
        settled(&entries, path)
    }

    /// The names directly under `directory` that can be seen and don't count; waits for the writers of those that are not settled.
    pub(super) fn absent_in(&self, directory: &Path) -> HashSet<OsString> {
        if self.tracked.load(SeqCst) == 0 {
            return HashSet::new();
        }
        let mut entries = self.entries();
        let is_in = |path: &Path| path.parent() == Some(directory);
        while entries.iter().any(|(path, entry)| entry.writers > 0 && is_in(path)) {
            entries = self.wait(entries);
        }
        entries.keys().filter(|path| is_in(path)).filter_map(|path| Some(path.file_name()?.to_owned())).collect()
    }

    /// Makes the readers of `path` wait from now on. To be called before the rename.
    pub(super) fn begin<'a>(&'a self, path: &'a Path) -> PendingName<'a> {
        let naming = PendingName { names: self, path };
        let mut entries = self.entries();
        loop {
            match entries.get_mut(path) {
                Some(entry) if entry.durable.is_some() => {
                    entry.writers += 1;
                    return naming;
                }
                Some(_) => entries = self.wait(entries),
                None => break,
            }
        }
        entries.insert(path.to_owned(), Entry { writers: 1, durable: None, touched: false });
        self.tracked.store(entries.len(), SeqCst);
        drop(entries);
        // Nobody is writing it, nor can begin to: what can be seen is durable. A directory is nothing by itself.
        let durable = path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir());
        if let Some(entry) = self.entries().get_mut(path) {
            // Unless what is in a tree has become durable meanwhile, and the tree with it.
            entry.durable.get_or_insert(durable);
        }
        self.notify();
        naming
    }

    /// Forgets what failed at and below `path`, which is gone.
    pub(super) fn forget(&self, path: &Path) {
        if self.tracked.load(SeqCst) != 0 {
            let mut entries = self.entries();
            entries.retain(|name, entry| entry.writers > 0 || !name.starts_with(path));
            self.tracked.store(entries.len(), SeqCst);
        }
    }

    fn wait<'a>(&self, entries: MutexGuard<'a, HashMap<PathBuf, Entry>>) -> MutexGuard<'a, HashMap<PathBuf, Entry>> {
        self.waiting.fetch_add(1, SeqCst);
        let entries = self.settled.wait(entries).unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, SeqCst);
        entries
    }

    /// Wakes those who wait. To be called after a change that was made with the names locked.
    fn notify(&self) {
        if self.waiting.load(SeqCst) > 0 {
            self.settled.notify_all();
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<PathBuf, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a name stands, unless it has writers.
fn settled(entries: &HashMap<PathBuf, Entry>, path: &Path) -> Option<NameState> {
    let mut known = path.ancestors().filter_map(|path| entries.get(path)).peekable();
    if known.peek().is_none() {
        return Some(NameState::Durable);
    }
    // An entry without writers is one that failed: all others are taken away with their last writer.
    (!known.any(|entry| entry.writers > 0)).then_some(NameState::Absent)
}

impl PendingName<'_> {
    /// The rename was done.
    pub(super) fn touched(&self) {
        if let Some(entry) = self.names.entries().get_mut(self.path) {
            entry.touched = true;
        }
    }

    /// The sync has succeeded, of every directory on the way: so the trees that the name is in are durable as well.
    pub(super) fn durable(self) {
        let mut entries = self.names.entries();
        for path in self.path.ancestors() {
            if let Some(entry) = entries.get_mut(path) {
                entry.durable = Some(true);
            }
        }
    }
}

impl Drop for PendingName<'_> {
    fn drop(&mut self) {
        let mut entries = self.names.entries();
        if let Some(entry) = entries.get_mut(self.path) {
            entry.writers -= 1;
        }
        for path in self.path.ancestors() {
            if entries
                .get(path)
                .is_some_and(|entry| entry.writers == 0 && (entry.durable == Some(true) || !entry.touched))
            {
                entries.remove(path);
            }
        }
        self.names.tracked.store(entries.len(), SeqCst);
        drop(entries);
        self.names.notify();
    }
}

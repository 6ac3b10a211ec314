//! Names that are visible already and not yet durable.
//!
//! A rename shows a name to every reader at once, but its directory is synced afterwards. Nobody may rely on the name
//! in between, so readers of the name wait here. If the sync fails and the name did not exist durably before, the name
//! counts as absent until a later write of it succeeds, although it is visible. If it did exist durably before, it
//! counts as durable: a power cut leaves either the old content or the new, both are whole, and no caller was told that
//! one is gone.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

/// The names that are being written, and those whose sync failed.
#[derive(Debug, Default)]
pub(super) struct PendingNames {
    /// The number of entries. It is usually 0, and then a lookup takes no lock.
    tracked: AtomicUsize,
    entries: Mutex<HashMap<PathBuf, Entry>>,
    settled: Condvar,
    /// How many threads wait on `settled`.
    pub(super) waiting: AtomicUsize,
}

#[derive(Debug)]
struct Entry {
    /// How many writers are between the rename and the end of the sync.
    writers: u32,
    /// Whether a power cut would leave an object under the name; `None` until the first writer has looked.
    durable: Option<bool>,
    /// Whether any writer has renamed something to the name.
    touched: bool,
}

/// Whether a visible name counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameState {
    /// The name is durable.
    Durable,
    /// Its sync failed, or that of a tree that it is in: the name counts as absent.
    Absent,
}

/// A name that a writer is writing. If this is dropped without [`PendingName::durable`], the sync counts as failed.
#[derive(Debug)]
pub(super) struct PendingName<'a> {
    names: &'a PendingNames,
    path: &'a Path,
}

impl PendingNames {
    /// The state of a visible name; waits for its writers. Must be called after the lookup of the file, not before.
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

    /// [`PendingNames::state`], if it need not wait: neither for writers of the name, nor for the lock.
    pub(super) fn try_state(&self, path: &Path) -> Option<NameState> {
        if self.tracked.load(SeqCst) == 0 {
            return Some(NameState::Durable);
        }
        let entries = self.entries.try_lock().ok()?;
        settled(&entries, path)
    }

    /// The visible names directly under `directory` that count as absent; waits for the writers of names in it.
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

    /// Makes readers of `path` wait from now on. Must be called before the rename.
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
        // Nobody writes the name, and nobody can begin to: a visible object is durable. A directory is no object.
        let durable = path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir());
        if let Some(entry) = self.entries().get_mut(path) {
            // Unless an object in the tree, and so the tree, has become durable meanwhile.
            entry.durable.get_or_insert(durable);
        }
        self.notify();
        naming
    }

    /// Forgets the failed names at and below `path`, which is gone.
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

    /// Wakes the waiting threads. Must be called after each change of the entries.
    fn notify(&self) {
        if self.waiting.load(SeqCst) > 0 {
            self.settled.notify_all();
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<PathBuf, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of a name, unless it has writers.
fn settled(entries: &HashMap<PathBuf, Entry>, path: &Path) -> Option<NameState> {
    let mut known = path.ancestors().filter_map(|path| entries.get(path)).peekable();
    if known.peek().is_none() {
        return Some(NameState::Durable);
    }
    // An entry without writers has failed: all others are removed with their last writer.
    (!known.any(|entry| entry.writers > 0)).then_some(NameState::Absent)
}

impl PendingName<'_> {
    /// The rename was done.
    pub(super) fn touched(&self) {
        if let Some(entry) = self.names.entries().get_mut(self.path) {
            entry.touched = true;
        }
    }

    /// The sync of every directory on the path has succeeded, so the trees that the name is in are durable as well.
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

//! Makes directories, and tracks which of them hold names that a power cut could still undo.
//!
//! A directory is *marked* from before a name in it changes until a sync that began after the change has succeeded. A
//! directory without a mark is durable: the start of the store syncs everything that an earlier process left. So a
//! writer that needs a durable name syncs the marked directories on the path to it and no others, whichever writer
//! marked them.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    super::{Result, StorageError},
    changes::{Changes, Changing},
    group_sync::{GroupSyncs, Role},
    job::{Work, run_all},
    owner::create_directory,
    sync::Syncs,
};

/// How often a directory is made again if somebody else keeps removing it.
pub(super) const ATTEMPTS: usize = 16;

/// The most marks that are kept. If there are more, one sync of the whole filesystem clears them.
const MARKS: usize = 4096;

/// The directories of a store.
#[derive(Debug)]
pub(super) struct Directories {
    root: PathBuf,
    /// A directory on the filesystem that they are on.
    base: PathBuf,
    marks: Mutex<Marks>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct Marks {
    last: u64,
    by_path: HashMap<PathBuf, Mark>,
    group_syncs: GroupSyncs,
}

/// `id` changes at the beginning and the end of each change, so that a sync can tell whether it covers the last one.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    id: u64,
    changing: u32,
}

/// A change of the names in a directory; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Change<'a> {
    directories: &'a Directories,
    path: &'a Path,
    _changing: Changing<'a>,
}

impl Directories {
    /// The directories below `root`, on the filesystem of `base`, of which none is marked.
    pub(super) fn new(root: &Path, base: &Path) -> Self {
        Self { root: root.to_owned(), base: base.to_owned(), marks: Mutex::default(), changes: Changes::default() }
    }

    /// Marks `directory`: names in it are about to change.
    pub(super) fn change<'a>(&'a self, directory: &'a Path) -> Change<'a> {
        self.marks().bump(directory).changing += 1;
        Change { directories: self, path: directory, _changing: self.changes.change(directory) }
    }

    /// The versions of the directories, for caches.
    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Makes `directory` and what is missing above it.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if something that is no directory is in the way.
    pub(super) fn make(&self, directory: &Path) -> Result<()> {
        if directory.is_dir() { Ok(()) } else { self.make_missing(directory) }
    }

    /// As [`Directories::make`], for a directory that was just found missing.
    pub(super) fn make_missing(&self, directory: &Path) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let parent = directory.parent().filter(|_| directory != self.root);
            let Some(parent) = parent else { break };
            let change = self.change(parent);
            let made = create_directory(directory);
            drop(change);
            match made {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_missing(parent)?,
                Err(error) if is_in_the_way(&error) => match directory.metadata() {
                    Ok(metadata) if metadata.is_dir() => return Ok(()),
                    Ok(_) => return Err(StorageError::Exists),
                    Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(StorageError::Exists),
                    // Somebody else made a directory here and removed it.
                    Err(_) => {}
                },
                Err(error) => return Err(StorageError::io("mkdir", directory, error)),
            }
        }
        Err(StorageError::io("mkdir", directory, io::Error::from(io::ErrorKind::NotFound)))
    }

    /// Makes the names in `directory` durable, and the path to it. The marked directories are synced at the same time.
    pub(super) fn sync_path(self: &Arc<Self>, syncs: &Arc<Syncs>, directory: &Path) -> Result<()> {
        self.sync_all_if_many(syncs)?;
        let marked: Vec<_> = {
            let marks = self.marks();
            let way = directory.ancestors().take_while(|path| path.starts_with(&self.root));
            way.filter(|path| marks.by_path.contains_key(*path)).map(Path::to_owned).collect()
        };
        run_all(marked.into_iter().map(|directory| {
            let (this, syncs) = (self.clone(), syncs.clone());
            Box::new(move || this.sync_one(&syncs, &directory)) as Work
        }))
    }

    /// Makes the removal of names in `directory` durable. If the directory itself is gone, its parent is synced
    /// instead.
    pub(super) fn sync_removal(&self, syncs: &Syncs, directory: &Path) -> Result<()> {
        let before = self.last();
        match self.sync_one(syncs, directory) {
            Err(error) if error.is_not_found() => {
                self.forget(directory, before);
                directory.parent().filter(|_| directory != self.root).map_or(Ok(()), |up| self.sync_removal(syncs, up))
            }
            other => other,
        }
    }

    /// The last id of a mark: a moment, for [`Directories::forget`].
    pub(super) fn last(&self) -> u64 {
        self.marks().last
    }

    /// Clears the marks at and below `directory`, which was removed. Marks made after the moment `before` stay.
    pub(super) fn forget(&self, directory: &Path, before: u64) {
        self.marks().by_path.retain(|path, mark| mark.id > before || mark.changing > 0 || !path.starts_with(directory));
    }

    fn sync_one(&self, syncs: &Syncs, directory: &Path) -> Result<()> {
        let role = {
            let marks = &mut *self.marks();
            let Some(mark) = marks.by_path.get(directory) else { return Ok(()) };
            marks.group_syncs.join(directory, mark.id)
        };
        let sync = match role {
            Role::Follower(sync) => return sync.outcome(),
            Role::Leader(sync, before) => {
                // Its outcome does not matter: it does not cover the changes of this group.
                if let Some(before) = before {
                    before.wait();
                }
                sync
            }
        };
        {
            let marks = self.marks();
            // A directory without a mark is durable already.
            sync.begin(marks.by_path.get(directory).map_or(0, |mark| mark.id));
        }
        let outcome = syncs.directory(directory);
        let marks = &mut *self.marks();
        let is_settled = |mark: &Mark| mark.changing == 0 && sync.has_seen(mark.id);
        if outcome.is_ok() && marks.by_path.get(directory).is_some_and(is_settled) {
            marks.by_path.remove(directory);
        }
        marks.group_syncs.finished(directory);
        sync.finish(outcome);
        sync.outcome()
    }

    fn sync_all_if_many(&self, syncs: &Syncs) -> Result<()> {
        let before = {
            let marks = self.marks();
            if marks.by_path.len() < MARKS {
                return Ok(());
            }
            marks.last
        };
        syncs.everything(&self.base)?;
        self.marks().by_path.retain(|_, mark| mark.id > before || mark.changing > 0);
        Ok(())
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Marks {
    /// The mark of `directory`, with a new id.
    fn bump(&mut self, directory: &Path) -> &mut Mark {
        self.last += 1;
        let mark = self.by_path.entry(directory.to_owned()).or_default();
        mark.id = self.last;
        mark
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.directories.marks().bump(self.path).changing -= 1;
    }
}

/// Whether the error says that something else is where a file or a directory must be.
pub(super) fn is_in_the_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, IsADirectory, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | IsADirectory | NotADirectory)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use std::fs;

    use super::{super::super::Durability, *};

    impl Directories {
        pub(in super::super) fn are_clean(&self) -> bool {
            self.marks().by_path.is_empty()
        }

        pub(in super::super) fn members(&self, directory: &Path) -> (usize, usize) {
            self.marks().group_syncs.members(directory)
        }
    }

    fn new() -> (tempfile::TempDir, Arc<Directories>, Arc<Syncs>) {
        let root = tempfile::tempdir().unwrap();
        let (directories, syncs) =
            (Directories::new(root.path(), root.path()), Syncs::new(Durability::Full, root.path()));
        (root, Arc::new(directories), Arc::new(syncs))
    }

    #[test]
    fn a_change_that_goes_on_during_a_sync_keeps_the_mark() {
        let (root, directories, syncs) = new();
        let change = directories.change(root.path());
        directories.sync_path(&syncs, root.path()).unwrap();
        assert!(!directories.are_clean());
        drop(change);
        directories.sync_path(&syncs, root.path()).unwrap();
        assert!(directories.are_clean());
    }

    #[test]
    fn a_removed_directory_is_forgotten_but_not_the_one_made_after_it() {
        let (root, directories, _syncs) = new();
        let (path, below) = (root.path().join("a"), root.path().join("a/b"));
        drop(directories.change(&below));
        let before = directories.last();
        directories.forget(&path, before);
        assert!(directories.are_clean());
        drop(directories.change(&below));
        directories.forget(&path, before);
        assert!(!directories.are_clean());
    }

    #[test]
    fn many_marks_are_taken_away_by_one_sync_of_all() {
        let (root, directories, syncs) = new();
        for n in 0..MARKS {
            drop(directories.change(&root.path().join(n.to_string())));
        }
        let held = root.path().join("held");
        let change = directories.change(&held);
        directories.sync_path(&syncs, root.path()).unwrap();
        assert_eq!(syncs.faults.take(), [("syncfs", root.path().to_owned())]);
        assert_eq!(directories.marks().by_path.keys().collect::<Vec<_>>(), [&held]);
        drop(change);
    }

    #[test]
    fn a_file_in_the_way_is_said_to_be_there() {
        let (root, directories, _syncs) = new();
        fs::write(root.path().join("a"), "x").unwrap();
        for path in ["a", "a/b", "a/b/c"] {
            assert!(matches!(directories.make(&root.path().join(path)), Err(StorageError::Exists)), "{path}");
        }
    }
}

//! Trees: several objects that appear and disappear as one.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    mem,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};

use super::{
    super::{Condition, Key, Pace, Result, StorageError},
    job::{Work, run_all},
    owner::create_file,
    owner::make_directory,
    pending_names::NameState,
    temporary::Temporary,
    volume::Volume,
};

/// How long gentle work runs before it pauses: less than the scheduler's time slice.
const SLICE: Duration = Duration::from_millis(1);

/// The longest pause, since somebody may wait for the work.
const REST: Duration = Duration::from_millis(20);

/// A tree that is built under a temporary name.
#[derive(Debug)]
pub(super) struct NewTree {
    top: Temporary,
    files: Vec<(File, PathBuf)>,
    directories: BTreeSet<PathBuf>,
}

impl NewTree {
    /// Writes the tree. The keys of `objects` begin with `prefix`.
    pub(super) fn write(volume: &Volume, prefix: &Key, objects: &[(Key, Bytes)]) -> Result<Self> {
        let top = Temporary::directory(volume)?;
        let (mut files, mut directories) = (Vec::new(), BTreeSet::from([top.path().to_owned()]));
        for (key, bytes) in objects {
            let path = top.path().join(below(prefix, key)?);
            let error = |error| StorageError::io("write", &path, error);
            let parent = volume.parent(&path);
            let mut way: Vec<_> = parent.ancestors().take_while(|path| *path != top.path()).collect();
            way.reverse();
            way.iter().try_for_each(|directory| make_directory(directory)).map_err(error)?;
            directories.extend(way.into_iter().map(Path::to_owned));
            let mut file = create_file(&path).map_err(error)?;
            file.write_all(bytes).map_err(error)?;
            files.push((file, path));
        }
        Ok(Self { top, files, directories })
    }

    /// The syncs that make its files and directories durable.
    pub(super) fn sync(&mut self, volume: &Volume) -> Vec<Work> {
        let files = mem::take(&mut self.files).into_iter().map(|(file, path)| {
            let syncs = volume.syncs.clone();
            Box::new(move || syncs.file(&file, &path)) as Work
        });
        let directories = mem::take(&mut self.directories).into_iter().rev().map(|path| {
            let syncs = volume.syncs.clone();
            Box::new(move || syncs.directory(&path)) as Work
        });
        files.chain(directories).collect()
    }

    /// Renames it to its final name, durably.
    pub(super) fn rename_durably(&self, volume: &Volume, to: &Path) -> Result<()> {
        match self.top.rename_durably(volume, to, Condition::Any) {
            // The visible tree was never durable and counts as absent, so it is replaced.
            Err(StorageError::Exists) if volume.names.state(to) == NameState::Absent => {
                let _removed = volume.move_out(to)?;
                self.top.rename_durably(volume, to, Condition::Any)
            }
            other => other,
        }
    }
}

impl Volume {
    /// Builds the tree under a temporary name, syncs it, and renames it.
    pub(super) fn put_tree(&self, prefix: &Key, objects: &[(Key, Bytes)]) -> Result<()> {
        let mut tree = NewTree::write(self, prefix, objects)?;
        run_all(tree.sync(self))?;
        tree.rename_durably(self, &self.path(prefix))
    }

    /// Renames the trees to temporary names, makes that durable with one sync of each parent directory, and then
    /// removes them; returns whether each was there.
    pub(super) fn delete_trees(&self, prefixes: &[Key], pace: Pace) -> Result<Vec<bool>> {
        let (mut parents, mut removed, mut were_there) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut pacer = Pacer::new(pace);
        let moved = prefixes.iter().map(|prefix| self.path(prefix)).try_for_each(|top| {
            // Also if the tree is gone: somebody else may have removed it and not have synced yet.
            parents.insert(self.parent(&top).to_owned());
            // Of a symbolic link to a tree, only the link is removed.
            let is_tree = top.symlink_metadata().is_ok_and(|metadata| metadata.is_dir() || metadata.is_symlink());
            let was_there = is_tree && self.names.state(&top) == NameState::Durable;
            let tree = if is_tree { self.move_out(&top)? } else { None };
            pacer.step();
            were_there.push(was_there && tree.is_some());
            removed.extend(tree);
            Ok(())
        });
        let settled = parents.iter().try_for_each(|parent| self.directories.sync_removal(&self.syncs, parent));
        if settled.is_err() {
            // A power cut could bring the trees back, and then they must be whole. The next start removes them.
            removed.iter().for_each(Temporary::keep);
        }
        for tree in removed {
            drop(tree);
            pacer.step();
        }
        moved.and(settled).map(|()| were_there)
    }

    /// Renames `top` to a temporary name; `None` if there is no `top`.
    fn move_out(&self, top: &Path) -> Result<Option<Temporary>> {
        let before = self.directories.last();
        let removed = Temporary::unused(self)?;
        let change = (self.directories.change(self.parent(top)), self.directories.changes().change_tree());
        let replacing = self.replace();
        let renamed = fs::rename(top, removed.path());
        drop((replacing, change));
        match renamed {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && !top.exists() => return Ok(None),
            Err(error) => return Err(StorageError::io("rename", top, error)),
        }
        self.directories.forget(top, before);
        self.names.forget(top);
        Ok(Some(removed))
    }
}

/// Measures the processor time of this thread since its last pause. Time spent waiting for the disk or a core is free.
struct Pacer {
    pace: Pace,
    begun: Duration,
}

impl Pacer {
    fn new(pace: Pace) -> Self {
        Self { pace, begun: time_on_a_core() }
    }

    /// To be called after each step of a long piece of work.
    fn step(&mut self) {
        let now = time_on_a_core();
        let passed = now.saturating_sub(self.begun);
        if self.pace == Pace::Gentle && passed >= SLICE {
            thread::sleep(passed.min(REST));
            self.begun = now;
        }
    }
}

/// Of this thread.
fn time_on_a_core() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// The path of `key` from `prefix` on.
fn below(prefix: &Key, key: &Key) -> Result<PathBuf> {
    let rest = key.as_str().strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('/'));
    rest.map(PathBuf::from).ok_or_else(|| {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "not below the prefix of the tree");
        StorageError::io("write", Path::new(key.as_str()), error)
    })
}

//! Several objects that come and go as one.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    mem,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{
    super::{Condition, Key, StorageError},
    job::{Work, together},
    names::Standing,
    temporary::{Temporary, create},
    volume::Volume,
};

/// A tree that is built beside.
#[derive(Debug)]
pub(super) struct NewTree {
    top: Temporary,
    files: Vec<(File, PathBuf)>,
    directories: BTreeSet<PathBuf>,
}

impl NewTree {
    /// Writes it. `objects` have whole keys, that begin with `prefix`.
    pub(super) fn write(volume: &Volume, prefix: &Key, objects: &[(Key, Bytes)]) -> Result<Self, StorageError> {
        let top = Temporary::directory(volume)?;
        let (mut files, mut directories) = (Vec::new(), BTreeSet::from([top.path().to_owned()]));
        for (key, bytes) in objects {
            let path = top.path().join(below(prefix, key)?);
            let error = |error| StorageError::io("write", &path, error);
            let parent = volume.parent(&path);
            fs::create_dir_all(parent).map_err(error)?;
            directories.extend(parent.ancestors().take_while(|path| *path != top.path()).map(Path::to_owned));
            let mut file = create(&path).map_err(error)?;
            file.write_all(bytes).map_err(error)?;
            files.push((file, path));
        }
        Ok(Self { top, files, directories })
    }

    /// What makes it durable.
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

    /// Gives it its name, durably.
    pub(super) fn place(&self, volume: &Volume, to: &Path) -> Result<(), StorageError> {
        match self.top.place(volume, to, Condition::Any) {
            // What is there was never durable and counts as absent, so it gives way.
            Err(StorageError::Exists) if volume.names.standing(to) == Standing::Absent => {
                let _removed = volume.move_out(to)?;
                self.top.place(volume, to, Condition::Any)
            }
            other => other,
        }
    }
}

impl Volume {
    /// Builds the tree beside, syncs it, and gives it its name.
    pub(super) fn put_tree(&self, prefix: &Key, objects: &[(Key, Bytes)]) -> Result<(), StorageError> {
        let mut tree = NewTree::write(self, prefix, objects)?;
        together(tree.sync(self))?;
        tree.place(self, &self.path(prefix))
    }

    /// Moves the tree out of sight, makes that durable, and then removes it.
    pub(super) fn delete_tree(&self, prefix: &Key) -> Result<bool, StorageError> {
        let top = self.path(prefix);
        if !top.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            // Someone else may have removed it, and not have synced yet.
            self.directories.settle_removal(&self.syncs, self.parent(&top))?;
            return Ok(false);
        }
        let was_there = self.names.standing(&top) == Standing::There;
        let Some(removed) = self.move_out(&top)? else { return Ok(false) };
        self.directories.settle_removal(&self.syncs, self.parent(&top)).inspect_err(|_| {
            // A power cut could bring it back, and then it must be whole: the next start removes it.
            removed.keep();
        })?;
        Ok(was_there)
    }

    /// Gives `top` a temporary name; `None` if it is not there.
    fn move_out(&self, top: &Path) -> Result<Option<Temporary>, StorageError> {
        let before = self.directories.last();
        let removed = Temporary::unused(self)?;
        let change = (self.directories.change(self.parent(top)), self.directories.changes().change_tree());
        let renamed = fs::rename(top, removed.path());
        drop(change);
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

/// The path of `key` from `prefix` on.
fn below(prefix: &Key, key: &Key) -> Result<PathBuf, StorageError> {
    let rest = key.as_str().strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('/'));
    rest.map(PathBuf::from).ok_or_else(|| {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "not below the prefix of the tree");
        StorageError::io("write", Path::new(key.as_str()), error)
    })
}

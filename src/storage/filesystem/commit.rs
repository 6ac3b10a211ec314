//! Commits: several writes on one thread, each of which relies on those before it, with few waits for the disk.
//!
//! All files are written, and then all are synced at the same time, so that a filesystem writes its journal once for
//! all of them. Only then are the files renamed, one after the other.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    super::{Condition, Key, Result, StorageError},
    job::{Work, run_all},
    subtree::NewTree,
    temporary::Temporary,
    volume::Volume,
    write_queue::ContentGuard,
};

/// One of the writes.
#[derive(Debug)]
pub(super) enum Step {
    Promote(ContentGuard, Key),
    MakePrefixes(Vec<Key>),
    Put(Key, Bytes),
    Record(Key, Bytes),
    PutTree(Key, Vec<(Key, Bytes)>),
}

/// A step whose bytes are in files under temporary names.
#[derive(Debug)]
enum Written {
    Content(ContentGuard, Key),
    Prefixes(Vec<Key>),
    Object(Temporary, Key),
    Record(Temporary, Key),
    Tree(NewTree, Key),
}

impl Volume {
    /// Does the steps in order: each is durable before the next becomes visible. Records are renamed at the same time as
    /// the first of the other steps, so that one write of the journal makes both durable.
    pub(super) fn commit(self: &Arc<Self>, steps: Vec<Step>) -> Result<()> {
        let mut written = Vec::with_capacity(steps.len());
        for step in steps {
            match self.write_beside(step) {
                Ok(step) => written.push(step),
                Err(error) => return Err(given_up(written, error)),
            }
        }
        let syncs: Result<Vec<_>, _> = written.iter_mut().map(|step| step.sync(self)).collect();
        if let Err(error) = syncs.and_then(|syncs| run_all(syncs.into_iter().flatten())) {
            return Err(given_up(written, error));
        }
        let (mut first, written): (Vec<_>, Vec<_>) =
            written.into_iter().partition(|step| matches!(step, Written::Record(..)));
        let mut written = written.into_iter();
        if !first.is_empty() {
            first.extend(written.next());
            // The error of a record comes before that of the step.
            let renames = first.into_iter().map(|step| {
                let volume = Arc::clone(self);
                Box::new(move || step.rename_durably(&volume)) as Work
            });
            if let Err(error) = run_all(renames) {
                return Err(given_up(written, error));
            }
        }
        while let Some(step) = written.next() {
            if let Err(error) = step.rename_durably(self) {
                return Err(given_up(written, error));
            }
        }
        Ok(())
    }

    fn write_beside(&self, step: Step) -> Result<Written> {
        match step {
            Step::Promote(mut guard, key) => {
                guard.run_or_roll_back(|_, content| content.flush())?;
                Ok(Written::Content(guard, key))
            }
            Step::MakePrefixes(prefixes) => Ok(Written::Prefixes(prefixes)),
            Step::Put(key, bytes) => Ok(Written::Object(Temporary::written(self, &bytes)?, key)),
            Step::Record(key, bytes) => Ok(Written::Record(Temporary::written(self, &bytes)?, key)),
            Step::PutTree(prefix, objects) => Ok(Written::Tree(NewTree::write(self, &prefix, &objects)?, prefix)),
        }
    }
}

impl Written {
    /// The syncs that make its bytes durable.
    fn sync(&mut self, volume: &Volume) -> Result<Vec<Work>> {
        match self {
            Self::Content(guard, _) => {
                let sync = guard.run_or_roll_back(|volume, content| content.sync_to_promote(volume))?;
                Ok(sync.into_iter().collect())
            }
            Self::Prefixes(_) => Ok(Vec::new()),
            Self::Object(file, _) | Self::Record(file, _) => Ok(file.sync(volume).into_iter().collect()),
            Self::Tree(tree, _) => Ok(tree.sync(volume)),
        }
    }

    fn rename_durably(self, volume: &Volume) -> Result<()> {
        match self {
            Self::Content(mut guard, key) => {
                guard.run(|volume, content| content.promote(volume, &key))?;
                guard.promoted();
                Ok(())
            }
            Self::Prefixes(prefixes) => volume.make_prefixes(&prefixes),
            Self::Object(file, key) | Self::Record(file, key) => {
                file.rename_durably(volume, &volume.path(&key), Condition::Any)
            }
            Self::Tree(tree, prefix) => tree.rename_durably(volume, &volume.path(&prefix)),
        }
    }
}

/// Discards the steps that were not renamed when the commit failed. If the disk is full, the durable part of content
/// stays.
fn given_up(left: impl IntoIterator<Item = Written>, error: StorageError) -> StorageError {
    for step in left {
        if let Written::Content(mut guard, _) = step {
            guard.give_up(&error);
        }
    }
    error
}

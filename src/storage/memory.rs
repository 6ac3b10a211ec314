//! The memory back end: the same meaning as the filesystem's, and nothing outlives the process.

mod key_map;
mod upload;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Child, Condition, FOREIGN, Key, Object, Stat, Step, StorageError, Verified};
use crate::oci::Algorithm;

use key_map::{KeyMap, Node};
pub(super) use upload::Upload;

/// A store in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<KeyMap>>);

impl Memory {
    pub(super) fn stat(&self, key: &Key) -> Option<Stat> {
        self.map().object(key).map(|(_, stat)| stat)
    }

    pub(super) fn read(&self, key: &Key, limit: u64) -> Result<Option<Bytes>, StorageError> {
        let found = self.map().object(key);
        let Some((bytes, stat)) = found else { return Ok(None) };
        if stat.len > limit { Err(StorageError::TooLarge) } else { Ok(Some(bytes)) }
    }

    pub(super) fn open(&self, key: &Key) -> Option<Object> {
        self.map().object(key).map(|(bytes, stat)| Object::of_memory(bytes, stat))
    }

    pub(super) fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<(), StorageError> {
        self.map().put(key, Node::object(bytes), condition)
    }

    pub(super) fn put_tree(&self, prefix: &Key, objects: Vec<(Key, Bytes)>) -> Result<(), StorageError> {
        let mut map = self.map();
        if !map.is_free_for_tree(prefix) {
            return Err(StorageError::Exists);
        }
        map.make_prefix(prefix)?;
        objects.into_iter().try_for_each(|(key, bytes)| map.put(&key, Node::object(bytes), Condition::IfAbsent))
    }

    pub(super) fn delete(&self, key: &Key) -> bool {
        self.map().remove_object(key)
    }

    pub(super) fn delete_tree(&self, prefix: &Key) -> bool {
        self.map().remove_tree(prefix)
    }

    pub(super) fn make_prefixes(&self, prefixes: &[Key]) -> Result<(), StorageError> {
        let mut map = self.map();
        prefixes.iter().try_for_each(|prefix| map.make_prefix(prefix))
    }

    pub(super) fn remove_empty_prefixes(&self, prefixes: &[Key]) -> bool {
        let mut map = self.map();
        prefixes.iter().all(|prefix| map.remove_empty_prefix(prefix))
    }

    pub(super) fn touch(&self, key: &Key) -> bool {
        self.map().touch(key)
    }

    pub(super) fn children(&self, prefix: &Key) -> Vec<Child> {
        self.map().children(prefix)
    }

    pub(super) fn rename(&self, from: &Key, to: &Key) -> Result<(), StorageError> {
        self.map().rename(from, to)
    }

    pub(super) fn stage(&self, key: &Key, algorithm: Algorithm) -> Result<Upload, StorageError> {
        Upload::create(self, key, algorithm)
    }

    pub(super) fn stage_among(
        &self,
        key: &Key,
        algorithm: Algorithm,
        most: usize,
    ) -> Result<Option<Upload>, StorageError> {
        let others = key.parent().map_or(0, |prefix| self.children(&prefix).len());
        (others < most).then(|| self.stage(key, algorithm)).transpose()
    }

    pub(super) fn commit(&self, steps: Vec<Step>) -> Result<(), StorageError> {
        let mut steps = steps.into_iter();
        let done = steps.try_for_each(|step| match step {
            Step::Promote(content, key) => upload_of(content).promote(&key),
            Step::MakePrefixes(prefixes) => self.make_prefixes(&prefixes),
            Step::Put(key, bytes) => self.put(&key, bytes, Condition::Any),
            Step::PutTree(prefix, objects) => self.put_tree(&prefix, objects),
        });
        for step in steps {
            if let Step::Promote(content, _) = step {
                upload_of(content).discard();
            }
        }
        done
    }

    pub(super) fn resume(&self, key: &Key) -> Result<Option<Upload>, StorageError> {
        Upload::reopen(self, key)
    }

    pub(super) fn discard_staging(&self, key: &Key) -> bool {
        let mut map = self.map();
        !map.leases.contains(key) && map.remove_object(key)
    }

    fn map(&self) -> MutexGuard<'_, KeyMap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn upload_of(content: Verified) -> Upload {
    let super::Upload::Memory(upload) = content.into_upload() else { unreachable!("{FOREIGN}") };
    upload
}

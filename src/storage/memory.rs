//! The memory back end. It keeps the contract of storage, except that nothing outlives the process.
#![expect(clippy::unused_async, reason = "the operations have the signatures of the filesystem's")]

mod key_map;
mod upload;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Child, Condition, FOREIGN, FreeSpace, Key, Object, Pace, Result, Stat, Step, StorageError, Verified};
use crate::oci::Algorithm;

use key_map::{KeyMap, Node};
pub(super) use upload::Upload;

/// A store in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<KeyMap>>);

impl Memory {
    /// A store whose objects have at most `limit` bytes together.
    pub(super) fn within(limit: Option<u64>) -> Self {
        let memory = Self::default();
        memory.map().limit = limit;
        memory
    }

    pub(super) async fn probe(&self) -> Result<()> {
        Ok(())
    }

    pub(super) async fn free_space(&self) -> Result<Option<FreeSpace>> {
        Ok(None)
    }

    pub(super) async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        Ok(self.map().stat(key))
    }

    pub(super) async fn stat_all(&self, keys: &[Key]) -> Vec<Result<Option<Stat>>> {
        let map = self.map();
        keys.iter().map(|key| Ok(map.stat(key))).collect()
    }

    pub(super) async fn read(&self, key: &Key, limit: u64) -> Result<Option<Bytes>> {
        read(&self.map(), key, limit)
    }

    pub(super) async fn read_all(&self, keys: &[Key], limit: u64) -> Vec<Result<Option<Bytes>>> {
        let map = self.map();
        keys.iter().map(|key| read(&map, key, limit)).collect()
    }

    pub(super) async fn open_object(&self, key: &Key) -> Result<Option<Object>> {
        Ok(self.map().object(key).map(|(bytes, stat)| Object::of_memory(bytes, stat)))
    }

    pub(super) async fn touch(&self, key: &Key) -> Result<bool> {
        Ok(self.map().touch(key))
    }

    pub(super) async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<()> {
        self.map().put(key, Node::object(bytes), condition)
    }

    pub(super) async fn put_tree(&self, prefix: &Key, objects: Vec<(Key, Bytes)>) -> Result<()> {
        put_tree(&mut self.map(), prefix, objects)
    }

    pub(super) async fn delete_all(&self, keys: &[Key]) -> Result<Vec<bool>> {
        let mut map = self.map();
        Ok(keys.iter().map(|key| map.remove_object(key)).collect())
    }

    pub(super) async fn delete_trees(&self, prefixes: &[Key], _: Pace) -> Result<Vec<bool>> {
        let mut map = self.map();
        Ok(prefixes.iter().map(|prefix| map.remove_tree(prefix)).collect())
    }

    pub(super) async fn make_prefixes(&self, prefixes: &[Key]) -> Result<()> {
        make_prefixes(&mut self.map(), prefixes)
    }

    pub(super) async fn remove_empty_prefixes(&self, prefixes: &[Key]) -> Result<bool> {
        let mut map = self.map();
        Ok(prefixes.iter().all(|prefix| map.remove_empty_prefix(prefix)))
    }

    pub(super) async fn children(&self, prefix: &Key) -> Result<Vec<Child>> {
        Ok(self.map().children(prefix))
    }

    pub(super) async fn children_of(&self, prefixes: &[Key], limit: usize) -> Vec<Result<Vec<Child>>> {
        let map = self.map();
        prefixes.iter().map(|prefix| Ok(map.children(prefix).into_iter().take(limit).collect())).collect()
    }

    pub(super) async fn rename(&self, from: &Key, to: &Key) -> Result<()> {
        self.map().rename(from, to)
    }

    pub(super) fn stage_among(&self, key: &Key, algorithm: Algorithm, limit: usize) -> Result<Option<Upload>> {
        let others = key.parent().map_or(0, |prefix| self.map().children(&prefix).len());
        (others < limit).then(|| Upload::create(self, key, algorithm)).transpose()
    }

    pub(super) fn resume(&self, key: &Key) -> Result<Option<Upload>> {
        Upload::reopen(self, key)
    }

    pub(super) async fn discard_staging(&self, key: &Key) -> Result<bool> {
        let mut map = self.map();
        Ok(!map.leases.contains(key) && map.remove_object(key))
    }

    pub(super) async fn commit(&self, steps: Vec<Step>) -> Result<()> {
        let mut steps = steps.into_iter();
        let done = steps.try_for_each(|step| match step {
            Step::Promote(content, key) => upload_of(content).promote(&key),
            Step::MakePrefixes(prefixes) => make_prefixes(&mut self.map(), &prefixes),
            Step::Put(key, bytes) | Step::Record(key, bytes) => {
                self.map().put(&key, Node::object(bytes), Condition::Any)
            }
            Step::PutTree(prefix, objects) => put_tree(&mut self.map(), &prefix, objects),
        });
        for step in steps {
            if let Step::Promote(content, _) = step {
                upload_of(content).discard();
            }
        }
        done
    }

    fn map(&self) -> MutexGuard<'_, KeyMap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(map: &KeyMap, key: &Key, limit: u64) -> Result<Option<Bytes>> {
    match map.object(key) {
        Some((_, stat)) if stat.len > limit => Err(StorageError::TooLarge),
        found => Ok(found.map(|(bytes, _)| bytes)),
    }
}

fn make_prefixes(map: &mut KeyMap, prefixes: &[Key]) -> Result<()> {
    prefixes.iter().try_for_each(|prefix| map.make_prefix(prefix))
}

fn put_tree(map: &mut KeyMap, prefix: &Key, objects: Vec<(Key, Bytes)>) -> Result<()> {
    if !map.is_free_for_tree(prefix) {
        return Err(StorageError::Exists);
    }
    // Either all of the tree has room, or nothing of it is stored.
    let len = objects.iter().map(|(_, bytes)| bytes.len()).sum();
    map.reserve(len)?;
    map.release(len);
    map.make_prefix(prefix)?;
    objects.into_iter().try_for_each(|(key, bytes)| map.put(&key, Node::object(bytes), Condition::IfAbsent))
}

fn upload_of(content: Verified) -> Upload {
    let super::Upload::Memory(upload) = content.into_upload() else { unreachable!("{FOREIGN}") };
    upload
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use futures_util::stream;

    use super::{super::AppendError, *};

    fn key(text: &str) -> Key {
        Key::new(text)
    }

    #[tokio::test]
    async fn a_bound_counts_what_is_stored_and_not_what_was_removed() {
        let memory = Memory::within(Some(10));
        let put = |name: &'static str, len: usize| {
            let memory = memory.clone();
            async move { memory.put(&key(name), vec![0; len].into(), Condition::Any).await }
        };
        put("b", 6).await.unwrap();
        assert!(matches!(put("c", 5).await, Err(StorageError::Full)));
        put("c", 4).await.unwrap();
        memory.rename(&key("b"), &key("c")).await.unwrap();
        put("d", 4).await.unwrap();
        assert_eq!(memory.delete_all(&[key("d")]).await.unwrap(), [true]);
        let mut upload = Upload::create(&memory, &key("u"), Algorithm::default()).unwrap();
        let piece = |len| stream::iter([Ok::<_, ()>(Bytes::from(vec![0; len]))]);
        upload.append(piece(4)).await.unwrap();
        assert!(matches!(upload.append(piece(1)).await, Err(AppendError::Storage(StorageError::Full))));
        upload.roll_back().unwrap();
        put("f", 4).await.unwrap();
        assert_eq!(memory.delete_all(&[key("f"), key("c")]).await.unwrap(), [true, true]);
        put("g", 10).await.unwrap();
    }
}

//! Staged objects in memory.

use std::{io, path::Path};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};

use super::{
    super::{AppendError, Condition, Key, Result, StorageError},
    Memory,
    key_map::{Node, Written},
};
use crate::oci::{Algorithm, Digest, Hasher};

/// A staged object and the right to write to it. When this is dropped, the object stays.
#[derive(Debug)]
pub(in crate::storage) struct Upload {
    memory: Memory,
    key: Key,
    hasher: Box<Hasher>,
    offset: u64,
    /// The offset at the last sync.
    synced: u64,
}

impl Upload {
    /// Begins a staged object.
    pub(super) fn create(memory: &Memory, key: &Key, algorithm: Algorithm) -> Result<Self> {
        let mut map = memory.map();
        if map.leases.contains(key) {
            return Err(StorageError::Exists);
        }
        map.put(key, Node::Staged(BytesMut::new(), Written::now()), Condition::IfAbsent)?;
        map.leases.insert(key.clone());
        Ok(Self {
            memory: memory.clone(),
            key: key.clone(),
            hasher: Box::new(Hasher::new(algorithm)),
            offset: 0,
            synced: 0,
        })
    }

    /// Resumes the staged object at `key`, if there is one.
    pub(super) fn reopen(memory: &Memory, key: &Key) -> Result<Option<Self>> {
        let mut map = memory.map();
        if map.leases.contains(key) {
            return Err(StorageError::Busy);
        }
        let Some((bytes, stat)) = map.object(key) else { return Ok(None) };
        let mut hasher = Box::new(Hasher::new(Algorithm::default()));
        hasher.update(&bytes);
        if let Some(node) = map.node(key)
            && let Node::Object(_, written) | Node::Staged(_, written) = *node
        {
            *node = Node::Staged(BytesMut::from(bytes), written);
        }
        map.leases.insert(key.clone());
        Ok(Some(Self { memory: memory.clone(), key: key.clone(), hasher, offset: stat.len, synced: stat.len }))
    }

    /// The length in bytes.
    pub(in crate::storage) fn offset(&self) -> u64 {
        self.offset
    }

    /// As [`crate::storage::Staging::append`].
    pub(in crate::storage) async fn append<E>(
        &mut self,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), AppendError<E>> {
        self.content()?;
        while let Some(piece) = body.next().await {
            self.write(&piece.map_err(AppendError::Body)?)?;
        }
        Ok(())
    }

    /// As [`crate::storage::Staging::sync`].
    pub(in crate::storage) fn sync(&mut self) {
        self.synced = self.offset;
    }

    /// As [`crate::storage::Staging::roll_back`].
    pub(in crate::storage) fn roll_back(&mut self) -> Result<()> {
        let mut map = self.memory.map();
        let Some(Node::Staged(bytes, _)) = map.node(&self.key) else { return Err(self.gone()) };
        let before = bytes.len();
        bytes.truncate(usize::try_from(self.synced).unwrap_or(usize::MAX));
        let cut = before - bytes.len();
        let mut hasher = Hasher::new(self.hasher.algorithm());
        hasher.update(bytes);
        map.release(cut);
        drop(map);
        (*self.hasher, self.offset) = (hasher, self.synced);
        Ok(())
    }

    /// The digest of all bytes.
    pub(in crate::storage) fn digest(&self, algorithm: Algorithm) -> Result<Digest> {
        let bytes = self.content()?;
        if self.hasher.algorithm() == algorithm {
            return Ok(Hasher::clone(&self.hasher).finish());
        }
        Ok(Digest::of(algorithm, &bytes))
    }

    /// Moves it to `key`.
    pub(in crate::storage) fn promote(self, key: &Key) -> Result<()> {
        let renamed = self.memory.map().rename(&self.key, key);
        if renamed.is_err() {
            self.discard();
        }
        renamed
    }

    /// Deletes it.
    pub(in crate::storage) fn discard(self) {
        self.memory.map().remove_object(&self.key);
    }

    fn write(&mut self, piece: &Bytes) -> Result<()> {
        let mut map = self.memory.map();
        map.reserve(piece.len())?;
        let Some(Node::Staged(bytes, written)) = map.node(&self.key) else {
            map.release(piece.len());
            return Err(self.gone());
        };
        bytes.extend_from_slice(piece);
        *written = Written::now();
        drop(map);
        self.hasher.update(piece);
        self.offset += piece.len() as u64;
        Ok(())
    }

    fn content(&self) -> Result<Bytes> {
        self.memory.map().object(&self.key).map(|(bytes, _)| bytes).ok_or_else(|| self.gone())
    }

    fn gone(&self) -> StorageError {
        let error = io::Error::from(io::ErrorKind::NotFound);
        StorageError::io("use the staged object", Path::new(self.key.as_str()), error)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.memory.map().leases.remove(&self.key);
    }
}

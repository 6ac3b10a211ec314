//! The keys of a store in memory. Prefixes stay when they become empty, as directories do, so that callers meet the
//! same behaviour in both back ends.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

use bytes::{Bytes, BytesMut};

use super::super::{
    Child, Condition, Key, Result, Stat, StorageError,
    stat::{Identity, Version},
};

/// The content of the store.
#[derive(Debug, Default)]
pub(super) struct KeyMap {
    nodes: BTreeMap<String, Node>,
    /// The staged objects that someone holds.
    pub(super) leases: HashSet<Key>,
    /// The bytes of all objects.
    used: u64,
    /// The most that they may have; `None`: no bound.
    pub(super) limit: Option<u64>,
}

/// The value of one key.
#[derive(Debug)]
pub(super) enum Node {
    /// A prefix.
    Prefix,
    /// A complete object.
    Object(Bytes, Written),
    /// A staged object.
    Staged(BytesMut, Written),
}

/// The last write to an object: its time and its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written(SystemTime, u64);

impl Written {
    /// A write that happens now.
    pub(super) fn now() -> Self {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        Self(SystemTime::now(), WRITES.fetch_add(1, Relaxed))
    }

    fn stat(self, bytes: &[u8]) -> Stat {
        Stat { len: bytes.len() as u64, modified: self.0, version: Version(Identity::Memory(self.1)) }
    }
}

impl Node {
    /// An object that is written now.
    pub(super) fn object(bytes: Bytes) -> Self {
        Self::Object(bytes, Written::now())
    }

    fn len(&self) -> usize {
        match self {
            Self::Prefix => 0,
            Self::Object(bytes, _) => bytes.len(),
            Self::Staged(bytes, _) => bytes.len(),
        }
    }

    fn stat(&self) -> Option<Stat> {
        match self {
            Self::Prefix => None,
            Self::Object(bytes, written) => Some(written.stat(bytes)),
            Self::Staged(bytes, written) => Some(written.stat(bytes)),
        }
    }
}

impl KeyMap {
    /// Counts bytes that are about to be stored.
    pub(super) fn reserve(&mut self, len: usize) -> Result<()> {
        let used = self.used.saturating_add(len as u64);
        if self.limit.is_some_and(|limit| used > limit) {
            return Err(StorageError::Full);
        }
        self.used = used;
        Ok(())
    }

    /// Counts bytes that were removed.
    pub(super) fn release(&mut self, len: usize) {
        self.used = self.used.saturating_sub(len as u64);
    }

    fn insert(&mut self, key: &Key, node: Node) {
        let replaced = self.nodes.insert(key.as_str().to_owned(), node);
        self.release(replaced.map_or(0, |node| node.len()));
    }

    /// The metadata of an object.
    pub(super) fn stat(&self, key: &Key) -> Option<Stat> {
        self.nodes.get(key.as_str())?.stat()
    }

    /// The bytes of an object, and its metadata.
    pub(super) fn object(&self, key: &Key) -> Option<(Bytes, Stat)> {
        let node = self.nodes.get(key.as_str())?;
        let bytes = match node {
            Node::Prefix => return None,
            Node::Object(bytes, _) => bytes.clone(),
            Node::Staged(bytes, _) => Bytes::copy_from_slice(bytes),
        };
        Some((bytes, node.stat()?))
    }

    /// Sets the time of an object to now; returns whether there is one.
    pub(super) fn touch(&mut self, key: &Key) -> bool {
        match self.nodes.get_mut(key.as_str()) {
            Some(Node::Object(_, written) | Node::Staged(_, written)) => {
                *written = Written::now();
                true
            }
            Some(Node::Prefix) | None => false,
        }
    }

    /// The value of a key, for a change.
    pub(super) fn node(&mut self, key: &Key) -> Option<&mut Node> {
        self.nodes.get_mut(key.as_str())
    }

    /// Stores an object.
    pub(super) fn put(&mut self, key: &Key, node: Node, condition: Condition) -> Result<()> {
        let present = self.nodes.get(key.as_str());
        match (condition, present) {
            (_, Some(Node::Prefix)) | (Condition::IfAbsent, Some(_)) => return Err(StorageError::Exists),
            (Condition::IfVersion(version), _) if self.stat(key).is_none_or(|stat| stat.version != version) => {
                return Err(StorageError::Changed);
            }
            _ => {}
        }
        if let Some(parent) = key.parent() {
            self.make_prefix(&parent)?;
        }
        self.reserve(node.len())?;
        self.insert(key, node);
        Ok(())
    }

    /// Makes a prefix and those above it.
    pub(super) fn make_prefix(&mut self, prefix: &Key) -> Result<()> {
        if let Some(parent) = prefix.parent() {
            self.make_prefix(&parent)?;
        }
        match self.nodes.entry(prefix.as_str().to_owned()).or_insert(Node::Prefix) {
            Node::Prefix => Ok(()),
            Node::Object(..) | Node::Staged(..) => Err(StorageError::Exists),
        }
    }

    /// Whether there is nothing at `prefix`, or an empty prefix.
    pub(super) fn is_free_for_tree(&self, prefix: &Key) -> bool {
        match self.nodes.get(prefix.as_str()) {
            None => true,
            Some(Node::Prefix) => self.children(prefix).is_empty(),
            Some(_) => false,
        }
    }

    /// Removes one object.
    pub(super) fn remove_object(&mut self, key: &Key) -> bool {
        let is_object = matches!(self.nodes.get(key.as_str()), Some(Node::Object(..) | Node::Staged(..)));
        let removed = if is_object { self.nodes.remove(key.as_str()) } else { None };
        self.release(removed.as_ref().map_or(0, Node::len));
        removed.is_some()
    }

    /// Removes a prefix and everything under it.
    pub(super) fn remove_tree(&mut self, prefix: &Key) -> bool {
        if !matches!(self.nodes.get(prefix.as_str()), Some(Node::Prefix)) {
            return false;
        }
        let below = format!("{prefix}/");
        let is_below = |key: &String| key == prefix.as_str() || key.starts_with(&below);
        let freed = self.nodes.iter().filter(|(key, _)| is_below(key)).map(|(_, node)| node.len()).sum();
        self.nodes.retain(|key, _| !is_below(key));
        self.release(freed);
        true
    }

    /// Removes a prefix that is empty; returns whether it is gone.
    pub(super) fn remove_empty_prefix(&mut self, prefix: &Key) -> bool {
        if !self.is_free_for_tree(prefix) {
            return false;
        }
        self.nodes.remove(prefix.as_str());
        true
    }

    /// The names directly under `prefix`, in byte order.
    pub(super) fn children(&self, prefix: &Key) -> Vec<Child> {
        let below = format!("{prefix}/");
        let under = self.nodes.range(below.clone()..).take_while(|(key, _)| key.starts_with(&below));
        let mut children: Vec<_> = under
            .filter(|(key, _)| !key[below.len()..].contains('/'))
            .map(|(key, node)| Child { name: key[below.len()..].to_owned(), is_prefix: matches!(node, Node::Prefix) })
            .collect();
        children.sort_unstable();
        children
    }

    /// Moves one object, over whatever object is at `to`.
    pub(super) fn rename(&mut self, from: &Key, to: &Key) -> Result<()> {
        if !matches!(self.nodes.get(from.as_str()), Some(Node::Object(..) | Node::Staged(..))) {
            let error = io::Error::from(io::ErrorKind::NotFound);
            return Err(StorageError::io("rename", Path::new(from.as_str()), error));
        }
        if let Some(Node::Prefix) = self.nodes.get(to.as_str()) {
            return Err(StorageError::Exists);
        }
        if let Some(parent) = to.parent() {
            self.make_prefix(&parent)?;
        }
        let node = self.nodes.remove(from.as_str()).map(|node| match node {
            Node::Staged(bytes, written) => Node::Object(bytes.freeze(), written),
            other => other,
        });
        if let Some(node) = node {
            self.insert(to, node);
        }
        Ok(())
    }
}

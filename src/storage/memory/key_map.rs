//! Keys and what is at them. Prefixes stay when they get empty, as directories do, so that the rules above meet the same
//! everywhere.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::Path,
    time::SystemTime,
};

use bytes::{Bytes, BytesMut};

use super::super::{Child, Condition, Key, Stat, StorageError};

/// What is in the store.
#[derive(Debug, Default)]
pub(super) struct KeyMap {
    nodes: BTreeMap<String, Node>,
    /// The staged objects that someone holds.
    pub(super) leases: HashSet<Key>,
}

/// What is at one key.
#[derive(Debug)]
pub(super) enum Node {
    /// A prefix.
    Prefix,
    /// An object that is complete.
    Object(Bytes, SystemTime),
    /// An object that is being received.
    Staged(BytesMut, SystemTime),
}

impl Node {
    /// An object, from now on.
    pub(super) fn object(bytes: Bytes) -> Self {
        Self::Object(bytes, SystemTime::now())
    }
}

impl KeyMap {
    /// The bytes of an object, and what is known of it.
    pub(super) fn object(&self, key: &Key) -> Option<(Bytes, Stat)> {
        let (bytes, modified) = match self.nodes.get(key.as_str())? {
            Node::Prefix => return None,
            Node::Object(bytes, modified) => (bytes.clone(), *modified),
            Node::Staged(bytes, modified) => (Bytes::copy_from_slice(bytes), *modified),
        };
        Some((bytes.clone(), Stat { len: bytes.len() as u64, modified }))
    }

    /// Dates an object with this moment; whether there is one.
    pub(super) fn touch(&mut self, key: &Key) -> bool {
        match self.nodes.get_mut(key.as_str()) {
            Some(Node::Object(_, modified) | Node::Staged(_, modified)) => {
                *modified = SystemTime::now();
                true
            }
            Some(Node::Prefix) | None => false,
        }
    }

    /// What is at a key, to change it.
    pub(super) fn node(&mut self, key: &Key) -> Option<&mut Node> {
        self.nodes.get_mut(key.as_str())
    }

    /// Stores an object.
    pub(super) fn put(&mut self, key: &Key, node: Node, condition: Condition) -> Result<(), StorageError> {
        match self.nodes.get(key.as_str()) {
            Some(Node::Prefix) => return Err(StorageError::Exists),
            Some(_) if condition == Condition::IfAbsent => return Err(StorageError::Exists),
            Some(_) | None => {}
        }
        if let Some(parent) = key.parent() {
            self.make_prefix(&parent)?;
        }
        self.nodes.insert(key.as_str().to_owned(), node);
        Ok(())
    }

    /// Makes a prefix and those above it.
    pub(super) fn make_prefix(&mut self, prefix: &Key) -> Result<(), StorageError> {
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
        is_object && self.nodes.remove(key.as_str()).is_some()
    }

    /// Removes a prefix and everything under it.
    pub(super) fn remove_tree(&mut self, prefix: &Key) -> bool {
        if !matches!(self.nodes.get(prefix.as_str()), Some(Node::Prefix)) {
            return false;
        }
        let below = format!("{prefix}/");
        self.nodes.retain(|key, _| key != prefix.as_str() && !key.starts_with(&below));
        true
    }

    /// Removes a prefix, unless something is under it; whether it is gone.
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
    pub(super) fn rename(&mut self, from: &Key, to: &Key) -> Result<(), StorageError> {
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
            Node::Staged(bytes, modified) => Node::Object(bytes.freeze(), modified),
            other => other,
        });
        self.nodes.extend(node.map(|node| (to.as_str().to_owned(), node)));
        Ok(())
    }
}

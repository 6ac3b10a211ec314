//! Several writes of which each relies on those before it.

use bytes::Bytes;

use super::{Key, Verified};

/// One write of a [`super::Storage::commit`].
#[derive(Debug)]
pub enum Step {
    /// Verified content becomes the object at a key, over whatever is there.
    Promote(Verified, Key),
    /// Prefixes can be seen although nothing is under them yet, as with [`super::Storage::make_prefixes`].
    MakePrefixes(Vec<Key>),
    /// A small object is stored over whatever is there.
    Put(Key, Bytes),
    /// A small object is stored as by [`Step::Put`], but together with the first step of another kind, so that it takes
    /// no time of its own. Both are durable before the steps after that become visible.
    Record(Key, Bytes),
    /// Several small objects appear at once under a prefix where nothing is yet, as with [`super::Storage::put_tree`].
    PutTree(Key, Vec<(Key, Bytes)>),
}

//! The metadata of objects.

use std::{fmt, time::SystemTime};

/// The free space of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// How many bytes can still be written.
    pub bytes: u64,
    /// How many files can still be made; `None` where the filesystem has no limit of files.
    pub inodes: Option<u64>,
}

/// The metadata of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stat {
    /// Its length in bytes.
    pub len: u64,
    /// When it was written or [touched](super::Storage::touch).
    pub modified: SystemTime,
    /// Which bytes it has.
    pub version: Version,
}

/// Identifies the bytes of an object at one moment: another version means that they may have changed.
///
/// A touch may change the version too. Versions of different objects cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub(super) Identity);

/// The identity of the bytes in each back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// The file, and the time of the last change of its inode, in seconds and nanoseconds. A put makes a new file. Only
    /// a filesystem that reuses an inode within one tick of the kernel's clock can give two files the same identity.
    File { device: u64, inode: u64, changed: (i64, i64) },
    /// The number of the write.
    Memory(u64),
    /// The entity tag.
    S3(ETag),
}

/// The entity tag of an object in a bucket, as the store spells it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ETag {
    len: u8,
    text: [u8; 47],
}

impl ETag {
    /// `None` if it is longer than any store's.
    pub(super) fn new(etag: &str) -> Option<Self> {
        let mut text = [0; 47];
        text.get_mut(..etag.len())?.copy_from_slice(etag.as_bytes());
        Some(Self { len: u8::try_from(etag.len()).ok()?, text })
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One name directly under a prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Child {
    /// The last component.
    pub name: String,
    /// Whether it is a prefix, not an object.
    pub is_prefix: bool,
}

/// When a [`put`](super::Storage::put) may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always: an object at the key is replaced.
    Any,
    /// Only if the key is free (`If-None-Match: *`); otherwise [`StorageError::Exists`](super::StorageError::Exists).
    IfAbsent,
    /// Only if the object has this version (`If-Match`); otherwise
    /// [`StorageError::Changed`](super::StorageError::Changed).
    IfVersion(Version),
}

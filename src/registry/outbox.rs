//! The outbox: records of changes that are to be reported elsewhere. This is its storage; a listener decides what is in
//! a record, and stores it by [`Listener::prepare`](super::events::Listener::prepare).

use std::time::SystemTime;

use bytes::Bytes;

use super::{Registry, Repository, layout};
use crate::{
    oci::{Digest, Tag},
    storage::{Condition, Key, Step, StorageError},
};

/// The longest record, in bytes: a manifest of the largest size is repeated in its references.
const RECORD_LIMIT: u64 = 16 * 1024 * 1024;

/// How many records are removed at a time, by one call to the store.
const AT_ONCE: usize = 1000;

/// A record in the outbox, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxRecord {
    /// Its number. Later records have greater ones.
    pub number: u64,
    /// Its length in bytes.
    pub len: u64,
    /// When it was stored.
    pub stored: SystemTime,
}

/// What a repository is like after a change, if nothing changed it since.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// It has this manifest, and these tags name it.
    Manifest(&'a Digest, &'a [Tag]),
    /// It does not have this manifest.
    NoManifest(&'a Digest),
    /// It does not have this tag.
    NoTag(&'a Tag),
    /// It has this blob.
    Blob(&'a Digest),
    /// It does not have this blob.
    NoBlob(&'a Digest),
}

impl Registry {
    /// The step that stores the record with this number.
    #[must_use]
    pub fn outbox_step(number: u64, content: Bytes) -> Step {
        Step::Record(layout::outbox_record(number), content)
    }

    /// The number of the record at `key`; `None` if it is no record's key.
    #[must_use]
    pub fn outbox_number(key: &Key) -> Option<u64> {
        let (prefix, name) = key.as_str().rsplit_once('/')?;
        (prefix == layout::outbox_records().as_str()).then(|| name.parse().ok()).flatten()
    }

    /// All records, by their numbers.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn outbox_records(&self) -> Result<Vec<OutboxRecord>, StorageError> {
        let children = self.storage().children(&layout::outbox_records()).await?;
        let numbers: Vec<u64> = children.iter().filter_map(|child| child.name.parse().ok()).collect();
        let keys: Vec<Key> = numbers.iter().map(|number| layout::outbox_record(*number)).collect();
        let mut records = Vec::new();
        for (number, stat) in numbers.into_iter().zip(self.storage().stat_all(&keys).await) {
            records.extend(stat?.map(|stat| OutboxRecord { number, len: stat.len, stored: stat.modified }));
        }
        Ok(records)
    }

    /// The content of a record; `None` if there is none with this number.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn outbox_record(&self, number: u64) -> Result<Option<Bytes>, StorageError> {
        self.storage().read(&layout::outbox_record(number), RECORD_LIMIT).await
    }

    /// Removes records, durably.
    ///
    /// # Errors
    /// The error of the store; some may be removed then.
    pub async fn remove_outbox_records(&self, numbers: &[u64]) -> Result<(), StorageError> {
        let keys: Vec<Key> = numbers.iter().map(|number| layout::outbox_record(*number)).collect();
        for keys in keys.chunks(AT_ONCE) {
            self.storage().delete_all(keys).await?;
        }
        Ok(())
    }

    /// What was stored last by [`Registry::set_outbox_state`].
    ///
    /// # Errors
    /// The error of the store.
    pub async fn outbox_state(&self) -> Result<Option<Bytes>, StorageError> {
        self.storage().read(&layout::outbox_state(), RECORD_LIMIT).await
    }

    /// Stores how far the endpoints are, durably.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn set_outbox_state(&self, state: Bytes) -> Result<(), StorageError> {
        self.storage().put(&layout::outbox_state(), state, Condition::Any).await
    }

    /// Removes the whole outbox, durably; returns whether there was one.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn remove_outbox(&self) -> Result<bool, StorageError> {
        if self.storage().children(&layout::outbox()).await?.is_empty() {
            return Ok(false);
        }
        self.storage().delete_tree(&layout::outbox()).await
    }
}

impl Repository {
    /// Whether this repository is as a change has left it.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn is_as_after(&self, outcome: Outcome<'_>) -> Result<bool, StorageError> {
        match outcome {
            Outcome::Manifest(digest, tags) => {
                for tag in tags {
                    if self.resolve(tag).await?.as_ref() != Some(digest) {
                        return Ok(false);
                    }
                }
                self.has_manifest(digest).await
            }
            Outcome::NoManifest(digest) => Ok(!self.has_manifest(digest).await?),
            Outcome::NoTag(tag) => Ok(self.resolve(tag).await?.is_none()),
            Outcome::Blob(digest) => Ok(self.blob_link(digest).await?.is_some()),
            Outcome::NoBlob(digest) => Ok(self.blob_link(digest).await?.is_none()),
        }
    }

    async fn blob_link(&self, digest: &Digest) -> Result<Option<Digest>, StorageError> {
        self.read_link(&layout::link(&layout::layer(&self.name, digest))).await
    }
}

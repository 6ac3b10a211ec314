//! The record of repositories: which of them the store has had, so that one that is missing is not taken for one that
//! never was.
//!
//! A record is an empty prefix under `wharf/recorded`. It is made with the repository, before the first link into it,
//! and removed before the repository is. A start and a collection record the repositories that another registry made.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Registry, Repository, layout, layout::RepositoryRecord, repository_walk::AT_A_TIME};
use crate::{
    oci::RepositoryName,
    storage::{Child, Key, StorageError},
};

/// How many repositories are recorded at a time.
const AT_ONCE: usize = 16;

/// How the record of repositories began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ContentOrigin {
    /// It has not begun.
    #[default]
    Unknown,
    /// There were repositories, or there was no content.
    Explained,
    /// There was content, and no repository.
    Unexplained,
}

/// The last component of the mark for a record that began with all in order. No name begins so.
pub(super) const BEGUN: &str = "_begun";
/// The same for content that no repository explained.
pub(super) const UNEXPLAINED: &str = "_unexplained";

/// The records of a store.
#[derive(Debug, Default)]
pub(super) struct RepositoryRecords {
    /// By name.
    pub(super) repositories: BTreeMap<RepositoryName, RepositoryRecord>,
    /// How the record began.
    pub(super) origin: ContentOrigin,
}

impl RepositoryRecords {
    /// What the children of the prefix of all records say. A record of a repository is one of a store that an earlier
    /// version began.
    pub(super) fn origin_in(children: &[Child]) -> ContentOrigin {
        let has = |mark| children.iter().any(|child| child.name == mark);
        if has(UNEXPLAINED) {
            ContentOrigin::Unexplained
        } else if has(BEGUN) || children.iter().any(|child| !child.name.starts_with('_')) {
            ContentOrigin::Explained
        } else {
            ContentOrigin::Unknown
        }
    }
}

impl Registry {
    /// Every record.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn records(&self) -> Result<RepositoryRecords, StorageError> {
        let mut records = RepositoryRecords::default();
        let mut unread: Vec<Box<str>> = vec![Box::default()];
        while !unread.is_empty() {
            let paths = unread.split_off(unread.len().saturating_sub(AT_A_TIME));
            let prefixes: Vec<Key> = paths.iter().map(|path| prefix_of(path)).collect();
            for (path, children) in paths.iter().zip(self.storage().children_of(&prefixes, usize::MAX).await) {
                let children = children?;
                if path.is_empty() {
                    records.origin = RepositoryRecords::origin_in(&children);
                }
                let is = |kind: &RepositoryRecord| children.iter().any(|child| child.name == kind.component());
                if let (Some(recorded), Ok(name)) = (RepositoryRecord::ALL.into_iter().rfind(is), path.parse()) {
                    records.repositories.insert(name, recorded);
                }
                for child in children.iter().filter(|child| child.is_prefix && !child.name.starts_with('_')) {
                    let slash = if path.is_empty() { "" } else { "/" };
                    unread.push(format!("{path}{slash}{}", child.name).into());
                }
            }
        }
        Ok(records)
    }

    /// Records what is there and is not recorded.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn record(&self, found: Vec<(RepositoryName, RepositoryRecord)>) -> Result<(), StorageError> {
        stream::iter(found)
            .map(|(name, recorded)| self.repository(name).record(recorded))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}

impl Repository {
    async fn record(self, recorded: RepositoryRecord) -> Result<(), StorageError> {
        // One that is removed meanwhile must not be recorded after that.
        let _shared = self.locks().shared(&self.name).await;
        if !self.is_there().await? {
            return Ok(());
        }
        self.storage().make_prefixes(&[layout::record(&self.name, recorded)]).await
    }

    /// Takes the record away. The caller has the repository alone.
    pub(super) async fn remove_record(&self) -> Result<(), StorageError> {
        for recorded in RepositoryRecord::ALL {
            self.storage().remove_empty_prefixes(&[layout::record(&self.name, recorded)]).await?;
        }
        self.storage().remove_empty_prefixes(&layout::above_record(&self.name)).await?;
        Ok(())
    }
}

fn prefix_of(path: &str) -> Key {
    path.split('/').filter(|component| !component.is_empty()).fold(layout::records(), Key::then)
}

//! The catalog in a store that several processes serve: one empty object for each repository that holds a manifest.
//!
//! `wharf/catalog/<name>!`: no key lies under another, and the keys sort as the names do. A push looks for the entry
//! after its last link. A delete that leaves no manifest deletes the entry, looks again, and restores it.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Holds;
use crate::{
    oci::RepositoryName,
    registry::{Page, Registry, Repository, layout, repository_walk::AT_A_TIME},
    storage::{Condition, SharedStore, StorageError},
};

impl Repository {
    /// Makes the entry of a repository that holds a manifest, if it is not there. Nothing, unless the store is shared.
    pub(in crate::registry) async fn list_in_catalog(&self) -> Result<(), StorageError> {
        let entry = layout::catalog_entry(&self.name);
        if !self.storage().is_shared() || self.storage().stat(&entry).await?.is_some() {
            return Ok(());
        }
        self.storage().put(&entry, Bytes::new(), Condition::Any).await
    }

    /// Removes the entry of a repository that holds no manifest any more.
    pub(in crate::registry) async fn remove_from_catalog(&self) -> Result<(), StorageError> {
        if self.holds().await? == Some(Holds::Manifests) {
            return Ok(());
        }
        self.storage().delete(&layout::catalog_entry(&self.name)).await?;
        if self.holds().await? == Some(Holds::Manifests) {
            self.list_in_catalog().await?;
        }
        Ok(())
    }
}

impl Registry {
    /// As [`Registry::list_repositories`].
    pub(super) async fn list_shared(
        &self,
        store: SharedStore<'_>,
        last: Option<&str>,
        limit: usize,
        may_see: impl Fn(&RepositoryName) -> bool,
    ) -> Result<Page<RepositoryName>, StorageError> {
        let mut after = last.map_or_else(String::new, |last| format!("{last}!"));
        let (mut entries, wanted) = (Vec::new(), limit.saturating_add(1));
        while entries.len() < wanted {
            let paths = store.paths_after(&layout::catalog(), &after, wanted.clamp(1, AT_A_TIME)).await?;
            let Some(end) = paths.last() else { break };
            after.clone_from(end);
            entries.extend(paths.iter().filter_map(|path| path.strip_suffix('!')?.parse().ok()).filter(&may_see));
        }
        Ok(Page::of(entries.into_iter(), limit))
    }

    /// Makes the entries of repositories that another registry made, and removes those of repositories that hold
    /// nothing any more.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn refresh_catalog(&self, store: SharedStore<'_>) -> Result<(), StorageError> {
        let entries = store.paths_after(&layout::catalog(), "", usize::MAX).await?;
        let listed: BTreeSet<RepositoryName> =
            entries.iter().filter_map(|path| path.strip_suffix('!')?.parse().ok()).collect();
        let found = self.find_repositories(Err).await?.names;
        let held = self.holdings(found).await.into_iter().filter(|(_, holds)| *holds == Holds::Manifests);
        let held: BTreeSet<RepositoryName> = held.map(|(name, _)| name).collect();
        for name in held.difference(&listed) {
            self.repository(name.clone()).list_in_catalog().await?;
        }
        for name in listed.difference(&held) {
            self.repository(name.clone()).remove_from_catalog().await?;
        }
        Ok(())
    }
}

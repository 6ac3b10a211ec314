//! The catalog in a store that several processes serve: one empty object for each repository that holds a manifest.
//!
//! `wharf/catalog/<name>!`: no key lies under another, and the keys sort as the names do. A push looks for the entry
//! after its last link. A delete that leaves no manifest deletes the entry, looks again, and restores it.

use std::collections::HashSet;

use bytes::Bytes;

use super::Holds;
use crate::{
    oci::RepositoryName,
    registry::{Page, Registry, Repository, layout, repository_walk::AT_A_TIME},
    storage::{Condition, SharedStore, StorageError},
};

impl Repository {
    /// Makes the entry of a repository that holds a manifest, if it is not there.
    pub(in crate::registry) async fn list_in_catalog(&self) -> Result<(), StorageError> {
        let Some(entry) = layout::catalog_entry(&self.name) else { return Ok(()) };
        if self.storage().stat(&entry).await?.is_some() {
            return Ok(());
        }
        self.storage().put(&entry, Bytes::new(), Condition::Any).await
    }

    /// Removes the entry of a repository that holds no manifest any more.
    pub(in crate::registry) async fn remove_from_catalog(&self) -> Result<(), StorageError> {
        if self.holds().await? == Some(Holds::Manifests) {
            return Ok(());
        }
        if let Some(entry) = layout::catalog_entry(&self.name) {
            self.storage().delete(&entry).await?;
        }
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
        may_see: &(dyn Fn(&RepositoryName) -> bool + Sync),
    ) -> Result<Page<RepositoryName>, StorageError> {
        // No name has a character that sorts before `!`.
        let begin = last.map(|last| last.split(|character| character <= '!').next().unwrap_or_default());
        let mut after = begin.map_or_else(String::new, |begin| format!("{begin}!"));
        let is_wanted = |name: &RepositoryName| last.is_none_or(|last| name.as_str() > last) && may_see(name);
        let (mut entries, wanted) = (Vec::new(), limit.saturating_add(1));
        let (at_a_time, mut is_over) = (wanted.min(AT_A_TIME), false);
        while entries.len() < wanted && !is_over {
            let paths = store.paths_after(&layout::catalog(), &after, at_a_time).await?;
            is_over = paths.len() < at_a_time;
            after = paths.last().cloned().unwrap_or_default();
            entries.extend(paths.iter().filter_map(|path| path.strip_suffix('!')?.parse().ok()).filter(is_wanted));
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
        let listed: HashSet<RepositoryName> =
            entries.iter().filter_map(|path| path.strip_suffix('!')?.parse().ok()).collect();
        let found = self.find_repositories(Err).await?.names;
        let held = self.holdings(found).await.into_iter().filter(|(_, holds)| *holds == Holds::Manifests);
        let held: HashSet<RepositoryName> = held.map(|(name, _)| name).collect();
        for name in held.difference(&listed) {
            self.repository(name.clone()).list_in_catalog().await?;
        }
        for name in listed.difference(&held) {
            self.repository(name.clone()).remove_from_catalog().await?;
        }
        Ok(())
    }
}

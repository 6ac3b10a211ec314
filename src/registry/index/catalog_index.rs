//! Which repositories there are.
//!
//! No walk over directories gives the names in byte order, so they are kept in a sorted map in memory. It is read from
//! the store after the start, in the background, and kept current by every change.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound::{Excluded, Unbounded},
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt as _;
use tokio::sync::SetOnce;

use super::Holds;
use crate::{
    oci::RepositoryName,
    registry::{Registry, RegistryError},
};

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in byte order.
    pub entries: Vec<T>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

impl<T> Page<T> {
    /// The first `limit` of `entries`. An empty page has none after it.
    pub(in crate::registry) fn of(entries: impl Iterator<Item = T>, limit: usize) -> Self {
        let mut entries = entries;
        let page: Vec<T> = entries.by_ref().take(limit).collect();
        let more = !page.is_empty() && entries.next().is_some();
        Self { entries: page, more }
    }
}

/// The names of all repositories.
#[derive(Debug, Default)]
pub(in crate::registry) struct Catalog {
    names: Mutex<Names>,
    loaded: SetOnce<()>,
}

#[derive(Debug, Default)]
struct Names {
    known: BTreeMap<RepositoryName, Holds>,
    /// What changed before the names were read, which says more than what was read.
    changed: HashMap<RepositoryName, Option<Holds>>,
}

impl Catalog {
    /// Says what a repository holds now; `None`: it is gone.
    pub(in crate::registry) fn set(&self, name: &RepositoryName, holds: Option<Holds>) {
        let mut names = self.names();
        if self.loaded.initialized() {
            names.apply(name.clone(), holds);
        } else {
            names.changed.insert(name.clone(), holds);
        }
    }

    /// Says that a repository is there, whatever it holds.
    pub(in crate::registry) fn exists(&self, name: &RepositoryName) {
        let mut names = self.names();
        // Before the names were read, a removal stands in the changes, and would be the last word.
        if let Some(gone @ None) = names.changed.get_mut(name) {
            *gone = Some(Holds::Blobs);
        } else {
            names.known.entry(name.clone()).or_insert(Holds::Blobs);
        }
    }

    /// The names of all repositories, also of those that hold only blobs. Waits until they were read.
    pub(in crate::registry) async fn all(&self) -> Vec<RepositoryName> {
        self.loaded.wait().await;
        self.names().known.keys().cloned().collect()
    }

    fn fill(&self, read: BTreeMap<RepositoryName, Holds>) {
        let mut names = self.names();
        let seen = std::mem::take(&mut names.known);
        names.known = read;
        for (name, holds) in seen {
            names.known.entry(name).or_insert(holds);
        }
        for (name, holds) in std::mem::take(&mut names.changed) {
            names.apply(name, holds);
        }
        // Set while the names are locked, so that no change falls between.
        let _ = self.loaded.set(());
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    fn apply(&mut self, name: RepositoryName, holds: Option<Holds>) {
        match holds {
            Some(holds) => self.known.insert(name, holds),
            None => self.known.remove(&name),
        };
    }
}

impl Registry {
    /// The repositories after `last` that hold a manifest and that the caller may see, `limit` at most, in byte order
    /// of the whole name. Waits until the names were read.
    ///
    /// # Errors
    /// The error of a store that is shared.
    pub async fn list_repositories(
        &self,
        last: Option<&str>,
        limit: usize,
        may_see: impl Fn(&RepositoryName) -> bool + Sync,
    ) -> Result<Page<RepositoryName>, RegistryError> {
        let catalog = &self.0.catalog;
        catalog.loaded.wait().await;
        if let Some(store) = self.storage().shared() {
            return Ok(self.list_shared(store, last, limit, &may_see).boxed().await?);
        }
        let names = catalog.names();
        let after = last.map_or(Unbounded, Excluded);
        let listed = names.known.range::<str, _>((after, Unbounded));
        let seen = listed.filter(|(name, holds)| **holds == Holds::Manifests && may_see(name));
        Ok(Page::of(seen.map(|(name, _)| name.clone()), limit))
    }

    /// The names of all repositories, also of those that hold only blobs; of a shared store, only of those that got
    /// their blobs from this process, and some names twice. Waits until they were read.
    pub(in crate::registry) async fn all_names(&self) -> Result<Vec<RepositoryName>, RegistryError> {
        let mut names = self.0.catalog.all().await;
        if self.storage().is_shared() {
            names.extend(self.list_repositories(None, usize::MAX, |_| true).await?.entries);
        }
        Ok(names)
    }
}

/// Reads the names from the store.
pub(in crate::registry) async fn load(registry: Registry) {
    if let Some(store) = registry.storage().shared() {
        if !registry.is_read_only()
            && let Err(error) = registry.refresh_catalog(store).await
        {
            tracing::error!(%error, "the list of repositories can't be compared with the bucket");
        }
        return registry.0.catalog.fill(BTreeMap::new());
    }
    let names = read_names(&registry).await;
    registry.0.catalog.fill(names);
    if registry.is_read_only() {
        return;
    }
    if let Err(error) = registry.settles_in().await {
        tracing::warn!(%error, "it can't be noted since when the store is served; the next collection tries it again");
    }
    let recorded = async {
        registry.begin_record().await?;
        registry.record(registry.survey().await?.unrecorded).await
    };
    if let Err(error) = recorded.await {
        tracing::warn!(%error, "the repositories can't be recorded; the next collection tries it again");
    }
}

async fn read_names(registry: &Registry) -> BTreeMap<RepositoryName, Holds> {
    let found = registry.find_repositories(|error| {
        // One that can't be read must not hide all others.
        tracing::error!(%error, "a part of the store can't be listed");
        Ok(())
    });
    let names = found.await.unwrap_or_default().names;
    registry.holdings(names).await.into_iter().collect()
}

//! What nothing refers to goes: links first, content last.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{CollectionError, Collector, Phase, Removal, Removed};
use crate::{
    oci::{Algorithm, Digest, RepositoryName},
    registry::{Repository, layout},
    storage::{Stat, StorageError},
};

/// How many things are removed at a time. Each waits for the disk, and readers wait with it.
const REMOVALS: usize = 4;

impl Collector {
    /// Takes away the links to blobs that no manifest of the same repository refers to, and the repositories that have nothing left.
    pub(super) async fn sweep_links(&mut self, names: &[RepositoryName]) -> Result<(), CollectionError> {
        for (done, name) in names.iter().enumerate() {
            self.go_on()?;
            self.account.progress(Phase::Links, done, names.len());
            let repository = self.registry.repository(name.clone());
            self.sweep_links_of(&repository).await?;
            self.remove_if_empty(&repository).await?;
        }
        Ok(())
    }

    async fn sweep_links_of(&mut self, repository: &Repository) -> Result<(), CollectionError> {
        // Whoever is pushing here may have been told what is here long ago.
        let grace = self.registry.0.rules.gc.grace;
        let is_busy =
            repository.has_uploads().await? || self.registry.has_foreign_uploads(&repository.name, grace).await?;
        let linked = repository.linked_below(&layout::layers(&repository.name)).await?;
        let (dead, living): (Vec<_>, Vec<_>) =
            linked.into_iter().partition(|digest| !is_busy && !self.marks.links.has((&repository.name, digest)));
        let mut kept = living;
        let mut removals = stream::iter(dead)
            .map(|digest| {
                let this = &*self;
                async move { this.remove_link(repository, &digest).await.map(|removed| (digest, removed)) }
            })
            .buffer_unordered(REMOVALS)
            .map_err(CollectionError::from);
        let mut removed = Vec::new();
        while let Some((digest, was_removed)) = removals.try_next().await? {
            if was_removed { removed.push(digest) } else { kept.push(digest) }
        }
        drop(removals);
        for digest in removed {
            let repository = Some(repository.name.clone());
            self.account.removed(Removal { kind: Removed::Link, repository, digest: Some(digest), bytes: 0 }).await;
        }
        self.keep(repository, kept).await
    }

    /// Takes one link away, unless it is young or somebody relies on it.
    async fn remove_link(&self, repository: &Repository, digest: &Digest) -> Result<bool, StorageError> {
        let prefix = layout::layer(&repository.name, digest);
        let link = layout::link(&prefix);
        let storage = self.registry.storage();
        let Some(seen) = storage.stat(&link).await? else { return Ok(false) };
        if !self.is_old(seen.modified) || self.go_on().is_err() {
            return Ok(false);
        }
        let Some(_taken) = self.run.take(digest) else { return Ok(false) };
        if storage.stat(&link).await? != Some(seen) {
            return Ok(false);
        }
        if !self.collection.dry_run {
            storage.delete_tree(&prefix).await?;
        }
        Ok(true)
    }

    /// Content that a repository still has a link to stays.
    async fn keep(&mut self, repository: &Repository, linked: Vec<Digest>) -> Result<(), CollectionError> {
        for digest in linked {
            let link = layout::link(&layout::layer(&repository.name, &digest));
            // registry:2 keeps a sha512 blob under its sha256 name. Only there does the link say more than its path.
            let target = match digest.algorithm() {
                Algorithm::Sha512 => repository.read_link(&link).await?,
                Algorithm::Sha256 => None,
            };
            if target.is_some() || self.registry.storage().stat(&link).await?.is_some() {
                self.marks.contents.insert(&digest);
            }
            if let Some(target) = target {
                self.marks.contents.insert(&target);
            }
        }
        Ok(())
    }

    async fn remove_if_empty(&mut self, repository: &Repository) -> Result<(), CollectionError> {
        if self.collection.dry_run || !repository.is_there().await? {
            return Ok(());
        }
        if repository.remove_if_empty().await? {
            let repository = Some(repository.name.clone());
            self.account.removed(Removal { kind: Removed::Repository, repository, digest: None, bytes: 0 }).await;
        }
        Ok(())
    }

    /// Takes away the bytes of what is in no repository any more.
    pub(super) async fn sweep_contents(&mut self) -> Result<(), CollectionError> {
        const PARTS: usize = 512;
        let mut done = 0;
        for algorithm in Algorithm::ALL {
            let prefix = layout::contents(algorithm);
            for part in self.registry.storage().children(&prefix).await? {
                self.go_on()?;
                self.account.progress(Phase::Contents, done.min(PARTS), PARTS);
                done += 1;
                let names = self.registry.storage().children(&prefix.join(&part.name)).await?;
                let digests = names.into_iter().filter_map(|child| format!("{algorithm}:{}", child.name).parse().ok());
                self.sweep_contents_of(digests.collect()).await?;
            }
        }
        Ok(())
    }

    async fn sweep_contents_of(&mut self, digests: Vec<Digest>) -> Result<(), CollectionError> {
        let dead = digests.into_iter().filter(|digest| !self.marks.contents.has(digest));
        let mut removals = stream::iter(dead.collect::<Vec<_>>())
            .map(|digest| {
                let this = &*self;
                async move { this.remove_content(&digest).await.map(|removed| Some((digest, removed?.len))) }
            })
            .buffer_unordered(REMOVALS)
            .map_err(CollectionError::from);
        let mut removed = Vec::new();
        while let Some(one) = removals.try_next().await? {
            removed.extend(one);
        }
        drop(removals);
        for (digest, bytes) in removed {
            let digest = Some(digest);
            self.account.removed(Removal { kind: Removed::Content, repository: None, digest, bytes }).await;
        }
        Ok(())
    }

    /// Takes one blob or manifest from the disk, unless it is young or somebody relies on it; what was known of it, if it went.
    async fn remove_content(&self, digest: &Digest) -> Result<Option<Stat>, StorageError> {
        let (storage, data) = (self.registry.storage(), layout::data(digest));
        let Some(seen) = storage.stat(&data).await? else { return Ok(None) };
        if !self.is_old(seen.modified) || self.go_on().is_err() {
            return Ok(None);
        }
        let Some(_taken) = self.run.take(digest) else { return Ok(None) };
        let _alone = self.registry.0.coordinator.content(digest).await;
        if storage.stat(&data).await? != Some(seen) {
            return Ok(None);
        }
        if !self.collection.dry_run {
            storage.delete_tree(&layout::content(digest)).await?;
        }
        Ok(Some(seen))
    }
}

//! Eviction: manifests of repositories that an upstream fills go when nobody has used them for long. The collection
//! takes the blobs that nothing refers to then; an eviction by size (`gc/evict.rs`) takes them with the manifests. What
//! is wanted again is fetched again.
//!
//! The date of a manifest's link says when it was used last.

use std::time::SystemTime;

use super::{Registry, RegistryError, Repository, index::TagIndex, layout};
use crate::{
    oci::{Digest, RepositoryName},
    storage::Pace,
};

/// What an eviction did in a repository.
pub(super) struct Evicted {
    /// How many manifests went.
    pub(super) manifests: usize,
    /// The content that stays, though it was to go.
    pub(super) kept: Vec<Digest>,
}

impl Registry {
    /// Removes the manifests, and their tags, that nobody has used since `since`, from each repository that `is_meant`
    /// says and that an upstream fills; how many those were.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn evict(
        &self,
        is_meant: impl Fn(&RepositoryName) -> bool,
        since: SystemTime,
    ) -> Result<usize, RegistryError> {
        let mut evicted = 0;
        let is_filled = |name: &RepositoryName| self.filling(name).is_some() && is_meant(name);
        for name in self.all_names().await?.into_iter().filter(is_filled) {
            let repository = Repository { is_filled: true, ..self.repository(name) };
            for digest in repository.linked_below(&layout::revisions(&repository.name)).await? {
                if repository.is_unused(&digest, since).await? {
                    evicted += repository.evict_unused(Some(digest), since, Vec::new()).await?.manifests;
                }
            }
        }
        Ok(evicted)
    }
}

impl Repository {
    /// Notes, on the disk, that a manifest was used now.
    pub async fn note_use(&self, digest: &Digest) {
        let link = layout::link(&layout::revision(&self.name, digest));
        if let Err(error) = self.storage().touch(&link).await {
            tracing::warn!(%error, "the use of a manifest can't be noted");
        }
    }

    /// Removes a manifest, unless it was used after `used`, and blobs that nothing else here names, unless they are
    /// pinned.
    pub(super) async fn evict_unused(
        &self,
        manifest: Option<Digest>,
        used: SystemTime,
        blobs: Vec<Digest>,
    ) -> Result<Evicted, RegistryError> {
        let this = self.clone();
        self.locks()
            .own(async move {
                // Which tags name it is read before others have to wait.
                drop(this.with::<TagIndex>().await?);
                let mut state = this.locks().exclusive(&this.name).await;
                if let Some(manifest) = &manifest
                    && !this.is_unused(manifest, used).await?
                {
                    return Ok(Evicted { manifests: 0, kept: [blobs, vec![manifest.clone()]].concat() });
                }
                let pins = this.locks().pins();
                let (kept, gone): (Vec<_>, Vec<_>) = blobs.into_iter().partition(|blob| pins.is_pinned(blob));
                let removed = async {
                    if let Some(manifest) = &manifest {
                        this.remove_manifest(&mut state, manifest).await?;
                    }
                    let links: Vec<_> = gone.iter().map(|blob| layout::layer(&this.name, blob)).collect();
                    this.storage().delete_trees(&links, Pace::Full).await.map(drop)
                };
                let removed = removed.await;
                this.settle(&mut state, removed).await?;
                if let Some(digest) = &manifest {
                    tracing::info!(repository = %this.name, %digest, "a manifest that nobody uses was evicted");
                }
                Ok(Evicted { manifests: usize::from(manifest.is_some()), kept })
            })
            .await
    }

    async fn is_unused(&self, digest: &Digest, used: SystemTime) -> Result<bool, RegistryError> {
        let stat = self.storage().stat(&layout::link(&layout::revision(&self.name, digest))).await?;
        Ok(stat.is_some_and(|stat| stat.modified <= used))
    }
}

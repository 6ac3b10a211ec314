//! Eviction: manifests of repositories that an upstream fills go when nobody has used them for long. The collection
//! takes the blobs that nothing refers to then. What is wanted again is fetched again.
//!
//! The date of a manifest's link says when it was used last.

use std::time::SystemTime;

use super::{Registry, RegistryError, Repository, index::TagIndex, layout};
use crate::oci::{Digest, RepositoryName};

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
                evicted += usize::from(repository.evict_unused(digest, since).await?);
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

    async fn evict_unused(&self, digest: Digest, since: SystemTime) -> Result<bool, RegistryError> {
        if !self.is_unused(&digest, since).await? {
            return Ok(false);
        }
        let this = self.clone();
        self.locks()
            .own(async move {
                // Which tags name it is read before others have to wait.
                drop(this.with::<TagIndex>().await?);
                let mut state = this.locks().exclusive(&this.name).await;
                if !this.is_unused(&digest, since).await? {
                    return Ok(false);
                }
                let removed = this.remove_manifest(&mut state, &digest).await;
                this.settle(&mut state, removed).await?;
                tracing::info!(repository = %this.name, %digest, "a manifest that nobody uses was evicted");
                Ok(true)
            })
            .await
    }

    async fn is_unused(&self, digest: &Digest, since: SystemTime) -> Result<bool, RegistryError> {
        let stat = self.storage().stat(&layout::link(&layout::revision(&self.name, digest))).await?;
        Ok(stat.is_some_and(|stat| stat.modified < since))
    }
}

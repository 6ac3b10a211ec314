//! Fetching: when a repository asks its upstream.

use serde::{Deserialize, Serialize};

use super::{
    Blob, CacheStatus, ImageName, Registry, RegistryError, Repository,
    error::UpstreamError,
    layout,
    upstream::{Anonymous, Answer, Filling, Upstream},
};
use crate::oci::{Digest, Manifest, Reference, RepositoryName};

impl Registry {
    /// The repository that a request means: `name` is in its path, `namespace` is the value of its `ns` parameter.
    /// `None`: no repository of this registry. Without an upstream, `ns` has no meaning.
    #[must_use]
    pub fn repository_name(&self, name: &RepositoryName, namespace: Option<&str>) -> Option<RepositoryName> {
        match &self.0.extensions.upstream {
            Some(upstream) => upstream.repository_name(name, namespace),
            None => Some(name.clone()),
        }
    }

    /// The rights that clients without a login have in a repository, if they may pull from it.
    #[must_use]
    pub fn anonymous(&self, name: &RepositoryName) -> Anonymous {
        self.filling(name).map_or(Anonymous::Fetch, |filling| filling.anonymous)
    }

    /// How a repository is filled; `None`: it is the registry's own.
    pub(super) fn filling(&self, name: &RepositoryName) -> Option<Filling<'_>> {
        self.0.extensions.upstream.as_deref()?.filling(name)
    }
}

/// What was fetched of an image, or was there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedImage {
    /// How many manifests.
    pub manifests: u64,
    /// How many blobs.
    pub blobs: u64,
    /// How many bytes the blobs have.
    pub bytes: u64,
}

impl Registry {
    /// Has an image in the store, with the manifests and the blobs that it refers to.
    ///
    /// # Errors
    /// [`RegistryError`]: a part of it can't be had.
    pub async fn fetch(&self, image: &ImageName) -> Result<FetchedImage, RegistryError> {
        let name = self.repository_name(&image.repository, None).unwrap_or_else(|| image.repository.clone());
        let repository = self.repository(name);
        let (mut waiting, mut fetched) = (vec![image.reference.clone()], FetchedImage::default());
        while let Some(reference) = waiting.pop() {
            let stored = repository.manifest(&reference).await?;
            let manifest = Manifest::parse(&stored.bytes, Some(&stored.media_type))?;
            fetched.manifests += 1;
            waiting.extend(manifest.children.iter().map(|child| Reference::Digest(child.digest.clone())));
            for blob in manifest.blobs.iter().filter(|blob| blob.required) {
                let opened = repository.open_blob(&blob.digest).await?;
                fetched.blobs += 1;
                fetched.bytes += opened.len();
                opened.stored().await?;
            }
        }
        Ok(fetched)
    }
}

impl Repository {
    /// The repository, for a client who gets only what is stored.
    #[must_use]
    pub fn without_fetching(self) -> Self {
        Self { is_fetching: false, ..self }
    }

    /// The upstream, and this repository as the upstream fills it; `None` if nothing is to be asked.
    pub(super) fn upstream(&self) -> Option<(&dyn Upstream, Self)> {
        let upstream =
            self.registry.0.extensions.upstream.as_deref().filter(|_| self.is_fetching && !self.is_filled)?;
        upstream.filling(&self.name)?;
        Some((upstream, Self { is_filled: true, source: None, ..self.clone() }))
    }

    /// Asks the upstream for a manifest.
    pub(super) async fn fetch_manifest(&self, reference: &Reference) -> Result<Answer, UpstreamError> {
        match self.upstream() {
            Some((upstream, filled)) => upstream.fetch_manifest(&filled, reference).await,
            None => Ok(Answer::NotAsked),
        }
    }

    /// Where content came from, by what the upstream said; `None` in a repository of the registry's own.
    pub(super) fn cache_status(&self, answer: Result<Answer, UpstreamError>) -> Option<CacheStatus> {
        self.registry.filling(&self.name)?;
        Some(match answer {
            Ok(Answer::Fetched) => CacheStatus::Miss,
            Ok(Answer::Shared) => CacheStatus::Shared,
            Ok(Answer::Stored | Answer::NotAsked | Answer::Absent) => CacheStatus::Hit,
            Err(_) => CacheStatus::Stale,
        })
    }

    /// Has the upstream forget what it said of a manifest.
    pub(super) fn forget_fetched_manifest(&self, reference: &Reference) {
        if let Some((upstream, _)) = self.upstream() {
            upstream.forget_manifest(&self.name, reference);
        }
    }

    /// A blob of the upstream, if it has it.
    pub(super) async fn fetch_blob(&self, digest: &Digest) -> Result<Option<Blob>, RegistryError> {
        let Some((upstream, filled)) = self.upstream() else { return Ok(None) };
        match upstream.fetch_blob(&filled, digest).await? {
            // No byte of it is sent before it is stored, so its failure can still have a status.
            Some(fetched) if fetched.is_short() && !fetched.stored().await => Err(UpstreamError::Unavailable.into()),
            Some(fetched) => Ok(Some(Blob::of_fetched(self.registry.clone(), digest.clone(), fetched))),
            None => Ok(self.open_stored(digest).await?),
        }
    }

    /// The size that a manifest of this repository says a blob has; `None` if no manifest names it.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn named_size(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        for manifest in self.linked_below(&layout::revisions(&self.name)).await? {
            let Some(bytes) = self.manifest_bytes(&manifest).await? else { continue };
            let Ok(manifest) = Manifest::parse(&bytes, None) else { continue };
            if let Some(blob) = manifest.blobs.iter().find(|blob| blob.digest == *digest) {
                return Ok(blob.size);
            }
        }
        Ok(None)
    }

    /// # Errors
    /// [`RegistryError::FilledByUpstream`]: clients can't push here.
    pub(super) fn refuse_if_filled_by_upstream(&self) -> Result<(), RegistryError> {
        match self.registry.filling(&self.name).filter(|_| !self.is_filled) {
            Some(filling) => Err(RegistryError::FilledByUpstream { host: filling.host.to_owned() }),
            None => Ok(()),
        }
    }
}

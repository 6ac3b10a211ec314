//! Upstream: the registry from which a repository may get what it does not have.
//!
//! A registry without an upstream never asks. With one, a repository that the upstream fills asks it for each manifest
//! and each blob that is missing, for each tag that is pulled, and for the lists of tags and referrers. The upstream
//! stores what it fetches through the [`Repository`] that it is given, so fetched content is verified as pushed content
//! is. That repository does not ask the upstream again, takes manifests before the content that they refer to, and
//! makes no events.
//!
//! Clients can't push to a repository that an upstream fills. A delete removes the copy that is stored.

use std::fmt;

use futures_util::future::BoxFuture;

use super::{Blob, FetchedBlob, Page, ReferrersPage, Registry, RegistryError, Repository, layout};
use crate::{
    oci::{Digest, Manifest, Reference, RepositoryName, Tag},
    storage::{FreeSpace, StorageError},
};

/// A source of what is missing.
pub trait Upstream: fmt::Debug + Send + Sync {
    /// The repository that a request means: `name` is in its path, `namespace` is the value of its `ns` parameter.
    /// `None`: no repository of this registry.
    fn repository_name(&self, name: &RepositoryName, namespace: Option<&str>) -> Option<RepositoryName>;

    /// How a repository is filled; `None`: it is the registry's own.
    fn filling(&self, name: &RepositoryName) -> Option<Filling<'_>>;

    /// Stores in `repository` the manifest that the upstream has under `reference`, if it is not stored yet. For a tag,
    /// this is called at each pull: the upstream decides whether the stored one is still fresh. Several requests may
    /// want the same at the same time; dropping the future, when a client goes away, ends the wait.
    ///
    /// # Errors
    /// [`UpstreamError`] if it can't be known. What is stored is served then.
    fn fetch_manifest<'a>(
        &'a self,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Answer, UpstreamError>>;

    /// Forgets what the upstream said of a manifest, which is not stored any more.
    fn forget_manifest(&self, name: &RepositoryName, reference: &Reference);

    /// Begins to fetch a blob that is not stored in `repository`, and gives it to be read while it comes; or `None`:
    /// it is stored now, or there is none.
    ///
    /// # Errors
    /// [`UpstreamError`] if it can't be known.
    fn fetch_blob<'a>(
        &'a self,
        repository: &'a Repository,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<FetchedBlob>, UpstreamError>>;

    /// The upstream's tags after `last`, `limit` at most; `None`: those that are stored are listed.
    fn tags<'a>(
        &'a self,
        repository: &'a Repository,
        last: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Option<Page<Tag>>>;

    /// The upstream's referrers of `subject`, as [`Repository::list_referrers`] takes its arguments; `None`: those that
    /// are stored are listed.
    fn referrers<'a>(
        &'a self,
        repository: &'a Repository,
        subject: &'a Digest,
        artifact_type: Option<&'a str>,
        last: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Option<ReferrersPage>>;
}

/// What the upstream says of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The repository has what the upstream has.
    Stored,
    /// The upstream has no such manifest.
    Absent,
    /// The upstream is not asked for this.
    NotAsked,
}

/// How a repository is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filling<'a> {
    /// The host of the upstream.
    pub host: &'a str,
    /// The rights of clients without a login who may pull.
    pub anonymous: Anonymous,
}

/// The rights that clients without a login have in a repository that an upstream fills, if they may pull from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// They get all that the upstream has.
    #[default]
    Fetch,
    /// They get what is stored.
    Stored,
    /// They get nothing.
    Nothing,
}

/// Why it is not known whether an upstream has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It takes no more requests for now.
    #[error("the upstream registry limits its requests")]
    Limited {
        /// In how many seconds it takes requests again, if it says so.
        retry_after: Option<u64>,
    },
    /// It does not allow this registry to read the repository. To clients, the repository does not exist.
    #[error("the upstream registry has no such repository")]
    Denied,
    /// It can't be reached, or its answer can't be used.
    #[error("the upstream registry does not answer")]
    Unavailable,
}

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

    /// The free space of the store, where that has a meaning.
    ///
    /// # Errors
    /// The error of the system call.
    pub async fn free_space(&self) -> Result<Option<FreeSpace>, StorageError> {
        self.registry.free_space().await
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

#[cfg(test)]
mod tests;

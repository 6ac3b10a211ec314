//! Upstream: the registry from which a repository may get what it does not have.
//!
//! A registry without an upstream never asks. With one, a repository that the upstream fills asks it for each manifest
//! and each blob that is missing, for each tag that is pulled, and for the lists of tags and referrers. The upstream
//! stores what it fetches through the [`Repository`] that it is given, so fetched content is verified as pushed content
//! is. That repository does not ask the upstream again, takes manifests before the content that they refer to, and its
//! only events are of what was fetched.
//!
//! Clients can't push to a repository that an upstream fills. A delete removes the copy that is stored.

use std::fmt;

use futures_util::future::BoxFuture;

use super::{FetchedBlob, Page, ReferrersPage, Repository, error::UpstreamError};
use crate::oci::{Digest, Reference, RepositoryName, Tag};

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
    /// The repository had what the upstream has.
    Stored,
    /// The repository has it now.
    Fetched,
    /// Another request has fetched it meanwhile.
    Shared,
    /// The upstream has no such manifest.
    Absent,
    /// The upstream is not asked for this.
    NotAsked,
}

/// Where the content of an answer came from, in a repository that an upstream fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// It was stored.
    Hit,
    /// It was fetched for this request.
    Miss,
    /// It was fetched for another request at the same time.
    Shared,
    /// It was stored, and the upstream, which may have something newer, did not answer.
    Stale,
}

impl CacheStatus {
    /// The word for it in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Shared => "shared",
            Self::Stale => "stale",
        }
    }
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

#[cfg(test)]
mod tests;

//! Upstream: the registry from which a repository may get what it does not have.
//!
//! A registry without an upstream never asks. With one, a repository asks it for each manifest and each blob that is
//! missing, for each tag that is pulled, and for the lists of tags and referrers. The upstream stores what it fetches
//! by the usual verbs of the [`Repository`] that it is given, so fetched content is verified as pushed content is. That
//! repository does not ask the upstream again, takes manifests before the content that they refer to, and makes no
//! events.

use std::fmt;

use futures_util::future::BoxFuture;

use super::{Page, ReferrersPage, RegistryError, Repository};
use crate::oci::{Digest, Reference, Tag};

/// The request of a repository to its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A manifest. By a tag, this is asked at each pull, whether the tag is stored or not: the upstream decides whether
    /// that is still fresh.
    Manifest(&'a Reference),
    /// A blob that is not stored.
    Blob(&'a Digest),
}

/// A source of what is missing.
///
/// A blob is served when all of it is stored. To serve it while it is fetched, [`Upstream::fetch`] would give what is
/// read from the fetch that is under way, and [`Repository::open_blob`] would return that as a [`super::Blob`].
pub trait Upstream: fmt::Debug + Send + Sync {
    /// Stores in `repository` what is wanted, if it may be had. If it may not, this succeeds and stores nothing.
    /// Several requests may want the same at the same time; dropping the future, when a client goes away, ends the
    /// wait.
    ///
    /// # Errors
    /// [`UpstreamError`] if it can't be known. A tag that is stored is served then.
    fn fetch<'a>(&'a self, repository: &'a Repository, wanted: Wanted<'a>) -> BoxFuture<'a, Result<(), UpstreamError>>;

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

/// Why it is not known whether an upstream has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It takes no more requests for now.
    #[error("the upstream registry limits its requests")]
    Limited {
        /// In how many seconds it takes requests again, if it says so.
        retry_after: Option<u64>,
    },
    /// It can't be reached, or its answer can't be used.
    #[error("the upstream registry does not answer")]
    Unavailable,
}

impl Repository {
    /// The upstream, and this repository as the upstream fills it; `None` if nothing is to be asked.
    pub(super) fn upstream(&self) -> Option<(&dyn Upstream, Self)> {
        let upstream = self.registry.0.extensions.upstream.as_deref().filter(|_| !self.is_filled)?;
        Some((upstream, Self { is_filled: true, source: None, ..self.clone() }))
    }

    /// Asks the upstream for what is missing; `false` if there is none.
    pub(super) async fn fetch(&self, wanted: Wanted<'_>) -> Result<bool, RegistryError> {
        let Some((upstream, filled)) = self.upstream() else { return Ok(false) };
        upstream.fetch(&filled, wanted).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;

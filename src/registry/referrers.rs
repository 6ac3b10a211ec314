//! Referrers: which manifests of a repository say that they belong to another.
//!
//! The index of a repository is read from its manifests at its first use after a start, and kept current by every change. Nothing of
//! it is stored, so nothing can be stale when another registry had the volume in between. What older clients listed under
//! the referrers tag schema names its subject as well, and so is found like everything else.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    ReferrersPage, RegistryError, Repository, layout, referrers_index::ReferrersIndex,
    repository_state::RepositoryState,
};
use crate::{
    oci::{Digest, Manifest},
    storage::StorageError,
};

/// How many manifests are read at a time.
const READS: usize = 8;

impl Repository {
    /// The referrers of `subject` after `last`, `limit` at most, with their artifact type or all ([distribution-spec, listing referrers]).
    /// A subject that is not here has none.
    ///
    /// # Errors
    /// What the store met: there are no partial answers.
    ///
    /// [distribution-spec, listing referrers]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
    pub async fn list_referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
        limit: usize,
    ) -> Result<ReferrersPage, RegistryError> {
        let state = self.coordinator().shared(&self.name).await;
        if let Some(index) = &state.referrers {
            return Ok(index.page(subject, artifact_type, last, limit));
        }
        drop(state);
        let mut state = self.coordinator().exclusive(&self.name).await;
        let index = self.referrers_index(&mut state).await?;
        Ok(index.page(subject, artifact_type, last, limit))
    }

    /// Everything that has a referrer here.
    pub(super) async fn subjects(&self) -> Result<Vec<Digest>, StorageError> {
        let mut state = self.coordinator().exclusive(&self.name).await;
        Ok(self.referrers_index(&mut state).await?.subjects())
    }

    async fn referrers_index<'a>(
        &self,
        state: &'a mut RepositoryState,
    ) -> Result<&'a mut ReferrersIndex, StorageError> {
        if state.referrers.is_none() {
            state.referrers = Some(self.read_referrers().await?);
        }
        Ok(state.referrers.get_or_insert_default())
    }

    async fn read_referrers(&self) -> Result<ReferrersIndex, StorageError> {
        let digests = self.linked_below(&layout::revisions(&self.name)).await?;
        let read = stream::iter(digests).map(|digest| self.read_referrer(digest)).buffer_unordered(READS);
        let found: Vec<_> = read.try_filter_map(|found| std::future::ready(Ok(found))).try_collect().await?;
        let mut index = ReferrersIndex::default();
        for (digest, manifest, size) in found {
            index.add(&digest, &manifest, size);
        }
        Ok(index)
    }

    /// A manifest that has a subject.
    async fn read_referrer(&self, digest: Digest) -> Result<Option<(Digest, Manifest, u64)>, StorageError> {
        let Some(bytes) = self.manifest_bytes(&digest).await? else { return Ok(None) };
        let Ok(mut manifest) = Manifest::parse(&bytes, None) else { return Ok(None) };
        if manifest.subject.is_none() {
            return Ok(None);
        }
        manifest.media_type = self.media_type_of(&digest, &bytes).await?;
        Ok(Some((digest, manifest, bytes.len() as u64)))
    }
}

//! Referrers: which manifests of a repository say that they belong to another.
//!
//! The index of a repository is read from its manifests at its first use after a start, and kept current by every
//! change. Nothing of it is stored, so nothing can be stale when another registry had the volume in between. What older
//! clients listed under the referrers tag schema names its subject as well, and so is found like everything else.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    ReferrersPage, RegistryError, Repository,
    index::{Known, List, ReferrerChange, ReferrersIndex, RepositoryState},
    layout,
};
use crate::{
    oci::{Digest, Manifest},
    storage::StorageError,
};

/// How many manifests are read at a time.
const READS: usize = 8;

impl Repository {
    /// The referrers of `subject` after `last`, `limit` at most, with their artifact type or all ([distribution-spec,
    /// listing referrers]). A subject that is not here has none.
    ///
    /// # Errors
    /// The error of the store: there are no partial answers.
    ///
    /// [distribution-spec, listing referrers]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
    pub async fn list_referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&str>,
        limit: usize,
    ) -> Result<ReferrersPage, RegistryError> {
        if let Some((upstream, filled)) = self.upstream()
            && let Some(page) = upstream.referrers(&filled, subject, artifact_type, last, limit).await
        {
            return Ok(page);
        }
        let state = self.with::<ReferrersIndex>().await?;
        let known = state.referrers.all();
        Ok(known.map_or_else(ReferrersPage::default, |index| index.page(subject, artifact_type, last, limit)))
    }

    /// Everything that has a referrer here.
    pub(super) async fn subjects(&self) -> Result<Vec<Digest>, StorageError> {
        Ok(self.with::<ReferrersIndex>().await?.referrers.all().map_or_else(Vec::new, ReferrersIndex::subjects))
    }

    /// A manifest, if it has a subject; the error is the digest of one that has none.
    async fn read_referrer(&self, digest: Digest) -> Result<Option<Result<ReferrerChange, Digest>>, StorageError> {
        let Some(bytes) = self.manifest_bytes(&digest).await? else { return Ok(None) };
        let Ok(mut manifest) = Manifest::parse(&bytes, None) else { return Ok(Some(Err(digest))) };
        if manifest.subject.is_none() {
            return Ok(Some(Err(digest)));
        }
        manifest.media_type = self.media_type_of(&digest, &bytes).await?;
        Ok(ReferrerChange::added(&digest, &manifest, bytes.len() as u64).map(Ok))
    }
}

impl List for ReferrersIndex {
    type Change = ReferrerChange;

    fn of(state: &mut RepositoryState) -> &mut Known<Self> {
        &mut state.referrers
    }

    fn seen(state: &RepositoryState) -> Option<&Self> {
        state.referrers.all()
    }

    async fn read(repository: &Repository, before: Option<Self>) -> Result<Self, StorageError> {
        let mut index = before.unwrap_or_default();
        let digests = index.follow(repository.linked_below(&layout::revisions(&repository.name)).await?);
        let mut read = stream::iter(digests).map(|digest| repository.read_referrer(digest)).buffer_unordered(READS);
        while let Some(found) = read.try_next().await? {
            match found {
                Some(Ok(added)) => index.apply(added),
                Some(Err(other)) if repository.storage().is_shared() => index.note_other(other),
                Some(Err(_)) | None => {}
            }
        }
        Ok(index)
    }

    fn apply(&mut self, change: ReferrerChange) {
        match change {
            ReferrerChange::Added { subject, descriptor } => self.add(subject, *descriptor),
            ReferrerChange::Removed(digest) => self.remove(&digest),
        }
    }
}

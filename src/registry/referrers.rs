//! Referrers: which manifests of a repository say that they belong to another.
//!
//! The index of a repository is read from its manifests at its first use after a start, and kept current by every change. Nothing of
//! it is stored, so nothing can be stale when another registry had the volume in between. What older clients listed under
//! the referrers tag schema names its subject as well, and so is found like everything else.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound::{Excluded, Unbounded},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{RegistryError, Repository, coordinator::RepositoryState, layout};
use crate::{
    oci::{Descriptor, Digest, Manifest},
    storage::StorageError,
};

/// How many manifests are read at a time.
const READS: usize = 8;

/// The most bytes of descriptors in one page, so that a page is no longer than a manifest may be.
const PAGE_BYTES: usize = 4 * 1024 * 1024 - 64 * 1024;

/// A part of the referrers of a subject, in the order of their digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferrersPage {
    /// What each says of itself.
    pub descriptors: Vec<Descriptor>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

/// The referrers of every subject in a repository.
#[derive(Debug, Default)]
pub(super) struct ReferrersIndex {
    by_subject: HashMap<Digest, BTreeMap<Digest, Descriptor>>,
    subjects: HashMap<Digest, Digest>,
}

impl ReferrersIndex {
    /// Notes a manifest of `size` bytes, if it has a subject.
    pub(super) fn add(&mut self, digest: &Digest, manifest: &Manifest, size: u64) {
        let Some(subject) = &manifest.subject else { return };
        let descriptor = Descriptor {
            media_type: manifest.media_type.clone(),
            digest: digest.clone(),
            size,
            artifact_type: manifest.artifact_type.clone(),
            annotations: manifest.annotations.clone(),
            urls: Vec::new(),
        };
        self.by_subject.entry(subject.clone()).or_default().insert(digest.clone(), descriptor);
        self.subjects.insert(digest.clone(), subject.clone());
    }

    /// Forgets a manifest.
    pub(super) fn remove(&mut self, digest: &Digest) {
        let Some(subject) = self.subjects.remove(digest) else { return };
        if let Some(referrers) = self.by_subject.get_mut(&subject) {
            referrers.remove(digest);
            if referrers.is_empty() {
                self.by_subject.remove(&subject);
            }
        }
    }

    fn page(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
        limit: usize,
    ) -> ReferrersPage {
        let Some(referrers) = self.by_subject.get(subject) else {
            return ReferrersPage { descriptors: Vec::new(), more: false };
        };
        let after = last.map_or(Unbounded, Excluded);
        let mut asked = referrers
            .range::<Digest, _>((after, Unbounded))
            .map(|(_, descriptor)| descriptor)
            .filter(|descriptor| artifact_type.is_none() || descriptor.artifact_type.as_deref() == artifact_type)
            .peekable();
        let (mut descriptors, mut bytes) = (Vec::new(), 0);
        while let Some(next) = asked.peek()
            && descriptors.len() < limit
        {
            bytes += length_of(next);
            if bytes > PAGE_BYTES && !descriptors.is_empty() {
                break;
            }
            descriptors.extend(asked.next().cloned());
        }
        ReferrersPage { more: !descriptors.is_empty() && asked.peek().is_some(), descriptors }
    }
}

/// How long a descriptor is in JSON, about and at most.
fn length_of(descriptor: &Descriptor) -> usize {
    serde_json::to_string(descriptor).map_or(0, |json| json.len() + 1)
}

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

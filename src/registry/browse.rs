//! Reads for people. They are no pulls: they make no event, and ask no upstream.

use std::{sync::PoisonError, time::SystemTime};

use bytes::Bytes;

use super::{
    CollectionReport, Gc, ReferrersPage, Registry, RegistryError, Repository, StoredManifest,
    index::{PushTimes, ReferrersIndex, TagIndex},
    layout,
};
use crate::oci::{Digest, Reference, Tag};

/// A tag of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTag {
    /// Its name.
    pub tag: Tag,
    /// The manifest that it names.
    pub digest: Digest,
    /// When it was pushed last, if that is known.
    pub pushed: Option<SystemTime>,
}

/// The figures of the tags of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagSummary {
    /// How many tags it has.
    pub count: usize,
    /// When the last of them was pushed.
    pub last_push: Option<SystemTime>,
}

/// The last collection that came to its end.
#[derive(Clone, Debug)]
pub struct LastCollection {
    /// When it ended.
    pub ended: SystemTime,
    /// Its result.
    pub report: CollectionReport,
}

impl Registry {
    /// The last collection since the start.
    #[must_use]
    pub fn last_collection(&self) -> Option<LastCollection> {
        self.0.last_collection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The settings of collections.
    #[must_use]
    pub fn collections(&self) -> Gc {
        self.0.rules.gc
    }

    /// Remembers a collection that has ended, unless it was a dry run.
    pub(super) fn remember_collection(&self, report: &CollectionReport) {
        if report.dry_run {
            return;
        }
        let last = LastCollection { ended: SystemTime::now(), report: report.clone() };
        *self.0.last_collection.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// Whether tags and manifests may be deleted.
    #[must_use]
    pub fn takes_deletes(&self) -> bool {
        self.0.rules.delete && !self.is_read_only()
    }
}

impl Repository {
    /// All tags that `is_wanted` takes, in byte order. Manifests are not read.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`] if there is no such repository; the error of the store.
    pub async fn browse_tags(
        &self,
        is_wanted: impl Fn(&Tag, &Digest) -> bool,
    ) -> Result<Vec<ListedTag>, RegistryError> {
        // The first lock is released before the second is taken.
        let list = |state: &TagIndex| -> Vec<_> {
            let wanted = state.iter().filter(|(tag, digest)| is_wanted(tag, digest));
            wanted.map(|(tag, digest)| (tag.clone(), digest.clone())).collect()
        };
        let tags = self.with::<TagIndex>().await?.tags.all().map(list).unwrap_or_default();
        if tags.is_empty() && !self.is_there().await? {
            return Err(RegistryError::NameUnknown(self.name.clone()));
        }
        let state = self.with::<PushTimes>().await?;
        let times = state.push_times.all();
        let listed = tags.into_iter().map(|(tag, digest)| {
            let pushed = times.and_then(|times| times.of(&tag));
            ListedTag { tag, digest, pushed }
        });
        Ok(listed.collect())
    }

    /// The figures of the tags.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn tag_summary(&self) -> Result<TagSummary, RegistryError> {
        let state = self.with::<PushTimes>().await?;
        let (count, last_push) = state.push_times.all().map(PushTimes::summary).unwrap_or_default();
        Ok(TagSummary { count, last_push })
    }

    /// A manifest that is stored here.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn browse_manifest(&self, reference: &Reference) -> Result<Option<StoredManifest>, RegistryError> {
        Ok(self.find_stored(reference, false).await?)
    }

    /// The first `limit` of the referrers of a manifest that are stored here.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn browse_referrers(&self, subject: &Digest, limit: usize) -> Result<ReferrersPage, RegistryError> {
        let state = self.with::<ReferrersIndex>().await?;
        let known = state.referrers.all();
        Ok(known.map_or_else(ReferrersPage::default, |index| index.page(subject, None, None, limit)))
    }

    /// The whole of a small blob, such as a configuration; `None` if it is not here, has more than `limit` bytes, or is
    /// damaged.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn browse_blob(&self, digest: &Digest, limit: u64) -> Result<Option<Bytes>, RegistryError> {
        let Some((target, stat)) = self.blob_in_store(digest).await? else { return Ok(None) };
        if stat.len > limit {
            return Ok(None);
        }
        let bytes = self.storage().read(&layout::data(&target), limit).await?;
        Ok(bytes.filter(|bytes| Digest::of(target.algorithm(), bytes) == target))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use super::*;
    use crate::{
        oci::{MediaType, Preconditions},
        registry::{
            Extensions, ManifestPush, Missing, Overwrite, Rules,
            events::{Event, Listener},
        },
        storage::Storage,
    };

    async fn push(repository: &Repository, tags: &[&str], note: &str) -> Digest {
        let body = serde_json::json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [], "annotations": {"note": note},
        });
        let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        let push = ManifestPush {
            reference: Reference::Tag(tags[0].clone()),
            tags,
            content_type: None,
            bytes: body.to_string().into(),
            overwrite: Overwrite::Allowed,
            conditions: Preconditions::default(),
        };
        repository.put_manifest(push).await.unwrap().digest
    }

    fn names(listed: &[ListedTag]) -> Vec<&str> {
        listed.iter().map(|listed| listed.tag.as_str()).collect()
    }

    #[tokio::test]
    async fn tags_have_their_time_whether_they_were_read_or_noted() {
        let before = SystemTime::now();
        let registry = Registry::new(Storage::memory(), Rules { missing: Missing::Allow, ..Rules::default() });
        let repository = registry.repository("a".parse().unwrap());
        let first = push(&repository, &["one", "two"], "first").await;
        let listed = repository.browse_tags(|_, _| true).await.unwrap();
        assert_eq!(names(&listed), ["one", "two"]);
        assert!(listed.iter().all(|tag| tag.digest == first && tag.pushed.unwrap() >= before));

        let moved = push(&repository, &["two", "three"], "second").await;
        repository.delete_tag(&"one".parse().unwrap(), Preconditions::default()).await.unwrap();
        let listed = repository.browse_tags(|_, _| true).await.unwrap();
        assert_eq!(names(&listed), ["three", "two"]);
        assert!(listed.iter().all(|tag| tag.digest == moved && tag.pushed.is_some()));
        assert_eq!(names(&repository.browse_tags(|tag, _| tag.as_str().contains("thr")).await.unwrap()), ["three"]);

        let summary = repository.tag_summary().await.unwrap();
        assert_eq!((summary.count, summary.last_push), (2, listed.iter().filter_map(|tag| tag.pushed).max()));
        assert_eq!(repository.browse_tags(|_, digest| *digest == moved).await.unwrap().len(), 2);
        assert_eq!(repository.browse_tags(|_, digest| *digest == first).await.unwrap(), []);
    }
    /// Counts events.
    #[derive(Debug, Default)]
    struct Counter(AtomicUsize);

    impl Listener for Counter {
        fn happened(&self, _: &Event<'_>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[tokio::test]
    async fn to_look_is_no_pull() {
        let counter = Arc::new(Counter::default());
        let extensions =
            Extensions { listeners: vec![Arc::clone(&counter) as Arc<dyn Listener>], ..Extensions::default() };
        let rules = Rules { missing: Missing::Allow, ..Rules::default() };
        let registry = Registry::extended(Storage::memory(), rules, extensions);
        let repository = registry.repository("a".parse().unwrap());
        let digest = push(&repository, &["one"], "first").await;
        let pushed = counter.0.load(SeqCst);
        let tag = Reference::Tag("one".parse().unwrap());
        assert_eq!(repository.browse_manifest(&tag).await.unwrap().unwrap().digest, digest);
        assert!(repository.browse_referrers(&digest, 10).await.unwrap().descriptors.is_empty());
        assert_eq!(repository.browse_blob(&digest, 100).await.unwrap(), None);
        repository.browse_tags(|_, _| true).await.unwrap();
        repository.tag_summary().await.unwrap();
        assert_eq!(counter.0.load(SeqCst), pushed);
        repository.manifest(&tag).await.unwrap();
        assert_eq!(counter.0.load(SeqCst), pushed + 1);
    }
}

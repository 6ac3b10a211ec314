//! Manifests of a repository.

use bytes::Bytes;

use super::{
    Answer, CacheStatus, Registry, RegistryError, Repository,
    content::VerifiedManifest,
    events::{Action, ManifestTarget},
    index::{Holds, ReferrerChange, RepositoryState, TagChange, TagIndex},
    layout,
    links::link_to,
    manifest_references,
    out_of_reach::absent_if_out_of_reach,
};
use crate::{
    oci::{Algorithm, Digest, Manifest, MediaType, Preconditions, Reference, Tag},
    storage::{Step, StorageError},
};

/// A manifest that a client pushes.
#[derive(Clone, Debug)]
pub struct ManifestPush {
    /// The reference: a tag, or its digest.
    pub reference: Reference,
    /// More tags that it shall have.
    pub tags: Vec<Tag>,
    /// The Content-Type it came with.
    pub content_type: Option<MediaType>,
    /// The body, which is kept to the byte.
    pub bytes: Bytes,
    /// Whether tags that exist may be moved.
    pub overwrite: Overwrite,
    /// The conditions on the manifest that the reference names now.
    pub conditions: Preconditions,
}

/// Whether a push may move a tag that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// It may.
    Allowed,
    /// It may only make new ones.
    Refused,
}

/// The result of the push of a manifest.
#[derive(Clone, Debug)]
pub struct PushedManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its subject.
    pub subject: Option<Digest>,
    /// The tags it was given.
    pub tags: Vec<Tag>,
}

/// A manifest as it was pushed.
#[derive(Clone, Debug)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: MediaType,
    /// The body, to the byte.
    pub bytes: Bytes,
    /// Where it came from, in a repository that an upstream fills.
    pub cache: Option<CacheStatus>,
}

impl Repository {
    /// Reads a manifest ([distribution-spec, pulling manifests]). Bytes that are not what the digest says are never
    /// given out.
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`] if the repository has no such tag or manifest.
    ///
    /// [distribution-spec, pulling manifests]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
    pub async fn manifest(&self, reference: &Reference) -> Result<StoredManifest, RegistryError> {
        let stored = self.find_manifest(reference, false).await?;
        self.notify_pull(&stored, reference);
        Ok(stored)
    }

    /// What a client is told that asks only whether a manifest is there ([distribution-spec, checking if content
    /// exists]): it does not push what is. As [`Repository::manifest`] otherwise.
    ///
    /// # Errors
    /// As [`Repository::manifest`].
    ///
    /// [distribution-spec, checking if content exists]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#checking-if-content-exists-in-the-registry
    pub async fn head_manifest(&self, reference: &Reference) -> Result<StoredManifest, RegistryError> {
        let stored = self.find_manifest(reference, true).await?;
        self.renew(layout::link(&layout::revision(&self.name, &stored.digest))).await;
        self.notify_pull(&stored, reference);
        Ok(stored)
    }

    fn notify_pull(&self, stored: &StoredManifest, reference: &Reference) {
        let StoredManifest { digest, media_type, bytes, cache: _ } = stored;
        let tags = if let Reference::Tag(tag) = reference { std::slice::from_ref(tag) } else { &[] };
        self.notify(Action::ManifestPulled(ManifestTarget { digest, media_type, bytes, tags }));
    }

    /// Stores a manifest and its tags ([distribution-spec, pushing manifests]).
    ///
    /// # Errors
    /// [`RegistryError::ManifestInvalid`], [`RegistryError::DigestMismatch`], [`RegistryError::ManifestBlobUnknown`],
    /// [`RegistryError::ManifestTooLarge`], [`RegistryError::TagExists`], [`RegistryError::PreconditionFailed`];
    /// nothing is stored then.
    ///
    /// [distribution-spec, pushing manifests]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
    pub async fn put_manifest(&self, push: ManifestPush) -> Result<PushedManifest, RegistryError> {
        self.refuse_if_filled_by_upstream()?;
        if push.bytes.len() as u64 > Registry::MANIFEST_LIMIT {
            return Err(RegistryError::ManifestTooLarge { limit: Registry::MANIFEST_LIMIT });
        }
        let digest = claimed_digest(&push)?;
        let manifest = Manifest::parse(&push.bytes, push.content_type.as_ref())?;
        let this = self.clone();
        self.locks().own(async move { this.commit_manifest(push, digest, manifest).await }).await
    }

    /// Takes a manifest out of this repository, and the tags that name it with it ([distribution-spec, deleting
    /// manifests]).
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`] if the repository does not have it; [`RegistryError::DeleteDisabled`];
    /// [`RegistryError::PreconditionFailed`].
    ///
    /// [distribution-spec, deleting manifests]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-manifests
    pub async fn delete_manifest(&self, digest: &Digest, conditions: Preconditions) -> Result<(), RegistryError> {
        self.refuse_if_deletes_are_off()?;
        self.take_manifest(digest, conditions).await
    }

    /// Takes back a manifest that a change added which failed later, also where deletes are off.
    pub(crate) async fn withdraw_manifest(&self, digest: &Digest) -> Result<(), RegistryError> {
        self.take_manifest(digest, Preconditions::default()).await
    }

    async fn take_manifest(&self, digest: &Digest, conditions: Preconditions) -> Result<(), RegistryError> {
        let (this, digest) = (self.clone(), digest.clone());
        self.locks()
            .own(async move {
                if !this.storage().is_shared() {
                    // Which tags name it is read before others have to wait.
                    drop(this.with::<TagIndex>().await?);
                }
                let mut state = this.locks().exclusive(&this.name).await;
                if !this.has_manifest(&digest).await? {
                    return Err(RegistryError::ManifestUnknown(digest.to_string()));
                }
                must_hold(&conditions, Some(&digest))?;
                let removed = this.remove_manifest(&mut state, &digest).await;
                this.settle(&mut state, removed).await
            })
            .await
    }

    /// A manifest that is stored, or that the upstream has. If the client asks only whether it is there, it is made
    /// young.
    async fn find_manifest(&self, reference: &Reference, is_head: bool) -> Result<StoredManifest, RegistryError> {
        let unknown = || RegistryError::ManifestUnknown(reference.to_string());
        // A tag may mean something else upstream than here. A digest always means the same content.
        if let Reference::Digest(_) = reference
            && let Some(stored) = self.find_stored(reference, is_head).await?
        {
            return Ok(StoredManifest { cache: self.cache_status(Ok(Answer::Stored)), ..stored });
        }
        let mut answer = self.fetch_manifest(reference).await;
        match (answer, reference) {
            (Ok(Answer::Absent), _) | (Ok(Answer::NotAsked), Reference::Digest(_)) => return Err(unknown()),
            _ => {}
        }
        let mut stored = self.find_stored(reference, is_head).await?;
        if stored.is_none() && matches!(answer, Ok(Answer::Stored | Answer::Shared)) {
            // It was stored, and was deleted.
            self.forget_fetched_manifest(reference);
            answer = self.fetch_manifest(reference).await;
            stored = self.find_stored(reference, is_head).await?;
        }
        match (stored, answer) {
            (Some(stored), answer) => Ok(StoredManifest { cache: self.cache_status(answer), ..stored }),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Err(unknown()),
        }
    }

    /// A manifest that is stored here. If the client asks only whether it is there, it is made young.
    pub(super) async fn find_stored(
        &self,
        reference: &Reference,
        is_head: bool,
    ) -> Result<Option<StoredManifest>, StorageError> {
        let Some(digest) = self.digest_of(reference).await? else { return Ok(None) };
        if is_head {
            self.locks().pins().touch(&digest).await;
        }
        self.stored_manifest(digest).await
    }

    async fn digest_of(&self, reference: &Reference) -> Result<Option<Digest>, StorageError> {
        match reference {
            Reference::Digest(digest) => Ok(Some(digest.clone())),
            Reference::Tag(tag) => absent_if_out_of_reach(self.resolve(tag).await),
        }
    }

    async fn stored_manifest(&self, digest: Digest) -> Result<Option<StoredManifest>, StorageError> {
        let found = absent_if_out_of_reach(self.verified_manifest(&digest).await)?;
        let Some(VerifiedManifest { bytes, media_type }) = found else { return Ok(None) };
        let media_type = match media_type {
            Some(media_type) => media_type,
            None => Box::pin(self.media_type_of(&digest, &bytes)).await?,
        };
        Ok(Some(StoredManifest { digest, media_type, bytes, cache: None }))
    }

    /// Whether the repository has a link to this manifest.
    pub(super) async fn has_manifest(&self, digest: &Digest) -> Result<bool, StorageError> {
        Ok(self.read_link(&layout::link(&layout::revision(&self.name, digest))).await?.as_ref() == Some(digest))
    }

    /// The bytes of a manifest of this repository, if they are what the digest says.
    pub(super) async fn manifest_bytes(&self, digest: &Digest) -> Result<Option<Bytes>, StorageError> {
        Ok(self.verified_manifest(digest).await?.map(|manifest| manifest.bytes))
    }

    async fn verified_manifest(&self, digest: &Digest) -> Result<Option<VerifiedManifest>, StorageError> {
        if !self.has_manifest(digest).await? {
            return Ok(None);
        }
        let bytes = match self.storage().read(&layout::data(digest), Registry::MANIFEST_LIMIT).await {
            Ok(Some(bytes)) => bytes,
            // An object that is longer than a manifest may be is not read.
            Ok(None) | Err(StorageError::TooLarge) => return Ok(None),
            Err(error) => return Err(error),
        };
        let verified = self.registry.0.verified.verify(digest, bytes);
        if verified.is_some() {
            return Ok(verified);
        }
        // Looked at once more, as everything is before it is set aside.
        Box::pin(self.registry.is_intact(digest)).await?;
        Ok(None)
    }

    /// The type of a manifest: what its body says, else what it was pushed with, else what its fields say.
    pub(super) async fn media_type_of(&self, digest: &Digest, bytes: &[u8]) -> Result<MediaType, StorageError> {
        let parsed = Manifest::parse(bytes, None);
        if let Ok(manifest) = &parsed
            && manifest.names_its_type
        {
            return Ok(manifest.media_type.clone());
        }
        let remembered = self.storage().read(&layout::content_type(&self.name, digest), 256).await?;
        let pushed = remembered.and_then(|text| std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()));
        // What can't be read was not pushed here; registry:2 takes it for an image as well.
        let shaped = || parsed.map_or_else(|_| MediaType::oci_manifest(), |manifest| manifest.media_type);
        Ok(pushed.unwrap_or_else(shaped))
    }

    async fn commit_manifest(
        &self,
        push: ManifestPush,
        digest: Digest,
        manifest: Manifest,
    ) -> Result<PushedManifest, RegistryError> {
        let pinned = manifest_references::of(&manifest).chain([digest.clone()]);
        let _pin = self.locks().pins().pin(pinned).await;
        self.check_references(&manifest).await?;
        let (mut tags, reference) = (push.tags, push.reference.clone());
        if let Reference::Tag(tag) = push.reference
            && !tags.contains(&tag)
        {
            tags.insert(0, tag);
        }
        let push = ManifestPush { tags: Vec::new(), reference, ..push };
        if let Some(store) = self.storage().shared() {
            let _alone = self.locks().content(&digest).await;
            Box::pin(self.push_shared(store, &push, (&digest, &manifest), &tags)).await?;
            return Ok(PushedManifest { digest, subject: manifest.subject, tags });
        }
        let mut state = self.locks().exclusive(&self.name).await;
        if push.overwrite == Overwrite::Refused {
            self.refuse_to_move(&tags, &digest).await?;
        }
        self.must_hold_of(&push.conditions, &push.reference).await?;
        let _alone = self.locks().content(&digest).await;
        let linked = self.link_manifest(&mut state, &digest, &manifest, &push.bytes, &tags).await;
        if linked.is_err() {
            // It is not known how much of it reached the store. The next request reads that from the store.
            self.forget(&mut state).await;
        }
        linked?;
        Ok(PushedManifest { digest, subject: manifest.subject, tags })
    }

    /// Stores a manifest, makes it visible, and then its tags, so that a reader that sees a tag can read all that it
    /// refers to.
    async fn link_manifest(
        &self,
        state: &mut RepositoryState,
        digest: &Digest,
        manifest: &Manifest,
        bytes: &Bytes,
        tags: &[Tag],
    ) -> Result<(), StorageError> {
        // The bytes and the links are one commit, so that a push waits for the disk once.
        let revision = || self.manifest_steps(digest, manifest, bytes);
        let target = ManifestTarget { digest, media_type: &manifest.media_type, bytes, tags };
        let (change, mut steps) = self.prepare(Action::ManifestPushed(target));
        steps.extend(revision());
        let committed = async {
            for tag in tags {
                steps.extend(self.tag_steps(tag, digest).await?);
            }
            match self.storage().commit(steps).await {
                // Another registry may have left the prefix of a tag without its current link. Which one is found out
                // one by one. What was prepared came first, and is stored already.
                Err(StorageError::Exists) => {
                    self.storage().commit(revision()).await?;
                    for tag in tags {
                        self.set_tag(tag, digest).await?;
                    }
                    Ok(())
                }
                other => other,
            }
        };
        let committed = committed.await;
        change.end(committed).await?;
        self.registry.0.catalog.set(&self.name, Some(Holds::Manifests));
        if let Some(added) = ReferrerChange::added(digest, manifest, bytes.len() as u64) {
            state.referrers.note(added);
        }
        for tag in tags {
            state.note_tag(TagChange::Set(tag.clone(), digest.clone()));
        }
        Ok(())
    }

    /// The steps that store a manifest and make it visible.
    pub(super) fn manifest_steps(&self, digest: &Digest, manifest: &Manifest, bytes: &Bytes) -> Vec<Step> {
        let content = Step::Put(layout::data(digest), bytes.clone());
        std::iter::once(content).chain(self.revision_steps(digest, manifest)).collect()
    }

    fn revision_steps(&self, digest: &Digest, manifest: &Manifest) -> Vec<Step> {
        let mut steps = vec![self.make_step()];
        if !manifest.names_its_type {
            // The type that it was pushed with is kept where its body does not say it.
            let text = Bytes::from(manifest.media_type.to_string());
            steps.push(Step::Put(layout::content_type(&self.name, digest), text));
        }
        steps.push(link_to(layout::link(&layout::revision(&self.name, digest)), digest));
        steps
    }

    /// Takes a manifest away: its tags first, so that none is seen that leads nowhere.
    pub(super) async fn remove_manifest(
        &self,
        state: &mut RepositoryState,
        digest: &Digest,
    ) -> Result<(), StorageError> {
        let tags: Vec<Tag> = self.know::<TagIndex>(state).await?.naming(digest).cloned().collect();
        let removal = async {
            for tag in &tags {
                self.remove_tag_link(state, tag, Some(digest)).await?;
            }
            state.referrers.note(ReferrerChange::Removed(digest.clone()));
            self.storage().delete_tree(&layout::revision(&self.name, digest)).await?;
            if self.storage().is_shared() && self.restore_if_tagged(digest).await? {
                return Ok(false);
            }
            self.storage().delete(&layout::content_type(&self.name, digest)).await
        };
        self.remove(Action::ManifestDeleted { digest, tags: &tags }, removal).await?;
        Ok(())
    }

    /// Holds the conditions of a change against what the reference names. The caller has the repository alone.
    pub(super) async fn must_hold_of(
        &self,
        conditions: &Preconditions,
        reference: &Reference,
    ) -> Result<(), RegistryError> {
        if conditions.is_empty() {
            return Ok(());
        }
        self.must_hold_of_digest(conditions, self.digest_of(reference).await?).await
    }

    /// [`Repository::must_hold_of`], where the reference is read.
    pub(super) async fn must_hold_of_digest(
        &self,
        conditions: &Preconditions,
        current: Option<Digest>,
    ) -> Result<(), RegistryError> {
        let current = match current {
            Some(digest) if !conditions.is_empty() && self.has_manifest(&digest).await? => Some(digest),
            _ => None,
        };
        must_hold(conditions, current.as_ref())
    }

    async fn refuse_to_move(&self, tags: &[Tag], digest: &Digest) -> Result<(), RegistryError> {
        for tag in tags {
            if self.resolve(tag).await?.is_some_and(|target| target != *digest) {
                return Err(RegistryError::TagExists(tag.clone()));
            }
        }
        Ok(())
    }
}

/// # Errors
/// [`RegistryError::PreconditionFailed`] unless `current` may be changed.
pub(super) fn must_hold(conditions: &Preconditions, current: Option<&Digest>) -> Result<(), RegistryError> {
    if conditions.allow_write(current) { Ok(()) } else { Err(RegistryError::PreconditionFailed) }
}

/// The digest under which a push is stored: the one that the client says, which must be right, else the body's sha256.
fn claimed_digest(push: &ManifestPush) -> Result<Digest, RegistryError> {
    let Reference::Digest(claimed) = &push.reference else {
        return Ok(Digest::of(Algorithm::Sha256, &push.bytes));
    };
    let actual = Digest::of(claimed.algorithm(), &push.bytes);
    if actual == *claimed {
        Ok(actual)
    } else {
        Err(RegistryError::DigestMismatch { claimed: claimed.clone(), actual })
    }
}

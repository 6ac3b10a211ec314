//! Manifests and tags in a store that several processes serve: their locks do not exclude each other, so each change
//! of a tag is a conditional write on what was read before.
//!
//! The last writer of a tag wins, and no writer is lost. A tag implies its manifest: a push looks at the link of the
//! manifest after it wrote the tags, a delete looks at the tags after it deleted the link, and each restores what the
//! other took. The current link of a new tag is written first and deleted last, so what has a prefix is a tag.

use bytes::Bytes;

use super::{
    ManifestPush, Overwrite, RegistryError, Repository,
    events::{Action, ManifestTarget},
    index::TagIndex,
    layout::{self, LINK_MAX_LEN},
    links::target,
};
use crate::{
    oci::{Digest, Manifest, Reference, Tag},
    storage::{Condition, SharedStore, StorageError},
};

/// How often a tag is tried to be changed while others change it as well.
const TRIES: usize = 64;

impl Repository {
    /// Stores a manifest, makes it visible, and then its tags.
    ///
    /// # Errors
    /// [`RegistryError::TagExists`], [`RegistryError::PreconditionFailed`]; the error of the store.
    pub(super) async fn push_shared(
        &self,
        store: SharedStore<'_>,
        push: &ManifestPush,
        (digest, manifest): (&Digest, &Manifest),
        tags: &[Tag],
    ) -> Result<(), RegistryError> {
        let _shared = self.locks().shared(&self.name).await;
        if matches!(push.reference, Reference::Digest(_)) {
            self.must_hold_of(&push.conditions, &push.reference).await?;
        }
        let mut found = Vec::new();
        for tag in tags {
            found.push(self.movable(store, push, tag, digest).await?);
        }
        let target = ManifestTarget { digest, media_type: &manifest.media_type, bytes: &push.bytes, tags };
        let (change, mut steps) = self.prepare(Action::ManifestPushed(target));
        steps.extend(self.manifest_steps(digest, manifest, &push.bytes));
        let pushed = async {
            self.storage().commit(steps).await?;
            for (tag, condition) in tags.iter().zip(found) {
                self.set_shared_tag(store, push, (tag, digest), condition).await?;
            }
            if !tags.is_empty() && !self.has_manifest(digest).await? {
                // A delete on another node did not see the tags.
                self.storage().commit(self.manifest_steps(digest, manifest, &push.bytes)).await?;
            }
            self.list_in_catalog().await?;
            Ok(())
        };
        match pushed.await {
            Ok(()) => Ok(change.end(Ok(())).await?),
            Err(RegistryError::Storage(error)) => Ok(change.end(Err(error)).await?),
            Err(error) => {
                // The error that the listeners are told of is never returned.
                let _ = change.end::<()>(Err(StorageError::Changed)).await;
                Err(error)
            }
        }
    }

    /// The condition under which a push may change a tag that is as it was just read.
    async fn movable(
        &self,
        store: SharedStore<'_>,
        push: &ManifestPush,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<Condition, RegistryError> {
        let key = layout::tag_current(&self.name, tag);
        let Some((link, version)) = store.read_version(&key, LINK_MAX_LEN).await? else {
            if push.reference == Reference::Tag(tag.clone()) {
                super::manifests::must_hold(&push.conditions, None)?;
            }
            return Ok(Condition::IfAbsent);
        };
        let current = target(&key, Ok(Some(link)))?;
        if push.overwrite == Overwrite::Refused && current.as_ref().is_some_and(|current| current != digest) {
            return Err(RegistryError::TagExists(tag.clone()));
        }
        if push.reference == Reference::Tag(tag.clone()) {
            self.must_hold_of_digest(&push.conditions, current).await?;
        }
        Ok(Condition::IfVersion(version))
    }

    async fn set_shared_tag(
        &self,
        store: SharedStore<'_>,
        push: &ManifestPush,
        (tag, digest): (&Tag, &Digest),
        mut condition: Condition,
    ) -> Result<(), RegistryError> {
        let (current, link) = (layout::tag_current(&self.name, tag), Bytes::from(digest.to_string()));
        for _ in 0..TRIES {
            match self.storage().put(&current, link.clone(), condition).await {
                Err(StorageError::Exists | StorageError::Changed) => {
                    condition = self.movable(store, push, tag, digest).await?;
                }
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    let history = layout::tag_index(&self.name, tag, digest);
                    return Ok(self.storage().put(&history, link, Condition::Any).await?);
                }
            }
        }
        Err(StorageError::Busy.into())
    }

    /// Takes a tag away, with its history; only while it means `digest`, if that is given.
    pub(super) async fn remove_shared_tag(
        &self,
        store: SharedStore<'_>,
        tag: &Tag,
        digest: Option<&Digest>,
    ) -> Result<(), StorageError> {
        let current = layout::tag_current(&self.name, tag);
        for _ in 0..TRIES {
            let Some((link, version)) = store.read_version(&current, LINK_MAX_LEN).await? else {
                // The history that is left of a delete that ended early.
                self.storage().delete_tree(&layout::tag_history(&self.name, tag)).await?;
                return Ok(());
            };
            if digest.is_some() && target(&current, Ok(Some(link)))?.as_ref() != digest {
                return Ok(());
            }
            self.storage().delete_tree(&layout::tag_history(&self.name, tag)).await?;
            match store.delete_version(&current, version).await {
                Err(StorageError::Changed) => {}
                other => return other,
            }
        }
        Err(StorageError::Busy)
    }

    /// Restores the link of a manifest that was deleted, if a push on another node has given it a tag meanwhile;
    /// whether it did.
    pub(super) async fn restore_if_tagged(&self, digest: &Digest) -> Result<bool, StorageError> {
        use super::index::List as _;
        if TagIndex::read(self, None).await?.naming(digest).next().is_none() {
            return Ok(false);
        }
        self.storage()
            .commit(vec![super::links::link_to(layout::link(&layout::revision(&self.name, digest)), digest)])
            .await?;
        Ok(true)
    }
}

//! Blobs of a repository: reading, deleting, and lending them to another.

mod reading;

use super::{
    Answer, CacheStatus, Registry, RegistryError, Repository,
    events::{Action, BlobTarget},
    layout,
    links::link_to,
    manifests::must_hold,
    out_of_reach::absent_if_out_of_reach,
};
use crate::{
    oci::{Algorithm, Digest, Preconditions, RepositoryName},
    storage::{Object, Stat, Step, StorageError},
};

pub use reading::{Blob, BlobRegion};

/// The facts about a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobStat {
    /// How many bytes it has.
    pub len: u64,
    /// Where it came from, in a repository that an upstream fills.
    pub cache: Option<CacheStatus>,
}

impl Repository {
    /// How many bytes a blob has. Like registry:2, this counts as a pull ([distribution-spec, checking
    /// if content exists]).
    ///
    /// # Errors
    /// [`RegistryError::BlobUnknown`] if the repository does not have it.
    ///
    /// [distribution-spec, checking if content exists]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#checking-if-content-exists-in-the-registry
    pub async fn stat_blob(&self, digest: &Digest) -> Result<BlobStat, RegistryError> {
        // A client that hears that it is there does not upload it.
        self.locks().pins().touch(digest).await;
        let stat = if let Some((_, stat)) = absent_if_out_of_reach(self.blob_in_store(digest).await)? {
            self.renew(layout::link(&layout::layer(&self.name, digest))).await;
            BlobStat { len: stat.len, cache: self.cache_status(Ok(Answer::Stored)) }
        } else {
            let blob = self.fetch_blob(digest).await?.ok_or_else(|| RegistryError::BlobUnknown(digest.clone()))?;
            BlobStat { len: blob.len(), cache: blob.cache() }
        };
        self.notify(Action::BlobPulled(BlobTarget { digest, size: stat.len }));
        Ok(stat)
    }

    /// Opens a blob ([distribution-spec, pulling blobs]).
    ///
    /// # Errors
    /// [`RegistryError::BlobUnknown`] if the repository does not have it.
    ///
    /// [distribution-spec, pulling blobs]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs
    pub async fn open_blob(&self, digest: &Digest) -> Result<Blob, RegistryError> {
        let mut opened = self.open_stored(digest).await?;
        if opened.is_none() {
            opened = self.fetch_blob(digest).await?;
        }
        let blob = opened.ok_or_else(|| RegistryError::BlobUnknown(digest.clone()))?;
        self.notify(Action::BlobPulled(BlobTarget { digest, size: blob.len() }));
        Ok(blob)
    }

    pub(super) async fn open_stored(&self, digest: &Digest) -> Result<Option<Blob>, StorageError> {
        let pin = match self.registry.filling(&self.name) {
            Some(_) => Some(self.locks().pins().pin([digest.clone()]).await),
            None => None,
        };
        let opened = self.open_object(digest).await?;
        Ok(opened.map(|(target, object)| Blob::new(self.registry.clone(), digest.clone(), pin, target, object)))
    }

    /// The stored bytes of a blob.
    pub(super) async fn stored_object(&self, digest: &Digest) -> Result<Option<Object>, StorageError> {
        Ok(self.open_object(digest).await?.map(|(_, object)| object))
    }

    /// The stored bytes of a blob, and the digest that the store has them under.
    async fn open_object(&self, digest: &Digest) -> Result<Option<(Digest, Object)>, StorageError> {
        let Some(target) = self.blob_target(digest).await? else { return Ok(None) };
        let object = absent_if_out_of_reach(self.storage().open(&layout::data(&target)).await)?;
        let Some(object) = object else { return Ok(None) };
        if self.registry.lost_its_bytes(&target, object.stat()).await? {
            return Ok(None);
        }
        Ok(Some((target, object)))
    }

    /// Takes a blob out of this repository; it stays in every other ([distribution-spec, deleting blobs]).
    ///
    /// # Errors
    /// [`RegistryError::BlobUnknown`] if the repository does not have it; [`RegistryError::DeleteDisabled`];
    /// [`RegistryError::PreconditionFailed`].
    ///
    /// [distribution-spec, deleting blobs]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-blobs
    pub async fn delete_blob(&self, digest: &Digest, conditions: Preconditions) -> Result<(), RegistryError> {
        self.refuse_if_deletes_are_off()?;
        let (this, digest) = (self.clone(), digest.clone());
        self.locks()
            .own(async move {
                let mut state = this.locks().exclusive(&this.name).await;
                if this.blob_target(&digest).await?.is_none() {
                    return Err(RegistryError::BlobUnknown(digest));
                }
                must_hold(&conditions, Some(&digest))?;
                let link = layout::layer(&this.name, &digest);
                let removed = this.remove(Action::BlobDeleted(&digest), this.storage().delete_tree(&link)).await;
                this.settle(&mut state, removed.map(|_| ())).await
            })
            .await
    }

    /// Makes a blob of `from` readable here, too ([distribution-spec, mounting a blob]); `false` if `from` does not
    /// have it.
    ///
    /// # Errors
    /// The error of the store.
    ///
    /// [distribution-spec, mounting a blob]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository
    pub async fn mount(&self, digest: &Digest, from: &Self) -> Result<bool, RegistryError> {
        self.refuse_if_filled_by_upstream()?;
        let (this, from, digest) = (self.clone(), from.clone(), digest.clone());
        self.locks()
            .own(async move {
                let _pin = this.locks().pins().pin([digest.clone()]).await;
                let Some((target, stat)) = absent_if_out_of_reach(from.blob_in_store(&digest).await)? else {
                    return Ok(false);
                };
                let _target = this.locks().pins().pin([target.clone()]).await;
                if target != digest && from.blob_in_store(&digest).await?.is_none() {
                    return Ok(false);
                }
                let _shared = this.locks().shared(&this.name).await;
                let blob = BlobTarget { digest: &digest, size: stat.len };
                this.link_blob(Action::BlobMounted { blob, from: &from.name }, None, &digest, &target).await?;
                Ok(true)
            })
            .await
    }

    /// Makes a blob readable here that some repository has which the caller may read; `false` if there is none.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn mount_from_any(
        &self,
        digest: &Digest,
        may_read: impl Fn(&RepositoryName) -> bool,
    ) -> Result<bool, RegistryError> {
        self.refuse_if_filled_by_upstream()?;
        // A sha512 blob may be in the store under another name; any other is there under its own, or nowhere.
        if digest.algorithm() == Algorithm::Sha256 && self.registry.stat_data(digest).await?.is_none() {
            return Ok(false);
        }
        for name in self.registry.all_names().await?.into_iter().filter(may_read) {
            if self.mount(digest, &self.registry.repository(name)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Says, durably, that this repository may read a blob. The caller has a lock on the repository, and the blob is in
    /// the store, or will be by `promotion`.
    pub(super) async fn link_blob(
        &self,
        action: Action<'_>,
        promotion: Option<Step>,
        digest: &Digest,
        target: &Digest,
    ) -> Result<(), StorageError> {
        let link = link_to(layout::link(&layout::layer(&self.name, digest)), target);
        let (change, mut steps) = self.prepare(action);
        steps.extend(promotion.into_iter().chain([self.make_step(), link]));
        change.end(self.storage().commit(steps).await).await?;
        self.registry.0.catalog.exists(&self.name);
        Ok(())
    }

    /// The digest under which the store has a blob of this repository: its own, or, for a sha512 blob that was pushed
    /// to registry:2, its sha256 one.
    async fn blob_target(&self, digest: &Digest) -> Result<Option<Digest>, StorageError> {
        self.read_link(&layout::link(&layout::layer(&self.name, digest))).await
    }

    /// A blob of this repository whose bytes are in the store: their digest there, and what is known of them.
    pub(super) async fn blob_in_store(&self, digest: &Digest) -> Result<Option<(Digest, Stat)>, StorageError> {
        let Some(target) = self.blob_target(digest).await? else { return Ok(None) };
        let Some(stat) = self.registry.stat_data(&target).await? else { return Ok(None) };
        Ok(Some((target, stat)))
    }
}

impl Registry {
    /// The metadata of content in the store, whichever repositories it is in.
    pub(super) async fn stat_data(&self, digest: &Digest) -> Result<Option<Stat>, StorageError> {
        let Some(stat) = self.storage().stat(&layout::data(digest)).await? else { return Ok(None) };
        let lost = self.lost_its_bytes(digest, stat).await?;
        Ok((!lost).then_some(stat))
    }
}

//! Links: the small objects by which a repository holds content, and the repository's own coming and going.

use bytes::Bytes;

use super::{
    Registry, RegistryError, Repository,
    index::{self, Holds, RepositoryState},
    layout::RepositoryRecord,
    layout::{self, LINK_MAX_LEN},
};
use crate::{
    oci::{Algorithm, Digest},
    storage::{Key, Step, StorageError},
};

impl Registry {
    /// Whether there is an object at `key` that can be read. A symbolic link that leads nowhere is none.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn is_object(&self, key: &Key) -> Result<bool, StorageError> {
        match self.storage().stat(key).await {
            Err(error) if error.leads_nowhere() => Ok(false),
            stat => Ok(stat?.is_some()),
        }
    }
}

impl Repository {
    /// The digest that the link at `key` names. A link that another registry left empty or torn names nothing.
    pub(super) async fn read_link(&self, key: &Key) -> Result<Option<Digest>, StorageError> {
        target(key, self.storage().read(key, LINK_MAX_LEN).await)
    }

    /// [`Repository::read_link`] for each of `keys`, in the order of these.
    pub(super) async fn read_links(&self, keys: &[Key]) -> Vec<Result<Option<Digest>, StorageError>> {
        let read = self.storage().read_all(keys, LINK_MAX_LEN).await;
        keys.iter().zip(read).map(|(key, read)| target(key, read)).collect()
    }

    /// What comes before the first link of a repository, as [`Repository::make`].
    pub(super) fn make_step(&self) -> Step {
        Step::MakePrefixes(layout::skeleton(&self.name).to_vec())
    }

    /// Makes the repository, if it is not there, so that every registry that shares the store believes in it.
    pub(super) async fn make(&self) -> Result<(), StorageError> {
        self.storage().make_prefixes(&layout::skeleton(&self.name)).await?;
        self.registry.0.catalog.exists(&self.name);
        Ok(())
    }

    /// Whether somebody is uploading to it.
    pub(super) async fn has_uploads(&self) -> Result<bool, StorageError> {
        Ok(!self.storage().children(&layout::uploads(&self.name)).await?.is_empty())
    }

    /// Ends a delete. If it failed, it is not known how much was removed: the next request reads that from the store.
    pub(super) async fn settle(
        &self,
        state: &mut RepositoryState,
        removed: Result<(), StorageError>,
    ) -> Result<(), RegistryError> {
        let settled = match removed {
            Ok(()) => self.prune().await,
            Err(error) => Err(error),
        };
        if settled.is_err() {
            self.forget(state).await;
        }
        Ok(settled?)
    }

    /// Forgets what is known of the repository after a change that failed: what of it reached the store is found out
    /// from there.
    pub(super) async fn forget(&self, state: &mut RepositoryState) {
        *state = RepositoryState::default();
        if let Ok(holds) = self.holds().await {
            self.registry.0.catalog.set(&self.name, holds);
        }
    }

    /// Takes the repository away if it holds nothing; whether it did.
    pub(super) async fn remove_if_empty(&self) -> Result<bool, StorageError> {
        let _alone = self.locks().exclusive(&self.name).await;
        if !self.is_there().await? || self.has_uploads().await? {
            return Ok(false);
        }
        self.prune().await?;
        Ok(!self.is_there().await?)
    }

    /// After something was deleted: takes the repository out of the catalog if it holds no manifest any more, and away
    /// if it holds nothing. The caller has it alone.
    async fn prune(&self) -> Result<(), StorageError> {
        if self.storage().is_shared() {
            return self.remove_from_catalog().await;
        }
        let catalog = &self.registry.0.catalog;
        match self.holds().await? {
            Some(Holds::Manifests) => return Ok(()),
            Some(Holds::Blobs) => catalog.set(&self.name, Some(Holds::Blobs)),
            None => catalog.set(&self.name, None),
        }
        if self.any_link_below(&layout::layers(&self.name)).await? {
            return Ok(());
        }
        for prefix in [layout::revisions(&self.name), layout::layers(&self.name)] {
            self.remove_empty_links(&prefix).await?;
        }
        // The record first: it must not outlive what it is of.
        self.remove_record().await?;
        self.storage().remove_empty_prefixes(&layout::empty_repository(&self.name)).await?;
        if self.is_there().await? {
            let recorded = if self.is_whole().await? { RepositoryRecord::Whole } else { RepositoryRecord::Seen };
            self.storage().make_prefixes(&[layout::record(&self.name, recorded)]).await?;
        } else {
            catalog.set(&self.name, None);
        }
        Ok(())
    }

    /// The digests below `prefix`; whether their links are there is not looked at.
    pub(super) async fn linked_below(&self, prefix: &Key) -> Result<Vec<Digest>, StorageError> {
        let mut digests = Vec::new();
        for algorithm in Algorithm::ALL {
            let children = self.storage().children(&prefix.join(algorithm.as_str())).await?;
            digests.extend(index::digests(algorithm, children));
        }
        Ok(digests)
    }

    /// Removes the prefixes of links that other registries leave behind when they delete.
    async fn remove_empty_links(&self, prefix: &Key) -> Result<(), StorageError> {
        for digest in self.linked_below(prefix).await? {
            let left = prefix.join(digest.algorithm().as_str()).join(&digest.hex());
            self.storage().remove_empty_prefixes(&[left]).await?;
        }
        Ok(())
    }
}

/// The digest in what was read of a link.
pub(super) fn target(key: &Key, read: Result<Option<Bytes>, StorageError>) -> Result<Option<Digest>, StorageError> {
    let bytes = match read {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(StorageError::TooLarge) => Bytes::new(),
        Err(error) => return Err(error),
    };
    let digest = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
    if digest.is_none() {
        tracing::warn!(%key, "a link names no digest; it is taken as missing");
    }
    Ok(digest)
}

/// Writes the link at `key`, and replaces what is there. A link that is written again is young again.
pub(super) fn link_to(key: Key, target: &Digest) -> Step {
    Step::Put(key, Bytes::from(target.to_string()))
}

//! The content that a manifest refers to must be there before the manifest.

use std::collections::HashSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Missing, RegistryError, Repository, Sizes};
use crate::{
    oci::{BlobReference, Descriptor, Digest, InvalidManifest, Manifest},
    storage::StorageError,
};

/// How many of a manifest's references are looked up at a time.
const LOOK_UPS: usize = 8;

/// Content that a manifest refers to.
struct Needed {
    digest: Digest,
    size: Option<u64>,
    required: bool,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blob,
    Child,
}

impl Repository {
    /// Refuses a manifest whose blobs or children are not here; or are not as long as it says, if that is to be
    /// refused.
    ///
    /// # Errors
    /// [`RegistryError::ManifestBlobUnknown`] with all that is missing, unless that is allowed;
    /// [`RegistryError::ManifestInvalid`].
    pub(super) async fn check_references(&self, manifest: &Manifest) -> Result<(), RegistryError> {
        if self.is_filled {
            return Ok(());
        }
        let mut missing = self.missing_references(manifest).await?;
        let mut named = HashSet::new();
        missing.retain(|digest| named.insert(digest.clone()));
        match self.rules().missing {
            Missing::Refuse if !missing.is_empty() => Err(RegistryError::ManifestBlobUnknown(missing)),
            Missing::Refuse | Missing::Allow => Ok(()),
        }
    }

    /// The content that a manifest needs and that is missing.
    ///
    /// # Errors
    /// [`RegistryError::ManifestInvalid`] if something is here, and not as long as the manifest says, and that is to be
    /// refused.
    pub(super) async fn missing_references(&self, manifest: &Manifest) -> Result<Vec<Digest>, RegistryError> {
        stream::iter(needed_by(manifest))
            .map(|needed| self.look_up(needed))
            .buffered(LOOK_UPS)
            .try_filter_map(|missing| std::future::ready(Ok(missing)))
            .try_collect()
            .await
    }

    /// The digest of what is needed, if it is not here.
    async fn look_up(&self, needed: Needed) -> Result<Option<Digest>, RegistryError> {
        let Needed { digest, size, required, kind } = needed;
        let Some((target, len)) = self.find(&digest, kind).await? else { return Ok(required.then_some(digest)) };
        let Some(size) = size.filter(|size| *size != len) else { return Ok(None) };
        if !self.registry.is_intact(&target).await? {
            return Ok(required.then_some(digest));
        }
        match self.rules().sizes {
            Sizes::Refuse => Err(InvalidManifest(format!("the size of {digest} is {len} bytes, not {size}")).into()),
            Sizes::Warn => {
                let repository = &self.name;
                tracing::warn!(%repository, %digest, len, size, "a manifest is wrong about the size of its content");
                Ok(None)
            }
        }
    }

    async fn find(&self, digest: &Digest, kind: Kind) -> Result<Option<(Digest, u64)>, StorageError> {
        // The children of an index may be blobs: so are those of BuildKit's cache.
        if kind == Kind::Child && self.has_manifest(digest).await? {
            let stat = self.registry.stat_data(digest).await?;
            return Ok(stat.map(|stat| (digest.clone(), stat.len)));
        }
        Ok(self.blob_in_store(digest).await?.map(|(target, stat)| (target, stat.len)))
    }
}

/// The content that a manifest refers to, except for its subject, which may come later. Owned, since the look-ups run
/// side by side.
fn needed_by(manifest: &Manifest) -> Vec<Needed> {
    let blob = |blob: &BlobReference| Needed {
        digest: blob.digest.clone(),
        size: blob.size,
        required: blob.required,
        kind: Kind::Blob,
    };
    let child = |child: &Descriptor| Needed {
        digest: child.digest.clone(),
        // No manifest is empty: none of its sizes is said then.
        size: Some(child.size).filter(|size| *size > 0),
        required: true,
        kind: Kind::Child,
    };
    manifest.blobs.iter().map(blob).chain(manifest.children.iter().map(child)).collect()
}

/// Everything that a manifest refers to, its subject too.
pub(super) fn of(manifest: &Manifest) -> impl Iterator<Item = Digest> {
    let blobs = manifest.blobs.iter().map(|blob| &blob.digest);
    let children = manifest.children.iter().map(|child| &child.digest);
    blobs.chain(children).chain(&manifest.subject).cloned()
}

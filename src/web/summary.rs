//! What a row of a list of tags says of a manifest.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{document::Document, image_config::ImageConfig};
use crate::{
    http::{Authorized, Pull},
    oci::{Digest, Reference},
    registry::RegistryError,
};

/// How many manifests of an index are read for a row; of a longer one the size is not known.
const CHILDREN: usize = 64;
/// How many of them are read at a time.
const READS: usize = 8;

/// What a row says of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// The platforms of an image, or the kind of an artifact.
    pub(super) kinds: Vec<String>,
    /// The bytes of all layers and configurations, each counted once; `None` if not all manifests are here.
    pub(super) size: Option<u64>,
}

impl Summary {
    /// Reads what there is to say of a manifest.
    pub(super) async fn read(of: &Authorized<Pull>, digest: &Digest) -> Result<Self, RegistryError> {
        let Some(document) = Document::read(of, &Reference::Digest(digest.clone())).await? else {
            return Ok(Self::default());
        };
        if document.is_index() { Self::of_index(of, &document).await } else { Self::of_image(of, &document).await }
    }

    async fn of_index(of: &Authorized<Pull>, index: &Document) -> Result<Self, RegistryError> {
        let children = index.children();
        let kinds = children.iter().filter_map(|child| child.platform.clone()).collect();
        if children.len() > CHILDREN {
            return Ok(Self { kinds, size: None });
        }
        let references = children.into_iter().map(|child| Reference::Digest(child.entry.digest));
        let documents: Vec<Option<Document>> = stream::iter(references)
            .map(async |reference| Document::read(of, &reference).await)
            .buffered(READS)
            .try_collect()
            .await?;
        let size = documents.iter().all(Option::is_some).then(|| size_of(documents.iter().flatten()));
        Ok(Self { kinds, size })
    }

    async fn of_image(of: &Authorized<Pull>, image: &Document) -> Result<Self, RegistryError> {
        let platform = ImageConfig::read(of, image).await?.platform();
        let kind = platform.or_else(|| image.artifact_type().map(ToOwned::to_owned));
        let kind = kind.or_else(|| image.config().map(|config| config.media_type));
        Ok(Self { kinds: kind.into_iter().collect(), size: Some(size_of([image])) })
    }
}

/// The bytes of all that some manifests refer to, each counted once.
pub(super) fn size_of<'a>(documents: impl IntoIterator<Item = &'a Document>) -> u64 {
    let entries = documents.into_iter().flat_map(|document| document.layers().into_iter().chain(document.config()));
    let sizes: BTreeMap<Digest, u64> = entries.map(|entry| (entry.digest, entry.size)).collect();
    sizes.values().fold(0, |sum, size| sum.saturating_add(*size))
}

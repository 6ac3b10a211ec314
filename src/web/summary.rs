//! The platforms and the size of a manifest.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{document::Document, image_config::ImageConfig, reader::Reader};
use crate::{
    http::Pull,
    oci::{Digest, Reference},
    registry::RegistryError,
};

/// How many manifests of an index are read. The size of a longer index is not known.
const CHILDREN: usize = 64;
/// How many of them are read at a time.
const READS: usize = 8;

/// The platforms and the size of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// The platforms of an image, or the kind of an artifact.
    pub(super) kinds: Vec<String>,
    /// The bytes of all layers and configurations, each counted once; `None` if not all manifests are here, or if the
    /// manifest is an index of indexes.
    pub(super) size: Option<u64>,
}

impl Summary {
    /// Reads the manifest, and those of an index.
    pub(super) async fn read(reader: &Reader<'_, Pull>, digest: &Digest) -> Result<Self, RegistryError> {
        if reader.is_used_up() {
            return Ok(Self::default());
        }
        let Some(document) = reader.manifest(&Reference::Digest(digest.clone())).await? else {
            return Ok(Self::default());
        };
        let digests = match &document.children {
            None => return Self::of_image(reader, &document).await,
            Some(children) => children.iter().map(|child| child.digest.clone()).collect(),
        };
        let size = size_of_all(reader, digests).await?;
        let kinds = document.children.into_iter().flatten().filter_map(|child| child.platform).collect();
        Ok(Self { kinds, size })
    }

    async fn of_image(reader: &Reader<'_, Pull>, image: &Document) -> Result<Self, RegistryError> {
        let platform = ImageConfig::read(reader, image).await?.platform();
        let kind = platform.or_else(|| image.artifact_type.clone());
        let kind = kind.or_else(|| image.config.as_ref().map(|config| config.media_type.clone()));
        Ok(Self { kinds: kind.into_iter().collect(), size: size_of(image) })
    }
}

/// The bytes of all blobs of some manifests, each counted once; `None` if one is missing or an index, or they are too
/// many.
async fn size_of_all(reader: &Reader<'_, Pull>, manifests: Vec<Digest>) -> Result<Option<u64>, RegistryError> {
    if manifests.len() > CHILDREN {
        return Ok(None);
    }
    let read = async |digest| {
        if reader.is_used_up() {
            return Ok(None);
        }
        let document = reader.manifest(&Reference::Digest(digest)).await?;
        Ok::<_, RegistryError>(document.and_then(|document| document.sizes()))
    };
    let read: Vec<_> = stream::iter(manifests).map(read).buffered(READS).try_collect().await?;
    let all: Option<Vec<_>> = read.into_iter().collect();
    Ok(all.map(|all| sum(all.into_iter().flatten().collect())))
}

/// The bytes of all blobs of a manifest, each counted once.
pub(super) fn size_of(document: &Document) -> Option<u64> {
    document.sizes().map(sum)
}

fn sum(sizes: BTreeMap<Digest, u64>) -> u64 {
    sizes.into_values().fold(0, u64::saturating_add)
}

//! Descriptors: what a manifest says of a piece of content.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Digest, MediaType};

/// A descriptor ([image-spec, descriptor]): the media type, digest and size of some content.
///
/// Fields that a registry has no use for (`data`, `platform` and whatever a client adds) are passed over.
///
/// [image-spec, descriptor]: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The type of the content.
    pub media_type: MediaType,
    /// The name of the content.
    pub digest: Digest,
    /// How many bytes the content has; at most [`Descriptor::MAX_SIZE`].
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// Where else the content can be had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What kind of artifact the content is, where it is a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Notes on the content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The largest size, in bytes: the specification has it signed and of 64 bits.
    pub const MAX_SIZE: u64 = i64::MAX as u64;
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = u64::deserialize(deserializer)?;
    if size <= Descriptor::MAX_SIZE { Ok(size) } else { Err(D::Error::custom("the size is not an integer of 64 bits")) }
}

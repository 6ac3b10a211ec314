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
    /// The type of the artifact, if the content is a manifest.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn a_descriptor_keeps_what_a_registry_needs() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let json = json!({
            "mediaType": "a/b", "digest": digest, "size": 7, "urls": ["https://example.com/x"], "artifactType": "c/d",
            "annotations": { "k": "v" }, "data": "e30=", "platform": { "os": "linux" }, "more": [1],
        });
        let descriptor: Descriptor = serde_json::from_value(json).unwrap();
        assert_eq!((descriptor.media_type.as_str(), &descriptor.digest, descriptor.size), ("a/b", &digest, 7));
        assert_eq!(descriptor.urls, ["https://example.com/x"]);
        assert_eq!(descriptor.artifact_type.as_deref(), Some("c/d"));
        assert_eq!(descriptor.annotations["k"], "v");
        let again = serde_json::to_string(&descriptor).unwrap();
        assert_eq!(serde_json::from_str::<Descriptor>(&again).unwrap(), descriptor);
    }

    #[test]
    fn f5_a_size_is_a_number_that_a_file_can_have() {
        let descriptor = |size: &str| {
            let digest = Digest::of(Algorithm::Sha256, b"x");
            serde_json::from_str::<Descriptor>(&format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":{size}}}"#))
        };
        assert_eq!(descriptor("0").unwrap().size, 0);
        assert_eq!(descriptor("9223372036854775807").unwrap().size, Descriptor::MAX_SIZE);
        for bad in
            ["9223372036854775808", "18446744073709551616", "-1", "1.0", "1e3", "1e999", "NaN", "\"1\"", "null", "[]"]
        {
            assert!(descriptor(bad).is_err(), "{bad}");
        }
    }
}

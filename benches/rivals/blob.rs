//! Random bytes, and their name.

use std::fmt::Write as _;

use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

/// The length of a small blob.
pub(crate) const SMALL: usize = 4096;

/// Bytes and their digest.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: String,
}

impl Blob {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let digest = digest(Sha256::new().chain_update(&bytes));
        Self { bytes, digest }
    }

    /// Bytes that no store has seen.
    pub(crate) fn random(length: usize) -> Self {
        let mut bytes = vec![0; length];
        rand::rng().fill_bytes(&mut bytes);
        Self::new(bytes)
    }

    /// A manifest with one configuration and these layers.
    pub(crate) fn manifest(config: &Self, layers: &[Self]) -> Self {
        let described = |media_type: &str, blob: &Self| serde_json::json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.bytes.len() });
        let layers: Vec<_> =
            layers.iter().map(|layer| described("application/vnd.oci.image.layer.v1.tar", layer)).collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described("application/vnd.oci.image.config.v1+json", config),
            "layers": layers,
        });
        Self::new(manifest.to_string().into_bytes())
    }

    /// The part of the digest after the algorithm.
    pub(crate) fn hex(&self) -> &str {
        self.digest.trim_start_matches("sha256:")
    }
}

/// The media type of every manifest here.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The digest at the end of a hash.
pub(crate) fn digest(hash: Sha256) -> String {
    hash.finalize().iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

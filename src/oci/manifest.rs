//! Manifests, read only as far as a registry must.

use std::collections::BTreeMap;

use super::{Descriptor, Digest, MediaType};

/// What a registry needs to know of a manifest. Its bytes are kept elsewhere, as they came: nothing here is ever written out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its type: the body's `mediaType`, else the pushed Content-Type, else what its fields say.
    pub media_type: MediaType,
    /// Whether the body itself named its type.
    pub names_its_type: bool,
    /// `config`, `layers` and `blobs` (and schema 1's `fsLayers`, of unknown size): content that must be a blob of the repository.
    pub blobs: Vec<Descriptor>,
    /// `manifests`: content that must be a manifest (or a blob: BuildKit's cache) of the repository.
    pub children: Vec<Descriptor>,
    /// What this is a referrer of.
    pub subject: Option<Digest>,
    /// What a list of referrers says of this one: its `artifactType`, else the media type of its config, else nothing.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Why a body is not a manifest that can be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidManifest(pub String);

impl Manifest {
    /// Reads `bytes` that were pushed with `content_type` (`None`: they were stored, and nothing more is known).
    ///
    /// # Errors
    /// [`InvalidManifest`] in plain words for the client.
    pub fn parse(_bytes: &[u8], _content_type: Option<&MediaType>) -> Result<Self, InvalidManifest> {
        unimplemented!()
    }
}

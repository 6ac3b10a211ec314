//! Manifests, read only as far as a registry must.

mod entry;
mod json;
mod shape;
mod stored_references;

use std::collections::BTreeMap;

use super::{Descriptor, Digest, MediaType};
use entry::Reading;
use json::Object;
use shape::Shape;

pub use stored_references::StoredReferences;

/// What a registry needs to know of a manifest. Its bytes are kept elsewhere, as they came: nothing here is ever
/// written out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its type: the body's `mediaType`, else the pushed Content-Type, else what its fields say.
    pub media_type: MediaType,
    /// Whether the body itself named its type.
    pub names_its_type: bool,
    /// `config`, `layers` and `blobs` (and schema 1's `fsLayers`, of unknown size): content that is a blob of the
    /// repository.
    pub blobs: Vec<BlobReference>,
    /// `manifests`: content that must be a manifest (or a blob: `BuildKit`'s cache) of the repository.
    pub children: Vec<Descriptor>,
    /// The manifest that this one refers to as a referrer.
    pub subject: Option<Digest>,
    /// What a list of referrers says of this one: its `artifactType`, else the media type of its config, else nothing.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// The entry of a blob in a manifest.
///
/// The blob's media type is not here: clients may write any text for it, and a registry never serves a blob under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobReference {
    /// The name of the blob.
    pub digest: Digest,
    /// How many bytes it has, where the manifest says so (schema 1 doesn't, and others need not).
    pub size: Option<u64>,
    /// Whether the repository must have it. It need not have a layer that is nondistributable or that has `urls` to be
    /// got from.
    pub required: bool,
}

/// Why a body is not a manifest that can be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidManifest(pub String);

impl Manifest {
    /// How many blobs and children a manifest may name.
    pub const MAX_REFERENCES: usize = 10_000;

    /// Reads `bytes` that were pushed with `content_type` (`None`: they were stored, and nothing more is known).
    ///
    /// Of the types that the specifications define, every field that is read must have its form. Of another
    /// `application/…+json` type the fields of the same names are taken where they have the form of descriptors, and
    /// passed over where not.
    ///
    /// # Errors
    /// [`InvalidManifest`] in plain words for the client.
    pub fn parse(bytes: &[u8], content_type: Option<&MediaType>) -> Result<Self, InvalidManifest> {
        let body = json::document(bytes)?;
        shape::refuse_two_natures(&body)?;
        let named = shape::named_type(&body)?;
        let media_type = shape::agreed_type(&body, named.as_ref(), content_type)?;
        let shape = Shape::of(&media_type);
        shape.check(&body)?;
        let reading = if shape == Shape::Unknown { Reading::Lenient } else { Reading::Strict };

        let blobs = blobs(&body, reading)?;
        let children = reading.list(&body, "manifests", Object::descriptor)?;
        if blobs.len() + children.len() > Self::MAX_REFERENCES {
            return Err(InvalidManifest(format!("the manifest has more than {} references", Self::MAX_REFERENCES)));
        }
        let subject =
            reading.of(body.object("subject").and_then(|subject| subject.as_ref().map(Object::blob).transpose()))?;
        Ok(Self {
            media_type,
            names_its_type: named.is_some(),
            blobs,
            children,
            subject: subject.map(|subject| subject.digest),
            artifact_type: artifact_type(&body, shape, reading)?,
            annotations: reading.of(body.texts("annotations"))?,
        })
    }
}

/// The config first, then everything else that is a blob.
fn blobs(body: &Object<'_>, reading: Reading) -> Result<Vec<BlobReference>, InvalidManifest> {
    let config = reading.of(body.object("config").and_then(|config| config.as_ref().map(Object::blob).transpose()))?;
    let mut blobs = Vec::from_iter(config);
    blobs.extend(reading.list(body, "layers", Object::blob)?);
    blobs.extend(reading.list(body, "blobs", Object::blob)?);
    blobs.extend(reading.list(body, "fsLayers", Object::schema_1_layer)?);
    Ok(blobs)
}

/// The `artifactType`; an image that has none is of its config's type ([distribution-spec, pushing manifests with
/// subject]).
///
/// [distribution-spec, pushing manifests with subject]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject
fn artifact_type(body: &Object<'_>, shape: Shape, reading: Reading) -> Result<Option<String>, InvalidManifest> {
    let named: Option<String> = reading.of(body.optional("artifactType", "a string"))?;
    let named = named.filter(|named| !named.is_empty());
    if named.is_some() || shape != Shape::Image {
        return Ok(named);
    }
    let config = body.object("config")?.map(|config| config.media_type()).transpose()?;
    Ok(config.filter(|config| !config.is_empty()))
}

#[cfg(test)]
mod tests;

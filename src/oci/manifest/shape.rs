//! The fields that a type of manifest has.

use super::{InvalidManifest, json, json::Object};
use crate::oci::MediaType;

/// The kinds of manifests that the specifications define.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// OCI image manifest, Docker schema 2: a config and layers.
    Image,
    /// OCI image index, Docker manifest list: manifests.
    Index,
    /// OCI artifact manifest: blobs.
    Artifact,
    /// Docker schema 1: `fsLayers`.
    Schema1,
    /// Anything else.
    Unknown,
}

/// The fields that this and clients' programs read. Many clients match names without regard to case, so a name that
/// differs from one of these by case alone would be read by them and not here.
const FIELDS: [&str; 10] = [
    "annotations",
    "artifactType",
    "blobs",
    "config",
    "fsLayers",
    "layers",
    "manifests",
    "mediaType",
    "schemaVersion",
    "subject",
];

/// Refuses a body that is an index for one reader and an image for another (CVE-2021-41190).
pub(super) fn refuse_two_natures(body: &Object<'_>) -> Result<(), InvalidManifest> {
    let spellings: Vec<(&str, &str)> = body.names().filter_map(|name| Some((known_field(name)?, name))).collect();
    let has = |field: &str| spellings.iter().any(|(known, _spelling)| *known == field);
    if let Some(other) = ["layers", "config", "fsLayers"].into_iter().find(|other| has(other) && has("manifests")) {
        return Err(InvalidManifest(format!("a manifest has either manifests or {other}, not both")));
    }
    let mut known: Vec<&str> = spellings.iter().map(|(known, _spelling)| *known).collect();
    known.sort_unstable();
    match known.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(InvalidManifest(format!("the field {} is there twice, in different spellings", pair[0]))),
        None => Ok(()),
    }
}

/// The one of [`FIELDS`] that `name` is, without regard to case as Unicode has it (`ſ` is an `s`).
fn known_field(name: &str) -> Option<&'static str> {
    const LONGEST: usize = 3 * "schemaVersion".len();
    let fold = |text: &str| text.to_uppercase().to_lowercase();
    (name.len() <= LONGEST).then(|| fold(name)).and_then(|name| FIELDS.into_iter().find(|field| fold(field) == name))
}

/// The body's `mediaType`; an empty one counts as none.
pub(super) fn named_type(body: &Object<'_>) -> Result<Option<MediaType>, InvalidManifest> {
    let text: Option<String> = body.optional("mediaType", "a string")?;
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| text.parse()).transpose().map_err(|error| InvalidManifest(format!("mediaType: {error}")))
}

/// The type that the body, the pusher and the fields agree on.
pub(super) fn agreed_type(
    body: &Object<'_>,
    named: Option<&MediaType>,
    content_type: Option<&MediaType>,
) -> Result<MediaType, InvalidManifest> {
    if let (Some(named), Some(pushed)) = (named, content_type)
        && named != pushed
    {
        let (named, pushed) = (json::shortened(named.as_str()), json::shortened(pushed.as_str()));
        return Err(InvalidManifest(format!("the mediaType is {named}, but the Content-Type is {pushed}")));
    }
    let media_type = named.or(content_type).cloned().unwrap_or_else(|| guessed_type(body));
    if media_type.is_manifest() {
        return Ok(media_type);
    }
    let media_type = json::shortened(media_type.as_str());
    Err(InvalidManifest(format!("{media_type} is not the type of a manifest: those are application/<name>+json")))
}

/// The type that registry:2 assumes for a stored manifest without a type.
fn guessed_type(body: &Object<'_>) -> MediaType {
    MediaType::known(match () {
        () if body.has("manifests") => MediaType::OCI_INDEX,
        () if body.has("fsLayers") && body.has("signatures") => MediaType::DOCKER_SCHEMA_1_SIGNED,
        () if body.has("fsLayers") => MediaType::DOCKER_SCHEMA_1,
        () => MediaType::OCI_MANIFEST,
    })
}

impl Shape {
    pub(super) fn of(media_type: &MediaType) -> Self {
        match media_type.as_str() {
            MediaType::OCI_MANIFEST | MediaType::DOCKER_MANIFEST => Self::Image,
            MediaType::OCI_INDEX | MediaType::DOCKER_MANIFEST_LIST => Self::Index,
            MediaType::OCI_ARTIFACT_MANIFEST => Self::Artifact,
            MediaType::DOCKER_SCHEMA_1 | MediaType::DOCKER_SCHEMA_1_SIGNED => Self::Schema1,
            _ => Self::Unknown,
        }
    }

    /// Refuses a body without the fields that its type must have, or with ones that belong to another.
    pub(super) fn check(self, body: &Object<'_>) -> Result<(), InvalidManifest> {
        let (version, object, list, foreign): (_, _, _, &[&str]) = match self {
            Self::Image => (Some(2), Some("config"), None, &["manifests", "fsLayers"]),
            Self::Index => (Some(2), None, None, &["config", "layers", "fsLayers"]),
            Self::Artifact => (None, None, None, &["manifests", "fsLayers"]),
            Self::Schema1 => (Some(1), None, Some("fsLayers"), &["manifests"]),
            Self::Unknown => return Ok(()),
        };
        if let Some(name) = body.names().find(|name| known_field(name).is_some_and(|known| known != *name)) {
            return Err(InvalidManifest(format!(
                "the field {name} differs from one of the specification by case alone"
            )));
        }
        if let Some(version) = version {
            let found: u64 = body.required("schemaVersion", "a number")?;
            if found != version {
                return Err(InvalidManifest(format!("schemaVersion is {found}, and must be {version} for this type")));
            }
        }
        // A list may be `null`: Go writes an empty one so. Absent `layers` and `manifests` are empty ones, as
        // registry:2 has it.
        let without_object = object.filter(|object| !body.has(object));
        if let Some(field) = without_object.or(list.filter(|list| !body.has_even_null(list))) {
            return Err(InvalidManifest(format!("{field} is missing")));
        }
        match foreign.iter().find(|field| body.has(field)) {
            Some(field) => Err(InvalidManifest(format!("{field} does not belong in a manifest of this type"))),
            None => Ok(()),
        }
    }
}

//! A manifest, read for people. Fields that are missing or have another form are not shown.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::oci::{Digest, MediaType};

/// A manifest that is shown.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    /// Whether it is too long for the page. Then the fields below are empty.
    pub(super) is_too_long: bool,
    /// The kind of artifact.
    pub(super) artifact_type: Option<String>,
    /// The manifest that this one is a referrer of.
    pub(super) subject: Option<Digest>,
    pub(super) config: Option<Entry>,
    /// The layers, and the blobs of an artifact, in their order.
    pub(super) layers: Vec<Entry>,
    /// The manifests of an index; `None` if it is no index.
    pub(super) children: Option<Vec<Child>>,
    pub(super) annotations: Vec<(String, String)>,
}

/// Content that a manifest refers to.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) size: u64,
    /// The file name, in artifacts.
    pub(super) title: Option<String>,
    /// Whether clients get it from another host.
    pub(super) is_elsewhere: bool,
}

/// A manifest in an index.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) digest: Digest,
    /// The platform; `None` if the index does not say one.
    pub(super) platform: Option<String>,
}

impl Document {
    /// A manifest with its body; without one, it is too long.
    pub(super) fn new(digest: Digest, media_type: MediaType, body: Option<&Value>) -> Self {
        let is_too_long = body.is_none();
        let body = body.unwrap_or(&Value::Null);
        let child = |value| Some(Child { digest: entry(value)?.digest, platform: platform(&value["platform"]) });
        Self {
            digest,
            media_type,
            is_too_long,
            artifact_type: text(&body["artifactType"]),
            subject: entry(&body["subject"]).map(|subject| subject.digest),
            config: entry(&body["config"]),
            layers: list(&body["layers"]).chain(list(&body["blobs"])).filter_map(entry).collect(),
            children: body["manifests"].as_array().map(|children| children.iter().filter_map(child).collect()),
            annotations: texts(&body["annotations"]),
        }
    }

    /// The bytes of all its blobs, by their digests; `None` if it says none itself.
    pub(super) fn sizes(&self) -> Option<BTreeMap<Digest, u64>> {
        let entries = self.layers.iter().chain(&self.config).map(|entry| (entry.digest.clone(), entry.size));
        (self.children.is_none() && !self.is_too_long).then(|| entries.collect())
    }

    /// Whether it has the configuration of an image that runs, and is no other artifact.
    pub(super) fn is_image(&self) -> bool {
        self.config.as_ref().is_some_and(|config| {
            matches!(
                config.media_type.as_str(),
                "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json"
            )
        })
    }
}

/// The platform in a descriptor or in the configuration of an image. `unknown/unknown` counts as none: `BuildKit` gives
/// it to attestations.
pub(super) fn platform(value: &Value) -> Option<String> {
    let (os, architecture) = (text(&value["os"])?, text(&value["architecture"])?);
    let variant = text(&value["variant"]).map(|variant| format!("/{variant}")).unwrap_or_default();
    let version = text(&value["os.version"]).map(|version| format!(" {version}")).unwrap_or_default();
    (os != "unknown").then(|| format!("{os}/{architecture}{variant}{version}"))
}

/// The texts of an object, by their names.
pub(super) fn texts(value: &Value) -> Vec<(String, String)> {
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    value.as_object().into_iter().flatten().filter_map(text).collect()
}

/// A text that is not empty.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// The elements of a list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entry(value: &Value) -> Option<Entry> {
    Some(Entry {
        digest: value["digest"].as_str()?.parse().ok()?,
        media_type: value["mediaType"].as_str().unwrap_or_default().to_owned(),
        size: value["size"].as_u64().unwrap_or_default(),
        title: text(&value["annotations"]["org.opencontainers.image.title"]),
        is_elsewhere: list(&value["urls"]).next().is_some(),
    })
}

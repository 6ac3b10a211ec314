//! A manifest, read for people: what is not there or has another form is not shown.

use std::str::FromStr;

use serde_json::Value;

use crate::{
    http::Authorized,
    oci::{Digest, MediaType, Reference},
    registry::{RegistryError, StoredManifest},
};

/// A manifest that is shown.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    body: Value,
}

/// Content that a manifest refers to.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) size: u64,
    /// The name of a file, which artifacts give.
    pub(super) title: Option<String>,
}

/// A manifest in an index.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) entry: Entry,
    /// The platform; `None` if the index does not say one.
    pub(super) platform: Option<String>,
}

impl Document {
    /// Reads a manifest of a repository; `None` if it is not there.
    pub(super) async fn read<A>(of: &Authorized<A>, reference: &Reference) -> Result<Option<Self>, RegistryError> {
        Ok(of.repository().browse_manifest(reference).await?.map(Self::of))
    }

    fn of(stored: StoredManifest) -> Self {
        let StoredManifest { digest, media_type, bytes } = stored;
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { digest, media_type, body }
    }

    /// Whether it is a list of manifests.
    pub(super) fn is_index(&self) -> bool {
        self.body["manifests"].is_array()
    }

    /// Whether it has the configuration of an image that runs, and is no other artifact.
    pub(super) fn is_image(&self) -> bool {
        self.config().is_some_and(|config| {
            matches!(
                config.media_type.as_str(),
                "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json"
            )
        })
    }

    /// The manifests of an index.
    pub(super) fn children(&self) -> Vec<Child> {
        let child = |value: &Value| Some(Child { platform: platform(&value["platform"]), entry: entry(value)? });
        list(&self.body["manifests"]).filter_map(child).collect()
    }

    /// The configuration.
    pub(super) fn config(&self) -> Option<Entry> {
        entry(&self.body["config"])
    }

    /// The layers, and the blobs of an artifact, in their order.
    pub(super) fn layers(&self) -> Vec<Entry> {
        list(&self.body["layers"]).chain(list(&self.body["blobs"])).filter_map(entry).collect()
    }

    /// What it is a referrer of.
    pub(super) fn subject(&self) -> Option<Digest> {
        Some(entry(&self.body["subject"])?.digest)
    }

    /// What kind of artifact it says it is.
    pub(super) fn artifact_type(&self) -> Option<&str> {
        self.body["artifactType"].as_str()
    }

    /// Its annotations.
    pub(super) fn annotations(&self) -> Vec<(String, String)> {
        texts(&self.body["annotations"])
    }
}

/// The platform in a descriptor or in the configuration of an image. `unknown/unknown` is none: so `BuildKit` marks
/// what it attests.
pub(super) fn platform(value: &Value) -> Option<String> {
    let part = |name: &str| value[name].as_str().filter(|part| !part.is_empty());
    let (os, architecture) = (part("os")?, part("architecture")?);
    let variant = part("variant").map(|variant| format!("/{variant}")).unwrap_or_default();
    (os != "unknown").then(|| format!("{os}/{architecture}{variant}"))
}

/// The texts of an object, by their names.
pub(super) fn texts(value: &Value) -> Vec<(String, String)> {
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    value.as_object().into_iter().flatten().filter_map(text).collect()
}

/// The elements of a list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entry(value: &Value) -> Option<Entry> {
    Some(Entry {
        digest: Digest::from_str(value["digest"].as_str()?).ok()?,
        media_type: value["mediaType"].as_str().unwrap_or_default().to_owned(),
        size: value["size"].as_u64().unwrap_or_default(),
        title: value["annotations"]["org.opencontainers.image.title"].as_str().map(ToOwned::to_owned),
    })
}

//! Images and other manifests, and their way into a registry.

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};
use wharf::oci::{Algorithm, Digest, MediaType};

use crate::registry::TestRegistry;

pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, bytes).to_string()
}

pub(crate) fn sha512(bytes: &[u8]) -> String {
    Digest::of(Algorithm::Sha512, bytes).to_string()
}

/// The descriptor of some bytes.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": sha256(bytes), "size": bytes.len() })
}

/// A manifest with its blobs. What it holds is the seed's; two with the same one are the same.
pub(crate) struct Image {
    pub(crate) config: Bytes,
    pub(crate) layer: Bytes,
    pub(crate) manifest: Bytes,
    pub(crate) digest: String,
}

impl Image {
    pub(crate) fn new(seed: &str) -> Self {
        Self::changed(seed, |_| {})
    }

    /// One whose manifest differs as the test wants it.
    pub(crate) fn changed(seed: &str, change: impl FnOnce(&mut Value)) -> Self {
        let config = Bytes::from(json!({ "architecture": "amd64", "os": "linux", "author": seed }).to_string());
        let layer = Bytes::from(format!("the layer of {seed}").repeat(100));
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": [descriptor(LAYER, &layer)],
        });
        change(&mut manifest);
        // Not the form that a JSON library would write: what is served must be what came.
        let manifest = Bytes::from(format!("{manifest:#}\n"));
        let digest = sha256(&manifest);
        Self { config, layer, manifest, digest }
    }

    /// One that refers to a manifest.
    pub(crate) fn referrer(seed: &str, subject: &Self, artifact_type: Option<&str>) -> Self {
        Self::changed(seed, |manifest| {
            manifest["subject"] = descriptor(MediaType::OCI_MANIFEST, &subject.manifest);
            if let Some(artifact_type) = artifact_type {
                manifest["artifactType"] = artifact_type.into();
            }
            manifest["annotations"] = json!({ "of": seed });
        })
    }

    /// The manifest with a change to it, in the form that a JSON library writes.
    pub(crate) fn changed_body(&self, change: impl FnOnce(&mut Value)) -> Bytes {
        let mut manifest: Value = serde_json::from_slice(&self.manifest).unwrap();
        change(&mut manifest);
        manifest.to_string().into()
    }

    pub(crate) fn media_type(&self) -> String {
        let manifest: Value = serde_json::from_slice(&self.manifest).unwrap();
        manifest["mediaType"].as_str().unwrap().to_owned()
    }
}

/// An index of manifests.
pub(crate) fn index(children: &[&Image]) -> Bytes {
    let children: Vec<_> = children.iter().map(|child| descriptor(MediaType::OCI_MANIFEST, &child.manifest)).collect();
    Bytes::from(json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": children }).to_string())
}

impl TestRegistry {
    /// Stores a blob, and returns its digest.
    pub(crate) async fn push_blob(&self, name: &str, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        self.with_body(Method::POST, &path, bytes.to_vec()).await.expect(201);
        digest
    }

    /// Stores the blobs of an image.
    pub(crate) async fn push_blobs(&self, name: &str, image: &Image) {
        self.push_blob(name, &image.config).await;
        self.push_blob(name, &image.layer).await;
    }

    /// Stores a whole image under a tag or its digest.
    pub(crate) async fn push_image(&self, name: &str, reference: &str, image: &Image) {
        self.push_blobs(name, image).await;
        let path = format!("/v2/{name}/manifests/{reference}");
        self.put_manifest(&path, &image.media_type(), image.manifest.clone()).await.expect(201);
    }

    /// Stores a new image under a tag, and returns it.
    pub(crate) async fn image(&self, name: &str, tag: &str, seed: &str) -> Image {
        let image = Image::new(seed);
        self.push_image(name, tag, &image).await;
        image
    }

    /// Begins an upload, and returns its `Location`.
    pub(crate) async fn begin_upload(&self, name: &str) -> String {
        let answer = self.post(&format!("/v2/{name}/blobs/uploads/")).await.expect(202);
        answer.value("location").to_owned()
    }

    /// The tags of a repository.
    pub(crate) async fn tags(&self, name: &str) -> Vec<String> {
        let answer = self.get(&format!("/v2/{name}/tags/list")).await.expect(200);
        assert_eq!(answer.json()["name"], name);
        texts(&answer.json()["tags"])
    }

    /// The repositories of the catalog.
    pub(crate) async fn catalog(&self) -> Vec<String> {
        texts(&self.get("/v2/_catalog").await.expect(200).json()["repositories"])
    }
}

/// A list of strings in JSON.
pub(crate) fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

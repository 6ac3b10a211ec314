#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod oracle;

use serde_json::{Value, json};

use super::*;
use crate::oci::Algorithm;

fn digest(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

/// A descriptor of `content`.
fn descriptor(media_type: &str, content: &str) -> Value {
    json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", "config"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "layer")],
    })
}

fn index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [descriptor(MediaType::OCI_MANIFEST, "child")],
    })
}

/// `body` with `field` set to `value`.
fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

/// `body` without `field`.
fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field).unwrap();
    body
}

fn parse(body: &Value) -> Result<Manifest, InvalidManifest> {
    Manifest::parse(body.to_string().as_bytes(), None)
}

fn pushed(body: &Value, content_type: &'static str) -> Result<Manifest, InvalidManifest> {
    Manifest::parse(body.to_string().as_bytes(), Some(&MediaType::known(content_type)))
}

fn required(content: &str) -> BlobReference {
    BlobReference { digest: digest(content), size: Some(content.len() as u64), required: true }
}

#[test]
fn an_image_names_its_config_and_layers() {
    let body = with(image(), "annotations", json!({ "k": "v" }));
    let body = with(body, "subject", descriptor(MediaType::OCI_MANIFEST, "subject"));
    let manifest = pushed(&body, MediaType::OCI_MANIFEST).unwrap();
    assert_eq!(manifest.media_type, *MediaType::OCI_MANIFEST);
    assert!(manifest.names_its_type);
    assert_eq!(manifest.blobs, [required("config"), required("layer")]);
    assert_eq!(manifest.children, []);
    assert_eq!(manifest.subject, Some(digest("subject")));
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
    assert_eq!(manifest.annotations, BTreeMap::from([("k".to_owned(), "v".to_owned())]));
}

#[test]
fn an_index_names_its_children() {
    let manifest = parse(&index()).unwrap();
    assert_eq!(manifest.blobs, []);
    assert_eq!(manifest.children.len(), 1);
    assert_eq!((&manifest.children[0].digest, manifest.children[0].size), (&digest("child"), 5));
    assert_eq!(manifest.children[0].media_type, *MediaType::OCI_MANIFEST);
    assert_eq!(manifest.artifact_type, None);
}

#[test]
fn the_children_keep_what_a_referrers_tag_says_of_them() {
    let mut child = descriptor(MediaType::OCI_MANIFEST, "child");
    child["artifactType"] = "a/b".into();
    child["annotations"] = json!({ "k": "v" });
    child["platform"] = json!({ "os": "linux" });
    let manifest = parse(&with(index(), "manifests", json!([child]))).unwrap();
    assert_eq!(manifest.children, [serde_json::from_value::<Descriptor>(child).unwrap()]);
}

#[test]
fn the_type_is_the_bodys_else_the_pushers_else_a_guess() {
    let schema_1 = json!({ "schemaVersion": 1, "fsLayers": [{ "blobSum": digest("layer") }] });
    let table = [
        (image(), None, MediaType::OCI_MANIFEST, true),
        (with(image(), "mediaType", MediaType::DOCKER_MANIFEST), None, MediaType::DOCKER_MANIFEST, true),
        (without(image(), "mediaType"), None, MediaType::OCI_MANIFEST, false),
        (with(image(), "mediaType", ""), None, MediaType::OCI_MANIFEST, false),
        (with(image(), "mediaType", Value::Null), None, MediaType::OCI_MANIFEST, false),
        (without(image(), "mediaType"), Some(MediaType::DOCKER_MANIFEST), MediaType::DOCKER_MANIFEST, false),
        (without(index(), "mediaType"), None, MediaType::OCI_INDEX, false),
        (without(index(), "mediaType"), Some(MediaType::DOCKER_MANIFEST_LIST), MediaType::DOCKER_MANIFEST_LIST, false),
        (with(without(image(), "mediaType"), "manifests", Value::Null), None, MediaType::OCI_MANIFEST, false),
        (schema_1.clone(), None, MediaType::DOCKER_SCHEMA_1, false),
        (with(schema_1, "signatures", json!([{}])), None, MediaType::DOCKER_SCHEMA_1_SIGNED, false),
    ];
    for (body, content_type, expected, names_its_type) in table {
        let content_type = content_type.map(MediaType::known);
        let manifest = Manifest::parse(body.to_string().as_bytes(), content_type.as_ref());
        let manifest = manifest.unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!((manifest.media_type.as_str(), manifest.names_its_type), (expected, names_its_type), "{body}");
    }
}

#[test]
fn the_artifact_type_is_the_fields_else_the_configs_of_an_image() {
    let table = [
        (image(), Some("application/vnd.oci.image.config.v1+json")),
        (with(image(), "artifactType", "a/b"), Some("a/b")),
        (with(image(), "artifactType", ""), Some("application/vnd.oci.image.config.v1+json")),
        (with(image(), "config", descriptor("", "config")), None),
        (index(), None),
        (with(index(), "artifactType", ""), None),
        (with(index(), "artifactType", "a/b"), Some("a/b")),
        (json!({ "mediaType": MediaType::OCI_ARTIFACT_MANIFEST, "artifactType": "a/b" }), Some("a/b")),
        (json!({ "mediaType": "application/x+json", "config": descriptor("c/d", "config") }), None),
    ];
    for (body, expected) in table {
        assert_eq!(parse(&body).unwrap().artifact_type.as_deref(), expected, "{body}");
    }
}

#[test]
fn layers_that_are_elsewhere_are_not_required() {
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let urls = |urls: Value| with(descriptor(gzip, "layer"), "urls", urls);
    let table = [
        (descriptor(gzip, "layer"), true),
        (descriptor("text", "layer"), true),
        (urls(json!([])), true),
        (urls(Value::Null), true),
        (urls(json!(["https://example.com/layer"])), false),
        (descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "layer"), false),
        (descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", "layer"), false),
    ];
    for (layer, required) in table {
        let manifest = parse(&with(image(), "layers", json!([layer]))).unwrap();
        assert_eq!(manifest.blobs[1], BlobReference { required, ..super::tests::required("layer") }, "{layer}");
    }
}

#[test]
fn empty_lists_and_doubled_entries_are_allowed() {
    let layer = descriptor("a/b", "layer");
    for (layers, count) in [(json!([]), 0), (Value::Null, 0), (json!([layer, layer]), 2)] {
        assert_eq!(parse(&with(image(), "layers", layers)).unwrap().blobs.len(), 1 + count);
    }
    assert_eq!(parse(&with(index(), "manifests", json!([]))).unwrap().children, []);
    assert_eq!(pushed(&with(index(), "manifests", Value::Null), MediaType::OCI_INDEX).unwrap().children, []);
}

#[test]
fn an_artifact_manifest_names_its_blobs() {
    let body = json!({
        "mediaType": MediaType::OCI_ARTIFACT_MANIFEST,
        "artifactType": "application/vnd.example.sbom.v1",
        "blobs": [descriptor("a/b", "blob")],
        "subject": descriptor(MediaType::OCI_MANIFEST, "subject"),
    });
    let manifest = parse(&body).unwrap();
    assert_eq!(manifest.blobs, [required("blob")]);
    assert_eq!(manifest.subject, Some(digest("subject")));
}

#[test]
fn schema_1_names_layers_of_unknown_size() {
    let body = json!({
        "schemaVersion": 1, "name": "a", "tag": "b", "architecture": "amd64",
        "fsLayers": [{ "blobSum": digest("one") }, { "blobSum": digest("two") }, { "blobSum": digest("one") }],
        "history": [{ "v1Compatibility": "{}" }], "signatures": [{ "protected": "x" }],
    });
    let manifest = parse(&body).unwrap();
    let layer = |content| BlobReference { digest: digest(content), size: None, required: true };
    assert_eq!(manifest.blobs, [layer("one"), layer("two"), layer("one")]);
}

#[test]
fn of_an_unknown_type_what_looks_right_is_taken() {
    let body = json!({
        "mediaType": "application/vnd.example.thing.v3+json",
        "schemaVersion": "three",
        "config": descriptor("a/b", "config"),
        "layers": ["text", descriptor("a/b", "layer"), { "digest": "md5:x" }, 7],
        "blobs": { "not": "a list" },
        "subject": { "digest": "nothing" },
        "artifactType": 5,
        "annotations": { "k": 1 },
        "Layers": 3,
    });
    let error = parse(&body).unwrap_err();
    assert_eq!(error.0, "the field layers is there twice, in different spellings");
    let manifest = parse(&without(body, "Layers")).unwrap();
    assert_eq!(manifest.blobs, [required("config"), required("layer")]);
    assert_eq!((manifest.subject, manifest.artifact_type), (None, None));
    assert!(manifest.children.is_empty() && manifest.annotations.is_empty());
    assert!(parse(&json!({ "mediaType": "application/vnd.example.thing.v3+json" })).unwrap().blobs.is_empty());
}

#[test]
fn a_buildkit_cache_has_blobs_for_children() {
    let layer = with(
        descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", "layer"),
        "annotations",
        json!({ "buildkit/createdat": "x" }),
    );
    let config = descriptor("application/vnd.buildkit.cacheconfig.v0", "config");
    let manifest = parse(&with(index(), "manifests", json!([layer, config]))).unwrap();
    assert_eq!(
        manifest.children.iter().map(|child| child.digest.clone()).collect::<Vec<_>>(),
        [digest("layer"), digest("config")]
    );
}

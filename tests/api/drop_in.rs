//! Manifests that registry:2 takes, and how it says what is missing.

use reqwest::Method;
use serde_json::{Value, json};
use wharf::oci::MediaType;

use crate::{
    content::{CONFIG, Image, LAYER, descriptor, sha256},
    registry::TestRegistry,
    support::{answer::Answer, store},
};

async fn put(registry: &TestRegistry, tag: &str, media_type: &str, body: &Value) -> Answer {
    registry.put_manifest(&format!("/v2/a/manifests/{tag}"), media_type, body.to_string()).await
}

fn without(mut descriptor: Value, field: &str) -> Value {
    descriptor.as_object_mut().unwrap().remove(field).unwrap();
    descriptor
}

#[tokio::test]
async fn report_p5_media_types_are_compared_without_case_and_served_in_lower_case() {
    for registry in TestRegistry::each() {
        let image = Image::new("image");
        registry.push_blobs("a", &image).await;
        let (config, layer) = (descriptor(CONFIG, &image.config), descriptor(LAYER, &image.layer));
        let plain = json!({ "schemaVersion": 2, "config": config, "layers": [layer] });
        let shouting = "application/vnd.OCI.image.manifest.v1+JSON";
        let mut named = plain.clone();
        named["mediaType"] = shouting.into();
        for (tag, content_type, body) in [
            ("plain", shouting, &plain),
            ("parameters", "APPLICATION/vnd.oci.image.manifest.v1+json ; Charset=UTF-8", &plain),
            ("named", MediaType::OCI_MANIFEST, &named),
            ("both", shouting, &named),
        ] {
            put(&registry, tag, content_type, body).await.expect(201);
            let answer = registry.get(&format!("/v2/a/manifests/{tag}")).await.expect(200);
            assert_eq!(answer.value("content-type"), MediaType::OCI_MANIFEST, "{tag}");
            assert_eq!(answer.body, body.to_string(), "{tag}");
        }
        // What it refers to is looked at, however the type is written.
        let missing = json!({ "schemaVersion": 2, "config": config, "layers": [descriptor(LAYER, b"missing")] });
        put(&registry, "missing", shouting, &missing).await.refused(400, "MANIFEST_BLOB_UNKNOWN");
    }
}

#[tokio::test]
async fn report_p5_an_artifact_type_is_asked_for_without_case() {
    let registry = TestRegistry::memory();
    let image = registry.image("a", "1", "image").await;
    let referrer = Image::referrer("referrer", &image, Some("application/vnd.Example.SBOM"));
    registry.push_image("a", &referrer.digest, &referrer).await;
    for (asked, count) in [("application/vnd.example.sbom", 1), ("application/vnd.Example.SBOM", 1), ("a/b", 0)] {
        let answer = registry.get(&format!("/v2/a/referrers/{}?artifactType={asked}", image.digest)).await.expect(200);
        assert_eq!(answer.json()["manifests"].as_array().unwrap().len(), count, "{asked}");
    }
}

#[tokio::test]
async fn report_p5_identity_is_no_encoding() {
    let registry = TestRegistry::memory();
    let content = b"content".to_vec();
    for (encoding, status) in [
        ("", 201),
        ("identity", 201),
        ("Identity", 201),
        ("identity, identity", 201),
        (" , identity,", 201),
        ("gzip", 415),
        ("identity, gzip", 415),
        ("gzip, identity", 415),
        ("identityx", 415),
    ] {
        let path = format!("/v2/a/blobs/uploads/?digest={}", sha256(&content));
        let request = registry.request(Method::POST, &path).header("Content-Encoding", encoding);
        Answer::of(request.body(content.clone())).await.expect(status);
    }
}

#[tokio::test]
async fn report_what_is_absent_is_empty_and_what_is_named_must_be_there() {
    for registry in TestRegistry::each() {
        let image = registry.image("a", "image", "image").await;
        let (config, layer) = (descriptor(CONFIG, &image.config), descriptor(LAYER, &image.layer));
        let child = descriptor(MediaType::OCI_MANIFEST, &image.manifest);
        let missing = |media_type: &str, field: &str| without(descriptor(media_type, b"missing"), field);
        let (image_type, index_type) = (MediaType::OCI_MANIFEST, MediaType::OCI_INDEX);
        let rows = [
            (image_type, json!({ "config": config }), 201),
            (MediaType::DOCKER_MANIFEST, json!({ "config": config }), 201),
            (image_type, json!({ "config": config, "layers": [without(layer.clone(), "size")] }), 201),
            (image_type, json!({ "config": config, "layers": [without(layer.clone(), "mediaType")] }), 201),
            (image_type, json!({ "config": without(config.clone(), "size"), "layers": [layer] }), 201),
            (image_type, json!({ "config": without(config.clone(), "mediaType"), "layers": [layer] }), 201),
            (index_type, json!({}), 201),
            (MediaType::DOCKER_MANIFEST_LIST, json!({}), 201),
            (index_type, json!({ "manifests": [without(child.clone(), "size")] }), 201),
            (index_type, json!({ "manifests": [without(child.clone(), "mediaType")] }), 201),
            (image_type, json!({}), 400),
            (image_type, json!({ "layers": [layer] }), 400),
            (image_type, json!({ "config": config, "layers": [without(layer.clone(), "digest")] }), 400),
            (image_type, json!({ "config": config, "layers": [missing(LAYER, "size")] }), 400),
            (image_type, json!({ "config": missing(CONFIG, "mediaType") }), 400),
            (index_type, json!({ "manifests": [missing(image_type, "size")] }), 400),
            (index_type, json!({ "manifests": [without(child, "digest")] }), 400),
        ];
        for (media_type, mut body, status) in rows {
            for is_named in [true, false] {
                body["schemaVersion"] = 2.into();
                body["mediaType"] = if is_named { media_type.into() } else { Value::Null };
                let answer = put(&registry, "row", media_type, &body).await;
                assert_eq!(answer.status, status, "{body}: {answer:?}");
                if status == 201 {
                    let get = registry.get("/v2/a/manifests/row").await.expect(200);
                    assert_eq!(get.value("content-type"), media_type);
                    assert_eq!(get.body, body.to_string());
                }
            }
        }
    }
}

/// The content is what its digest says, so it is served; only the manifest is wrong about it.
#[tokio::test]
async fn report_a_wrong_size_takes_nothing_away() {
    for registry in TestRegistry::each() {
        let image = registry.image("a", "image", "image").await;
        let wrong = |bytes: &[u8], size: u64| {
            let mut descriptor = descriptor(LAYER, bytes);
            descriptor["size"] = size.into();
            descriptor
        };
        let config = descriptor(CONFIG, &image.config);
        let sizes = [0, 1, image.layer.len() as u64 - 1, image.layer.len() as u64 + 1, i64::MAX.unsigned_abs()];
        for size in sizes {
            let layers = [wrong(&image.layer, size), wrong(&image.layer, size)];
            let body = json!({ "schemaVersion": 2, "config": config, "layers": layers });
            put(&registry, "layer", MediaType::OCI_MANIFEST, &body).await.expect(201);
            let body = json!({ "schemaVersion": 2, "config": wrong(&image.config, size), "layers": [] });
            put(&registry, "config", MediaType::OCI_MANIFEST, &body).await.expect(201);
            let body = json!({ "schemaVersion": 2, "manifests": [wrong(&image.manifest, size)] });
            put(&registry, "index", MediaType::OCI_INDEX, &body).await.expect(201);
        }
        for bytes in [&image.layer, &image.config] {
            assert_eq!(registry.get(&format!("/v2/a/blobs/{}", sha256(bytes))).await.expect(200).body, bytes);
        }
        for tag in ["image", "layer", "config", "index"] {
            registry.get(&format!("/v2/a/manifests/{tag}")).await.expect(200);
        }
    }
}

/// Content that is not what its digest says is missing, whatever the manifest says of its size; a push heals it.
#[tokio::test]
async fn report_a_wrong_size_finds_damage() {
    let registry = TestRegistry::filesystem();
    let image = registry.image("a", "image", "image").await;
    let digest = sha256(&image.layer);
    let data = store::blob(registry.root(), &digest);
    std::fs::write(&data, b"cut").unwrap();
    let path = "/v2/a/manifests/again";
    let refused = registry.put_manifest(path, MediaType::OCI_MANIFEST, image.manifest.clone()).await;
    refused.refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(refused.json()["errors"][0]["detail"], digest);
    registry.push_image("a", "again", &image).await;
}

#[tokio::test]
async fn report_each_missing_blob_is_an_error_of_its_own() {
    let registry = TestRegistry::memory();
    let image = Image::new("image");
    registry.push_blob("a", &image.config).await;
    let layers = [&b"one"[..], b"two", b"three", b"one"].map(|bytes| descriptor(LAYER, bytes));
    let body = json!({ "schemaVersion": 2, "config": descriptor(CONFIG, &image.config), "layers": layers });
    let answer = put(&registry, "1", MediaType::OCI_MANIFEST, &body).await.expect(400).json();
    let errors = answer["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["code"] == "MANIFEST_BLOB_UNKNOWN"), "{answer}");
    let named: Vec<_> = errors.iter().map(|error| error["detail"].as_str().unwrap().to_owned()).collect();
    assert_eq!(named, [sha256(b"one"), sha256(b"two"), sha256(b"three")]);
}

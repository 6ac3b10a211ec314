//! What the docker engine sends for a push and a pull, in its order: so that where no engine runs, its scenarios are
//! tried all the same.

use reqwest::{Body, Method};
use serde_json::json;
use wharf::oci::MediaType;

use crate::{
    content::{descriptor, sha256},
    registry::TestRegistry,
    support::answer::Answer,
};

const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A layer or config: asked for, sent as one PATCH without a length, ended by an empty PUT, asked for again.
async fn push(registry: &TestRegistry, bytes: &[u8]) {
    let digest = sha256(bytes);
    let blob = format!("/v2/alpine/blobs/{digest}");
    registry.head(&blob).await.expect(404);
    let begun = registry.with_body(Method::POST, "/v2/alpine/blobs/uploads/", "").await.expect(202);
    let pieces: Vec<_> = bytes.chunks(7).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let stream = Body::wrap_stream(futures_util::stream::iter(pieces));
    let patched = registry.with_body(Method::PATCH, begun.value("location"), stream).await.expect(202);
    let last = format!("{}?digest={}", patched.value("location"), digest.replace(':', "%3A"));
    registry.with_body(Method::PUT, &last, "").await.expect(201);
    let head = registry.head(&blob).await.expect(200);
    assert_eq!(head.value("content-length"), bytes.len().to_string());
}

/// Rows 1, 2, 9 and 19 of the article's scenarios: an open registry, pushed to, pulled from, listed.
#[tokio::test]
async fn article_1_2_9_19_an_open_registry_is_pushed_to_pulled_from_and_listed() {
    for registry in TestRegistry::each() {
        let ping = registry.get("/v2/").await.expect(200);
        assert_eq!(
            (ping.value("www-authenticate"), ping.value("docker-distribution-api-version")),
            ("", "registry/2.0")
        );
        let (config, layer) = (&b"{\"architecture\":\"amd64\",\"os\":\"linux\"}"[..], &b"the layer of alpine"[..]);
        push(&registry, layer).await;
        push(&registry, config).await;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::DOCKER_MANIFEST,
            "config": descriptor(CONFIG, config),
            "layers": [descriptor(LAYER, layer)],
        });
        let manifest = format!("{manifest:#}");
        let put =
            registry.put_manifest("/v2/alpine/manifests/3.10", MediaType::DOCKER_MANIFEST, manifest.clone()).await;
        assert_eq!(put.expect(201).value("docker-content-digest"), sha256(manifest.as_bytes()));

        let accept =
            [MediaType::DOCKER_SCHEMA_1_SIGNED, MediaType::DOCKER_MANIFEST, MediaType::DOCKER_MANIFEST_LIST].join(", ");
        let head = registry.request(Method::HEAD, "/v2/alpine/manifests/3.10").header("Accept", &accept);
        let head = Answer::of(head).await.expect(200);
        assert_eq!(head.value("content-type"), MediaType::DOCKER_MANIFEST);
        let pulled = registry.get(&format!("/v2/alpine/manifests/{}", head.value("docker-content-digest"))).await;
        assert_eq!(pulled.expect(200).body, manifest);
        for bytes in [layer, config] {
            assert_eq!(registry.get(&format!("/v2/alpine/blobs/{}", sha256(bytes))).await.expect(200).body, bytes);
        }
        assert_eq!(registry.get("/v2/_catalog").await.expect(200).body, "{\"repositories\":[\"alpine\"]}\n");
    }
}

//! How large a manifest may be, how deep what it refers to, and that nothing is fetched for it.

use bytes::Bytes;
use serde_json::json;
use wharf::oci::MediaType;

use crate::{
    content::{Image, descriptor, sha256},
    registry::TestRegistry,
    support::raw,
};

#[tokio::test]
async fn f4_a_manifest_of_4_mib_is_taken_and_no_more() {
    const LIMIT: usize = 4 * 1024 * 1024;
    let registry = TestRegistry::memory();
    let image = Image::new("image");
    registry.push_blobs("a", &image).await;
    let of_len = |len: usize| {
        let empty = image.changed_body(|manifest| manifest["annotations"] = json!({ "x": "" })).len();
        image.changed_body(|manifest| manifest["annotations"] = json!({ "x": "x".repeat(len - empty) }))
    };
    let (largest, larger) = (of_len(LIMIT), of_len(LIMIT + 1));
    assert_eq!((largest.len(), larger.len()), (LIMIT, LIMIT + 1));
    let chunked = |body: &Bytes| {
        let pieces: Vec<_> =
            body.chunks(64 * 1024).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
    };
    let put = async |body: reqwest::Body, tag: &str| {
        registry.put_manifest(&format!("/v2/a/manifests/{tag}"), MediaType::OCI_MANIFEST, body).await
    };
    put(largest.clone().into(), "whole").await.expect(201);
    put(chunked(&largest), "chunked").await.expect(201);
    assert_eq!(registry.get("/v2/a/manifests/whole").await.expect(200).body, largest);
    for tag in ["more", "whole"] {
        put(larger.clone().into(), tag).await.refused(413, "MANIFEST_INVALID");
        put(chunked(&larger), tag).await.refused(413, "MANIFEST_INVALID");
    }
    assert_eq!(registry.tags("a").await, ["chunked", "whole"]);
    assert_eq!(registry.get("/v2/a/manifests/whole").await.expect(200).body, largest);
}

/// A length that is too much is refused before a byte of it was sent.
#[tokio::test]
async fn f4_a_length_is_refused_without_reading() {
    let registry = TestRegistry::memory();
    let request = format!(
        "PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: 999999999999\r\n\r\n",
        registry.address(),
        MediaType::OCI_MANIFEST
    );
    let answer = raw::Connection::to(&registry).write(request.as_bytes()).answer();
    answer.refused(413, "MANIFEST_INVALID");
}

/// A layer is no manifest, however it is asked for; its bytes are not read to find out.
#[tokio::test]
async fn f4_a_large_blob_is_no_manifest() {
    let registry = TestRegistry::filesystem();
    let large = vec![b'{'; 16 * 1024 * 1024];
    let digest = registry.push_blob("a", &large).await;
    registry.get(&format!("/v2/a/manifests/{digest}")).await.refused(404, "MANIFEST_UNKNOWN");
    // As if another registry had written the link of a manifest to it.
    let revisions = registry.root().join("docker/registry/v2/repositories/a/_manifests/revisions/sha256");
    let link = revisions.join(&digest["sha256:".len()..]);
    std::fs::create_dir_all(&link).unwrap();
    std::fs::write(link.join("link"), &digest).unwrap();
    registry.get(&format!("/v2/a/manifests/{digest}")).await.refused(404, "MANIFEST_UNKNOWN");
    registry.get(&format!("/v2/a/referrers/{digest}")).await.expect(200);
}

/// Thirty levels of indexes, each with the two of the level below: two thousand million ways, sixty manifests.
#[tokio::test]
async fn f6_a_deep_graph_costs_no_more_than_its_nodes() {
    let registry = TestRegistry::memory();
    let image = registry.image("a", "leaf", "leaf").await;
    let mut below = vec![descriptor(MediaType::OCI_MANIFEST, &image.manifest)];
    let mut digests = Vec::new();
    for level in 0..30 {
        let mut nodes = Vec::new();
        for side in ["left", "right"] {
            let body = json!({
                "schemaVersion": 2,
                "mediaType": MediaType::OCI_INDEX,
                "manifests": below,
                "annotations": { "level": level.to_string(), "side": side },
            })
            .to_string();
            let digest = sha256(body.as_bytes());
            registry
                .put_manifest(&format!("/v2/a/manifests/{digest}"), MediaType::OCI_INDEX, body.clone())
                .await
                .expect(201);
            nodes.push(descriptor(MediaType::OCI_INDEX, body.as_bytes()));
            digests.push(digest);
        }
        below = nodes;
    }
    registry.get(&format!("/v2/a/referrers/{}", image.digest)).await.expect(200);
    for digest in digests {
        registry.delete(&format!("/v2/a/manifests/{digest}")).await.expect(202);
    }
    assert_eq!(registry.tags("a").await, ["leaf"]);
}

/// Tags of signers, well and badly made.
#[tokio::test]
async fn f7_tags_of_signatures_are_tags() {
    for registry in TestRegistry::each() {
        let image = registry.image("a", "1", "image").await;
        let own = image.digest.replace(':', "-");
        let mut expected = vec!["1".to_owned()];
        for tag in ["sha256-x.sig", "sha256-.att", "sha256-", "sha256-..sig", "sha512-x", &own, &format!("{own}.sig")] {
            registry.push_image("a", tag, &image).await;
            registry.get(&format!("/v2/a/manifests/{tag}")).await.expect(200);
            expected.push(tag.to_owned());
        }
        expected.sort();
        assert_eq!(registry.tags("a").await, expected);
        registry.get(&format!("/v2/a/referrers/{}", image.digest)).await.expect(200);
    }
}

/// Where a layer says that it can be got is nobody's business here: the address would answer, and is never asked.
#[tokio::test]
async fn f9_urls_of_layers_are_never_followed() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}/layer", elsewhere.local_addr().unwrap());
    let registry = TestRegistry::memory();
    let image = Image::changed("image", |manifest| {
        let mut layer = descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", b"elsewhere");
        layer["urls"] = json!([url]);
        manifest["layers"].as_array_mut().unwrap().push(layer);
        manifest["config"]["urls"] = json!([url]);
    });
    registry.push_image("a", "1", &image).await;
    registry.get("/v2/a/manifests/1").await.expect(200);
    registry.get(&format!("/v2/a/blobs/{}", sha256(b"elsewhere"))).await.refused(404, "BLOB_UNKNOWN");
    registry.get(&format!("/v2/a/referrers/{}", image.digest)).await.expect(200);
    registry.delete("/v2/a/manifests/1").await.expect(202);
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

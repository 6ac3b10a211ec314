//! `/v2/<name>/manifests/<reference>`: pushed and pulled.

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;
use wharf::oci::MediaType;

use crate::{
    content::{Image, sha256, sha512},
    registry::TestRegistry,
    support::{answer::Answer, store},
};

#[tokio::test]
async fn a_manifest_is_kept_to_the_byte() {
    for registry in TestRegistry::each() {
        let image = Image::new("image");
        registry.push_blobs("a/b", &image).await;
        let put = registry
            .put_manifest("/v2/a/b/manifests/1.0", &image.media_type(), image.manifest.clone())
            .await
            .expect(201);
        assert_eq!(put.value("location"), format!("/v2/a/b/manifests/{}", image.digest));
        assert_eq!(put.value("docker-content-digest"), image.digest);
        assert_eq!(put.value("oci-subject"), "");
        for reference in ["1.0", &image.digest, &image.digest.replace(':', "%3A")] {
            let path = format!("/v2/a/b/manifests/{reference}");
            let get = registry.get(&path).await.expect(200);
            assert_eq!(get.body, image.manifest);
            for answer in [&get, &registry.head(&path).await.expect(200)] {
                assert_eq!(answer.value("content-type"), MediaType::OCI_MANIFEST);
                assert_eq!(answer.value("docker-content-digest"), image.digest);
                assert_eq!(answer.value("content-length"), image.manifest.len().to_string());
                assert_eq!(answer.value("etag"), format!("\"{}\"", image.digest));
            }
        }
        let path = "/v2/a/b/manifests/1.0";
        let known = registry.request(Method::GET, path).header("If-None-Match", format!("\"{}\"", image.digest));
        assert!(Answer::of(known).await.expect(304).body.is_empty());
    }
}

#[tokio::test]
async fn f2_a_manifest_is_what_its_digest_says() {
    let registry = TestRegistry::filesystem();
    let image = registry.image("a", "1", "image").await;
    let other = Image::new("other");
    let before = registry.tree();
    let mut cut = image.manifest.to_vec();
    cut.pop();
    for (digest, body) in [
        (&image.digest, other.manifest.clone()),
        (&image.digest, Bytes::from(cut)),
        (&other.digest, image.manifest.clone()),
        (&sha512(b"x"), image.manifest.clone()),
    ] {
        let path = format!("/v2/a/manifests/{digest}");
        registry.put_manifest(&path, MediaType::OCI_MANIFEST, body).await.refused(400, "DIGEST_INVALID");
    }
    assert_eq!(registry.tree(), before);
    for path in ["/v2/a/manifests/1".to_owned(), format!("/v2/a/manifests/{}", image.digest)] {
        let get = registry.get(&path).await.expect(200);
        assert_eq!(get.value("docker-content-digest"), sha256(&get.body));
    }
}

/// A stored file that was damaged is never served: neither its bytes nor its name.
#[tokio::test]
async fn f2_damaged_bytes_are_never_served_and_a_push_heals_them() {
    let registry = TestRegistry::filesystem();
    let image = registry.image("a", "1", "image").await;
    let data = store::blob(registry.root(), &image.digest);
    let mut damaged = image.manifest.to_vec();
    damaged[10] ^= 1;
    std::fs::write(&data, damaged).unwrap();
    registry.get("/v2/a/manifests/1").await.refused(404, "MANIFEST_UNKNOWN");
    registry.head(&format!("/v2/a/manifests/{}", image.digest)).await.expect(404);
    registry.push_image("a", "1", &image).await;
    assert_eq!(registry.get("/v2/a/manifests/1").await.expect(200).body, image.manifest);
}

/// By its digest, with several tags at once.
#[tokio::test]
async fn tags_are_given_with_the_digest() {
    for registry in TestRegistry::each() {
        let image = Image::new("image");
        registry.push_blobs("a", &image).await;
        let path = format!("/v2/a/manifests/{}?tag=1.2.3&tag=1.2&tag=1&tag=latest", image.digest);
        let put = registry.put_manifest(&path, &image.media_type(), image.manifest.clone()).await.expect(201);
        let named: Vec<_> = put.all("oci-tag").iter().flat_map(|field| field.split(", ")).collect();
        assert_eq!(named, ["1.2.3", "1.2", "1", "latest"]);
        for tag in named {
            assert_eq!(registry.get(&format!("/v2/a/manifests/{tag}")).await.expect(200).body, image.manifest);
        }
        let many: Vec<String> = (0..30).map(|n| format!("{n:a>100}")).collect();
        let query: Vec<String> = many.iter().map(|tag| format!("tag={tag}")).collect();
        let path = format!("/v2/b/manifests/{}?{}", image.digest, query.join("&"));
        registry.push_blobs("b", &image).await;
        let put = registry.put_manifest(&path, &image.media_type(), image.manifest.clone()).await.expect(201);
        let named: Vec<_> = put.all("oci-tag").iter().flat_map(|field| field.split(", ")).collect();
        assert_eq!(named, many);
        assert_eq!(registry.tags("b").await.len(), 30);
    }
}

#[tokio::test]
async fn a_bad_tag_among_them_stores_none() {
    let registry = TestRegistry::filesystem();
    let image = Image::new("image");
    registry.push_blobs("a", &image).await;
    let before = registry.tree();
    for bad in ["", "-", ".", "..%2fx", "a%00", &"a".repeat(129)] {
        let path = format!("/v2/a/manifests/{}?tag=good&tag={bad}", image.digest);
        registry
            .put_manifest(&path, &image.media_type(), image.manifest.clone())
            .await
            .refused(400, "MANIFEST_INVALID");
    }
    assert_eq!(registry.tree(), before);
}

#[tokio::test]
async fn a_sha512_manifest_is_pulled_by_its_digest_and_by_its_tag() {
    for registry in TestRegistry::each() {
        let image = Image::new("image");
        registry.push_blobs("a", &image).await;
        let digest = sha512(&image.manifest);
        let path = format!("/v2/a/manifests/{digest}");
        let put = registry.put_manifest(&format!("{path}?tag=1"), &image.media_type(), image.manifest.clone()).await;
        assert_eq!(put.expect(201).value("docker-content-digest"), digest);
        for path in [&path, "/v2/a/manifests/1"] {
            let get = registry.get(path).await.expect(200);
            assert_eq!((get.value("docker-content-digest"), &get.body), (digest.as_str(), &image.manifest));
        }
        registry.get(&format!("/v2/a/manifests/{}", image.digest)).await.refused(404, "MANIFEST_UNKNOWN");
        // An index may name its child, and a referrer its subject, by it.
        let child = json!({ "mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": image.manifest.len() });
        let index =
            json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [child], "subject": child });
        let put =
            registry.put_manifest("/v2/a/manifests/index", MediaType::OCI_INDEX, index.to_string()).await.expect(201);
        assert_eq!(put.value("oci-subject"), digest);
        registry.delete(&path).await.expect(202);
        registry.get("/v2/a/manifests/1").await.refused(404, "MANIFEST_UNKNOWN");
    }
}

#[tokio::test]
async fn a_tag_moves_to_the_last_push() {
    for registry in TestRegistry::each() {
        let first = registry.image("a", "latest", "first").await;
        let second = registry.image("a", "latest", "second").await;
        assert_eq!(registry.get("/v2/a/manifests/latest").await.expect(200).body, second.manifest);
        registry.get(&format!("/v2/a/manifests/{}", first.digest)).await.expect(200);
        registry.push_image("a", "latest", &first).await;
        assert_eq!(registry.get("/v2/a/manifests/latest").await.expect(200).body, first.manifest);
        assert_eq!(registry.tags("a").await, ["latest"]);
    }
}

/// A manifest is none of the repository's blobs, and a blob none of its manifests.
#[tokio::test]
async fn f3_manifests_and_blobs_are_apart() {
    for registry in TestRegistry::each() {
        let image = registry.image("a", "1", "image").await;
        registry.get(&format!("/v2/a/blobs/{}", image.digest)).await.refused(404, "BLOB_UNKNOWN");
        registry.head(&format!("/v2/a/blobs/{}", image.digest)).await.expect(404);
        registry.delete(&format!("/v2/a/blobs/{}", image.digest)).await.refused(404, "BLOB_UNKNOWN");
        let mount = format!("/v2/b/blobs/uploads/?mount={}&from=a", image.digest);
        registry.post(&mount).await.expect(202);
        for blob in [&image.layer, &image.config] {
            let path = format!("/v2/a/manifests/{}", sha256(blob));
            registry.get(&path).await.refused(404, "MANIFEST_UNKNOWN");
            registry.delete(&path).await.refused(404, "MANIFEST_UNKNOWN");
        }
        registry.get("/v2/a/manifests/1").await.expect(200);
    }
}

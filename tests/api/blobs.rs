//! `/v2/<name>/blobs/<digest>`.

use reqwest::Method;

use crate::{
    content::{sha256, sha512},
    registry::TestRegistry,
    support::{answer::Answer, store},
};

#[tokio::test]
async fn a_blob_is_pulled_as_it_was_pushed() {
    for registry in TestRegistry::each() {
        let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        for bytes in [&b""[..], b"x", b"\0\xff\r\n", &large] {
            let digest = registry.push_blob("a/b", bytes).await;
            let path = format!("/v2/a/b/blobs/{digest}");
            let get = registry.get(&path).await.expect(200);
            assert!(get.body == bytes, "{digest}");
            for answer in [&get, &registry.head(&path).await.expect(200)] {
                assert_eq!(answer.value("content-length"), bytes.len().to_string());
                assert_eq!(answer.value("docker-content-digest"), digest);
                assert_eq!(answer.value("etag"), format!("\"{digest}\""));
                assert_eq!(answer.value("content-type"), "application/octet-stream");
                assert_eq!(answer.value("accept-ranges"), "bytes");
            }
            let escaped = registry.get(&path.replace(':', "%3A")).await.expect(200);
            assert!(escaped.body == bytes);
        }
    }
}

#[tokio::test]
async fn a_blob_belongs_to_its_repository_alone() {
    for registry in TestRegistry::each() {
        let digest = registry.push_blob("a", b"bytes").await;
        for other in ["b", "a/b", "a/a"] {
            registry.get(&format!("/v2/{other}/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
            registry.head(&format!("/v2/{other}/blobs/{digest}")).await.expect(404);
        }
    }
}

#[tokio::test]
async fn a_client_that_has_it_is_told_so() {
    let registry = TestRegistry::memory();
    let digest = registry.push_blob("a", b"bytes").await;
    let other = sha256(b"other");
    let path = format!("/v2/a/blobs/{digest}");
    let rows = [
        (format!("\"{digest}\""), 304),
        (format!("W/\"{digest}\""), 304),
        (format!("\"{other}\", \"{digest}\""), 304),
        ("*".to_owned(), 304),
        (format!("\"{other}\""), 200),
        (String::new(), 200),
        (format!("\"{digest}0\""), 200),
    ];
    for (tag, status) in rows {
        for method in [Method::GET, Method::HEAD] {
            let answer = Answer::of(registry.request(method.clone(), &path).header("If-None-Match", &tag)).await;
            assert_eq!(answer.status, status, "{method} {tag}");
            assert_eq!(answer.value("etag"), format!("\"{digest}\""));
            assert_eq!(answer.value("docker-content-digest"), digest);
            assert!(status == 200 || answer.body.is_empty(), "{answer:?}");
        }
    }
    let gone = format!("/v2/a/blobs/{other}");
    Answer::of(registry.request(Method::GET, &gone).header("If-None-Match", "*")).await.refused(404, "BLOB_UNKNOWN");
}

/// Deleted in one repository, readable in the other: however often and at what time one asks.
#[tokio::test]
async fn d4_a_blob_deleted_in_one_repository_stays_in_the_others() {
    let mut registry = TestRegistry::filesystem();
    let digest = registry.push_blob("a", b"bytes").await;
    registry.push_blob("b", b"bytes").await;
    let [a, b] = ["a", "b"].map(|name| format!("/v2/{name}/blobs/{digest}"));
    registry.delete(&a).await.expect(202);
    for _ in 0..100 {
        let (in_a, in_b) = tokio::join!(registry.get(&a), registry.get(&b));
        in_a.refused(404, "BLOB_UNKNOWN");
        assert_eq!(in_b.expect(200).body, "bytes");
    }
    registry.restart();
    registry.get(&a).await.refused(404, "BLOB_UNKNOWN");
    registry.get(&b).await.expect(200);
    registry.delete(&a).await.refused(404, "BLOB_UNKNOWN");
    registry.delete(&b).await.expect(202);
    registry.get(&b).await.refused(404, "BLOB_UNKNOWN");
    registry.push_blob("a", b"bytes").await;
    registry.get(&a).await.expect(200);
    registry.get(&b).await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_sha512_blob_is_another_name_for_its_bytes_only() {
    for registry in TestRegistry::each() {
        let digest = sha512(b"bytes");
        let push = format!("/v2/a/blobs/uploads/?digest={digest}");
        let pushed = registry.with_body(Method::POST, &push, "bytes").await.expect(201);
        assert_eq!(pushed.value("docker-content-digest"), digest);
        assert_eq!(pushed.value("location"), format!("/v2/a/blobs/{digest}"));
        let pulled = registry.get(&format!("/v2/a/blobs/{digest}")).await.expect(200);
        assert_eq!((pulled.value("docker-content-digest"), &pulled.body[..]), (digest.as_str(), &b"bytes"[..]));
        registry.get(&format!("/v2/a/blobs/{}", sha256(b"bytes"))).await.refused(404, "BLOB_UNKNOWN");
        registry.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
        registry.get(&format!("/v2/a/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
    }
}

/// Clients ask first and skip what exists: content that a power cut emptied must not count as existing, and a push must
/// heal it.
#[tokio::test]
async fn content_that_lost_its_bytes_is_missing_until_it_is_pushed_again() {
    let registry = TestRegistry::filesystem();
    let digest = registry.push_blob("a", b"bytes").await;
    let data = store::blob(registry.root(), &digest);
    std::fs::write(&data, b"").unwrap();
    registry.head(&format!("/v2/a/blobs/{digest}")).await.expect(404);
    registry.get(&format!("/v2/a/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
    registry.push_blob("a", b"bytes").await;
    assert_eq!(registry.get(&format!("/v2/a/blobs/{digest}")).await.expect(200).body, "bytes");
}

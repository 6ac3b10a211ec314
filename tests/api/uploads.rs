//! `/v2/<name>/blobs/uploads/…`: the ways a blob comes in.

use reqwest::{Body, Method};

use crate::{
    content::{sha256, sha512},
    registry::TestRegistry,
    support::answer::Answer,
};

/// A body without a length: chunked transfer.
fn chunked(pieces: &[&'static str]) -> Body {
    let pieces: Vec<Result<&'static str, std::io::Error>> = pieces.iter().map(|piece| Ok(*piece)).collect();
    Body::wrap_stream(futures_util::stream::iter(pieces))
}

async fn chunk(registry: &TestRegistry, session: &str, range: &str, bytes: &'static str) -> Answer {
    Answer::of(registry.request(Method::PATCH, session).header("Content-Range", range).body(bytes)).await
}

async fn must_have(registry: &TestRegistry, digest: &str, bytes: &str) {
    let pulled = registry.get(&format!("/v2/a/blobs/{digest}")).await.expect(200);
    assert_eq!(pulled.body, bytes.as_bytes());
}

fn must_be_created(answer: &Answer, digest: &str) {
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.value("location"), format!("/v2/a/blobs/{digest}"));
    assert_eq!(answer.value("docker-content-digest"), digest);
}

#[tokio::test]
async fn post_then_put() {
    for registry in TestRegistry::each() {
        let digest = sha256(b"bytes");
        for path in ["/v2/a/blobs/uploads/", "/v2/a/blobs/uploads"] {
            let begun = registry.post(path).await.expect(202);
            let session = begun.value("location");
            let id = begun.value("docker-upload-uuid");
            assert_eq!(session, format!("/v2/a/blobs/uploads/{id}"), "the location is relative");
            assert_eq!((id.len(), begun.value("range"), begun.value("content-length")), (36, "0-0", "0"));
            let put = registry.with_body(Method::PUT, &format!("{session}?digest={digest}"), "bytes").await;
            must_be_created(&put, &digest);
            must_have(&registry, &digest, "bytes").await;
            registry.get(session).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        }
        let escaped = registry.begin_upload("a").await;
        let path = format!("{escaped}?digest={}", digest.replace(':', "%3A"));
        must_be_created(&registry.with_body(Method::PUT, &path, "bytes").await, &digest);
    }
}

#[tokio::test]
async fn one_post_with_the_digest() {
    for registry in TestRegistry::each() {
        for bytes in ["bytes", ""] {
            for digest in [sha256(bytes.as_bytes()), sha512(bytes.as_bytes())] {
                let path = format!("/v2/a/blobs/uploads/?digest={digest}");
                must_be_created(&registry.with_body(Method::POST, &path, bytes).await, &digest);
                must_have(&registry, &digest, bytes).await;
            }
        }
        let digest = sha256(b"in pieces");
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        must_be_created(&registry.with_body(Method::POST, &path, chunked(&["in ", "", "pieces"])).await, &digest);
        must_have(&registry, &digest, "in pieces").await;
    }
}

/// docker sends a layer as one PATCH without a length, and ends with an empty PUT.
#[tokio::test]
async fn a_patch_without_a_length_then_an_empty_put() {
    for registry in TestRegistry::each() {
        let digest = sha256(b"in pieces");
        let session = registry.begin_upload("a").await;
        let patched = registry.with_body(Method::PATCH, &session, chunked(&["in ", "pieces"])).await.expect(202);
        assert_eq!((patched.value("range"), patched.value("location")), ("0-8", session.as_str()));
        assert_eq!(patched.value("docker-upload-uuid"), session.rsplit('/').next().unwrap());
        must_be_created(&registry.send(Method::PUT, &format!("{session}?digest={digest}")).await, &digest);
        must_have(&registry, &digest, "in pieces").await;
    }
}

#[tokio::test]
async fn chunks_with_ranges_and_the_last_in_the_put() {
    for registry in TestRegistry::each() {
        let digest = sha256(b"0123456789");
        let session = registry.begin_upload("a").await;
        assert_eq!(chunk(&registry, &session, "0-2", "012").await.expect(202).value("range"), "0-2");
        assert_eq!(chunk(&registry, &session, "3-3", "3").await.expect(202).value("range"), "0-3");
        let status = registry.get(&session).await.expect(204);
        assert_eq!((status.value("range"), status.value("location")), ("0-3", session.as_str()));
        assert_eq!(registry.head(&session).await.expect(204).value("range"), "0-3");
        let last = registry.request(Method::PUT, &format!("{session}?digest={digest}"));
        must_be_created(&Answer::of(last.header("Content-Range", "4-9").body("456789")).await, &digest);
        must_have(&registry, &digest, "0123456789").await;
    }
}

#[tokio::test]
async fn sha512_from_the_start_or_only_at_the_end() {
    for registry in TestRegistry::each() {
        let digest = sha512(b"0123456789");
        for begin in ["?digest-algorithm=sha512", "?digest-algorithm=sha256", ""] {
            let begun = registry.post(&format!("/v2/a/blobs/uploads/{begin}")).await.expect(202);
            let session = begun.value("location");
            registry.with_body(Method::PATCH, session, "01234").await.expect(202);
            let put = registry.with_body(Method::PUT, &format!("{session}?digest={digest}"), "56789").await;
            must_be_created(&put, &digest);
            must_have(&registry, &digest, "0123456789").await;
        }
        let begun = registry.post("/v2/a/blobs/uploads/?digest-algorithm=sha512").await.expect(202);
        let path = format!("{}?digest={}", begun.value("location"), sha256(b"other"));
        must_be_created(&registry.with_body(Method::PUT, &path, "other").await, &sha256(b"other"));
    }
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let registry = TestRegistry::filesystem();
    let before = registry.tree();
    let session = registry.begin_upload("a").await;
    registry.with_body(Method::PATCH, &session, "bytes").await.expect(202);
    registry.delete(&session).await.expect(204);
    let put = format!("{session}?digest={}", sha256(b"bytes"));
    registry.get(&session).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    registry.with_body(Method::PATCH, &session, "x").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    registry.with_body(Method::PUT, &put, "").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    registry.delete(&session).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    let left: Vec<_> = registry.tree().difference(&before).filter(|path| path.is_file()).cloned().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The repository of the path is the session's, or there is no such session.
#[tokio::test]
async fn a_session_belongs_to_its_repository() {
    for registry in TestRegistry::each() {
        let session = registry.begin_upload("a").await;
        let stray = session.replace("/v2/a/", "/v2/b/");
        let put = format!("{stray}?digest={}", sha256(b"x"));
        registry.get(&stray).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        registry.with_body(Method::PATCH, &stray, "x").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        registry.with_body(Method::PUT, &put, "x").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        registry.delete(&stray).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        registry.get(&session).await.expect(204);
    }
}

#[tokio::test]
async fn d3_a_digest_alone_is_no_content() {
    let registry = TestRegistry::filesystem();
    let digest = registry.push_blob("a", b"secret").await;
    registry.push_blob("b", b"other").await;
    let before = registry.tree();
    for body in ["", "secreT", "secret\n"] {
        let session = registry.begin_upload("b").await;
        let path = format!("{session}?digest={digest}");
        registry.with_body(Method::PUT, &path, body).await.refused(400, "DIGEST_INVALID");
        let path = format!("/v2/b/blobs/uploads/?digest={digest}");
        registry.with_body(Method::POST, &path, body).await.refused(400, "DIGEST_INVALID");
        registry.get(&format!("/v2/b/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
        // The upload stays, for one who has the right content.
        registry.delete(&session).await.expect(204);
    }
    let left: Vec<_> = registry.tree().difference(&before).filter(|path| path.is_file()).cloned().collect();
    assert!(left.is_empty(), "{left:?}");
    must_have(&registry, &digest, "secret").await;
}

/// A chunk says where it belongs; one that does not belong at the end changes nothing, and is told where the end is.
#[tokio::test]
async fn d10_a_chunk_out_of_order_is_told_the_offset() {
    for registry in TestRegistry::each() {
        let session = registry.begin_upload("a").await;
        let must_be_at = async |answer: &Answer, range: &str| {
            assert_eq!(answer.status, 416, "{answer:?}");
            answer.code();
            assert_eq!((answer.value("range"), answer.value("location")), (range, session.as_str()));
            let status = registry.get(&session).await.expect(204);
            assert_eq!((status.value("range"), status.value("location")), (range, session.as_str()));
        };
        must_be_at(&chunk(&registry, &session, "5-9", "56789").await, "0-0").await;
        chunk(&registry, &session, "0-4", "01234").await.expect(202);
        for (range, bytes) in [
            ("0-4", "01234"),
            ("4-5", "45"),
            ("3-9", "3456789"),
            ("6-9", "6789"),
            ("99999999999999-99999999999999", "x"),
        ] {
            must_be_at(&chunk(&registry, &session, range, bytes).await, "0-4").await;
        }
        let digest = sha256(b"0123456789");
        let early = registry.request(Method::PUT, &format!("{session}?digest={digest}")).header("Content-Range", "6-9");
        must_be_at(&Answer::of(early.body("6789")).await, "0-4").await;
        chunk(&registry, &session, "5-9", "56789").await.expect(202);
        must_be_created(&registry.send(Method::PUT, &format!("{session}?digest={digest}")).await, &digest);
        must_have(&registry, &digest, "0123456789").await;
    }
}

#[tokio::test]
async fn a_range_that_is_none_or_lies_is_refused() {
    for registry in TestRegistry::each() {
        let session = registry.begin_upload("a").await;
        for range in [
            "",
            "x",
            "0",
            "-1",
            "4-0",
            "0-18446744073709551616",
            "0-18446744073709551615",
            "bytes",
            "0-4,5-9",
            "0x0-4",
            "0-5",
            "0-3",
        ] {
            let answer = chunk(&registry, &session, range, "01234").await;
            assert!((400..500).contains(&answer.status), "{range}: {answer:?}");
            answer.code();
            assert_eq!(registry.get(&session).await.expect(204).value("range"), "0-0", "{range}");
        }
        chunk(&registry, &session, "0-4", "01234").await.expect(202);
        // Chunked transfer can't be checked before it has come: nothing of it is kept then.
        let unsized_chunk =
            registry.request(Method::PATCH, &session).header("Content-Range", "5-9").body(chunked(&["567"]));
        Answer::of(unsized_chunk).await.refused(400, "SIZE_INVALID");
        assert_eq!(registry.get(&session).await.expect(204).value("range"), "0-4");
        let session = registry.begin_upload("a").await;
        let too_long =
            registry.request(Method::PATCH, &session).header("Content-Range", "0-2").body(chunked(&["012", "345"]));
        Answer::of(too_long).await.refused(400, "SIZE_INVALID");
        assert_eq!(registry.get(&session).await.expect(204).value("range"), "0-0");
    }
}

#[tokio::test]
async fn g8_an_encoded_body_is_refused_and_bytes_are_never_unpacked() {
    let registry = TestRegistry::memory();
    let gzip: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03+\xca,N\x05\0\xf8\xc7\x9f\x99\x04\0\0\0";
    let session = registry.begin_upload("a").await;
    let digest = sha256(gzip);
    let requests = [
        (Method::PATCH, session.clone()),
        (Method::PUT, format!("{session}?digest={digest}")),
        (Method::POST, format!("/v2/a/blobs/uploads/?digest={digest}")),
        (Method::PUT, "/v2/a/manifests/1".to_owned()),
    ];
    for encoding in ["gzip", "deflate", "br", "zstd", "x", "identity, gzip"] {
        for (method, path) in &requests {
            let request = registry.request(method.clone(), path).header("Content-Encoding", encoding);
            Answer::of(request.body(gzip)).await.refused(415, "UNSUPPORTED");
        }
    }
    let request =
        registry.request(Method::PATCH, &session).header("Content-Encoding", "identity, ,IDENTITY").body(gzip);
    Answer::of(request).await.expect(202);
    must_be_created(&registry.send(Method::PUT, &format!("{session}?digest={digest}")).await, &digest);
    let pulled = Answer::of(
        registry.request(Method::GET, &format!("/v2/a/blobs/{digest}")).header("Accept-Encoding", "gzip, br, zstd"),
    );
    let pulled = pulled.await.expect(200);
    assert_eq!((pulled.value("content-encoding"), &pulled.body[..]), ("", gzip));
}

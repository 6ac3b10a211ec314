//! What is refused is refused in the form that clients read.

use reqwest::Method;

use crate::{content::Image, registry::TestRegistry, support::raw};

#[tokio::test]
async fn every_error_is_of_the_specifications_form() {
    let registry = TestRegistry::memory();
    registry.image("a", "1", "image").await;
    let unknown = Image::new("unknown").digest;
    let session = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let rows: Vec<(Method, String, u16, &str)> = vec![
        (Method::GET, "/nowhere".into(), 404, "UNSUPPORTED"),
        (Method::GET, "/v1/_ping".into(), 404, "UNSUPPORTED"),
        (Method::GET, "/v2/a".into(), 404, "UNSUPPORTED"),
        (Method::GET, "/v2/a/nothing/x".into(), 404, "UNSUPPORTED"),
        (Method::GET, "/v2/A/tags/list".into(), 400, "NAME_INVALID"),
        (Method::GET, "/v2/none/tags/list".into(), 404, "NAME_UNKNOWN"),
        (Method::GET, "/v2/a/manifests/none".into(), 404, "MANIFEST_UNKNOWN"),
        (Method::GET, "/v2/none/manifests/1".into(), 404, "MANIFEST_UNKNOWN"),
        (Method::GET, format!("/v2/a/manifests/{unknown}"), 404, "MANIFEST_UNKNOWN"),
        (Method::DELETE, "/v2/a/manifests/none".into(), 404, "MANIFEST_UNKNOWN"),
        (Method::DELETE, format!("/v2/a/manifests/{unknown}"), 404, "MANIFEST_UNKNOWN"),
        (Method::GET, format!("/v2/a/blobs/{unknown}"), 404, "BLOB_UNKNOWN"),
        (Method::HEAD, format!("/v2/a/blobs/{unknown}"), 404, ""),
        (Method::DELETE, format!("/v2/a/blobs/{unknown}"), 404, "BLOB_UNKNOWN"),
        (Method::GET, "/v2/a/blobs/sha256:1".into(), 400, "DIGEST_INVALID"),
        (Method::GET, "/v2/a/referrers/sha256:1".into(), 400, "DIGEST_INVALID"),
        (Method::GET, format!("/v2/a/blobs/uploads/{session}"), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Method::PATCH, format!("/v2/a/blobs/uploads/{session}"), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Method::PUT, format!("/v2/a/blobs/uploads/{session}?digest={unknown}"), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Method::PUT, format!("/v2/a/blobs/uploads/{session}"), 400, "DIGEST_INVALID"),
        (Method::DELETE, format!("/v2/a/blobs/uploads/{session}"), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Method::POST, "/v2/a/blobs/uploads/?digest=sha256:1".into(), 400, "DIGEST_INVALID"),
        (Method::GET, "/v2/_catalog?n=x".into(), 400, "PAGINATION_NUMBER_INVALID"),
        (Method::PUT, "/v2/a/manifests/2".into(), 400, "MANIFEST_INVALID"),
        (Method::PUT, "/v2/a/manifests/-".into(), 400, "MANIFEST_INVALID"),
    ];
    for (method, path, status, code) in rows {
        let answer = registry.send(method.clone(), &path).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        if method != Method::HEAD {
            assert_eq!(answer.code(), code, "{method} {path}");
        }
    }
}

/// Methods that a route does not have are told so with those it has; none is taken for a read.
#[tokio::test]
async fn a5_other_methods_are_refused_everywhere() {
    let registry = TestRegistry::memory();
    let image = registry.image("a", "1", "image").await;
    let session = registry.begin_upload("a").await;
    let routes = [
        ("/".to_owned(), "GET, HEAD"),
        ("/healthz".to_owned(), "GET, HEAD"),
        ("/v2/".to_owned(), "GET, HEAD"),
        ("/v2/_catalog".to_owned(), "GET, HEAD"),
        ("/v2/a/tags/list".to_owned(), "GET, HEAD"),
        (format!("/v2/a/referrers/{}", image.digest), "GET, HEAD"),
        ("/v2/a/manifests/1".to_owned(), "GET, HEAD, PUT, DELETE"),
        (format!("/v2/a/blobs/{}", crate::content::sha256(&image.layer)), "GET, HEAD, DELETE"),
        ("/v2/a/blobs/uploads/".to_owned(), "POST"),
        (session, "GET, HEAD, PATCH, PUT, DELETE"),
    ];
    for (path, allowed) in routes {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "QUERY", "get"] {
            if allowed.split(", ").any(|one| one == method) {
                continue;
            }
            let answer = raw::send(&registry, method, &path, &[], b"");
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            assert_eq!(answer.value("allow"), format!("{allowed}, OPTIONS"), "{method} {path}");
            if method != "HEAD" {
                assert_eq!(answer.code(), "UNSUPPORTED", "{method} {path}");
            }
        }
    }
    registry.get("/v2/a/manifests/1").await.expect(200);
}

/// No answer names a path of the store, and none is ours to be sorry for.
#[tokio::test]
async fn errors_say_nothing_of_the_inside() {
    let registry = TestRegistry::filesystem();
    let image = registry.image("a", "1", "image").await;
    let root = registry.root().to_str().unwrap();
    for target in [
        "/v2/a/manifests/none",
        "/v2/../a/manifests/1",
        "/v2/a/blobs/uploads/x",
        "/v2/a/blobs/sha256:..",
        "/%00",
        "/v2/%ff/tags/list",
    ] {
        let answer = raw::get(&registry, target);
        let body = String::from_utf8_lossy(&answer.body);
        assert!((400..500).contains(&answer.status), "{target}: {answer:?}");
        assert!(!body.contains(root) && !body.contains("_manifests") && !body.contains(".rs"), "{target}: {body}");
    }
    let missing = registry.put_manifest("/v2/b/manifests/1", &image.media_type(), image.manifest).await;
    missing.refused(400, "MANIFEST_BLOB_UNKNOWN");
}

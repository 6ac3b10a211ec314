//! Errors in the middle of an upload: what was acknowledged stays, and the upload goes on from there.

use reqwest::{Body, Method};

use crate::{
    content::sha256,
    registry::TestRegistry,
    support::answer::Answer,
    support::raw::{self, Connection},
};

const FIRST: &str = "0123456789";

/// What a client may do wrong at a session that has ten bytes, and what it is answered.
fn mistakes() -> Vec<(&'static str, &'static [&'static str], &'static [u8], u16)> {
    const CHUNKED: &str = "Transfer-Encoding: chunked";
    vec![
        ("PATCH", &["Content-Range: 10-19", CHUNKED], b"5\r\nabcde\r\n0\r\n\r\n", 400),
        ("PATCH", &["Content-Range: 10-12", CHUNKED], b"5\r\nabcde\r\n0\r\n\r\n", 400),
        ("PATCH", &["Content-Range: 10-12", CHUNKED], b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 400),
        ("PATCH", &["Content-Range: 10-19", "Content-Length: 5"], b"abcde", 400),
        ("PATCH", &["Content-Range: 10-12", "Content-Length: 5"], b"abcde", 400),
        ("PATCH", &["Content-Range: x", "Content-Length: 5"], b"abcde", 400),
        ("PATCH", &["Content-Range: 19-10", "Content-Length: 5"], b"abcde", 400),
        ("PATCH", &["Content-Range: 11-15", "Content-Length: 5"], b"abcde", 416),
        ("PATCH", &["Content-Range: 0-4", "Content-Length: 5"], b"abcde", 416),
        // Out of order, and of another length as well.
        ("PATCH", &["Content-Range: 11-19", "Content-Length: 5"], b"abcde", 416),
        ("PATCH", &["Content-Range: 0-1", "Content-Length: 5"], b"abcde", 416),
        ("PATCH", &["Content-Range: 11-19", CHUNKED], b"5\r\nabcde\r\n0\r\n\r\n", 416),
        ("PUT", &["Content-Range: 11-19", "Content-Length: 5"], b"abcde", 416),
        ("PUT", &["Content-Range: 10-19", "Content-Length: 5"], b"abcde", 400),
        ("PUT", &["Content-Range: 10-19", CHUNKED], b"5\r\nabcde\r\n0\r\n\r\n", 400),
        // More than an upload may have.
        ("PATCH", &["Content-Length: 91"], &[b'x'; 91], 413),
        ("PATCH", &["Content-Range: 10-100", "Content-Length: 91"], &[b'x'; 91], 413),
        ("PUT", &["Content-Length: 91"], &[b'x'; 91], 413),
        ("PATCH", &["Content-Encoding: gzip", "Content-Length: 5"], b"abcde", 415),
        // The digest is that of what is to come in the end.
        ("PUT", &["Content-Length: 5"], b"abcde", 400),
        ("PUT", &[], b"", 400),
        ("PUT", &[CHUNKED], b"5\r\nabcde\r\n0\r\n\r\n", 400),
    ]
}

#[tokio::test]
async fn report_p12_an_error_takes_nothing_that_was_acknowledged() {
    let limit = |config: &mut wharf::config::Config| config.limits.upload_bytes = Some(100);
    for registry in [TestRegistry::with(limit), TestRegistry::filesystem_with(limit)] {
        let whole = [FIRST, "last"].concat();
        let digest = sha256(whole.as_bytes());
        for (method, fields, body, status) in mistakes() {
            let session = registry.begin_upload("a").await;
            registry.with_body(Method::PATCH, &session, FIRST).await.expect(202);
            let target = format!("{session}?digest={digest}");
            let answer = send(&registry, method, &target, fields, body);
            assert_eq!(answer.status, status, "{method} {fields:?}: {answer:?}");
            answer.code();
            let now = registry.get(&session).await.expect(204);
            assert_eq!(now.value("range"), "0-9", "{method} {fields:?}");
            if status == 416 {
                assert_eq!((answer.value("range"), answer.value("location")), ("0-9", session.as_str()));
            }
            let last = registry.request(Method::PUT, &target).header("Content-Range", "10-13").body("last");
            Answer::of(last).await.expect(201);
            assert_eq!(registry.get(&format!("/v2/a/blobs/{digest}")).await.expect(200).body, whole.as_str());
            registry.get(&session).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        }
    }
}

/// One that breaks off in the middle leaves at least what was acknowledged, a prefix of what it sent, and a session
/// that goes on.
#[tokio::test]
async fn report_p12_a_client_that_breaks_off_goes_on() {
    for registry in TestRegistry::each() {
        let host = registry.address();
        let rest = "abcdefghij";
        let digest = sha256([FIRST, rest].concat().as_bytes());
        for framing in [
            "Content-Length: 10\r\n\r\nabcde",
            "Content-Range: 10-19\r\nContent-Length: 10\r\n\r\nabcde",
            "Content-Range: 10-19\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
            "Transfer-Encoding: chunked\r\n\r\na\r\nabcde",
        ] {
            for method in ["PATCH", "PUT"] {
                let session = registry.begin_upload("a").await;
                registry.with_body(Method::PATCH, &session, FIRST).await.expect(202);
                let target = format!("{session}?digest={digest}");
                let request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{framing}");
                let answer = Connection::to(&registry).write(request.as_bytes()).finish().rest();
                assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
                let status = registry.get(&session).await.expect(204);
                let last: usize = status.value("range").strip_prefix("0-").unwrap().parse().unwrap();
                assert!((9..15).contains(&last), "{framing}: {last}");
                let left = rest[last - 9..].to_owned();
                registry.with_body(Method::PUT, &target, left).await.expect(201);
                registry.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
            }
        }
    }
}

/// A wrong digest is an error of that request: the session stays, after a restart as well, and takes the right one.
#[tokio::test]
async fn report_p12_a_digest_that_does_not_match_keeps_the_session() {
    let mut registry = TestRegistry::filesystem();
    let long = "x".repeat(3_000_000);
    for first in [FIRST, &long] {
        let session = registry.begin_upload("a").await;
        registry.with_body(Method::PATCH, &session, Body::from(first.to_owned())).await.expect(202);
        let wrong = format!("{session}?digest={}", sha256(b"wrong"));
        for body in ["", "last"] {
            registry.with_body(Method::PUT, &wrong, body).await.refused(400, "DIGEST_INVALID");
            let range = format!("0-{}", first.len() - 1);
            assert_eq!(registry.get(&session).await.expect(204).value("range"), range);
        }
        registry.restart();
        let digest = sha256([first, "last"].concat().as_bytes());
        registry.with_body(Method::PUT, &format!("{session}?digest={digest}"), "last").await.expect(201);
        registry.get(&format!("/v2/a/blobs/{digest}")).await.expect(200);
    }
}

/// A request with exactly these fields and these bytes of a body.
fn send(registry: &TestRegistry, method: &str, target: &str, fields: &[&str], body: &[u8]) -> Answer {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", registry.address());
    for field in fields {
        head.extend([field, "\r\n"]);
    }
    head.push_str("\r\n");
    raw::parse(&Connection::to(registry).write(head.as_bytes()).write(body).rest())
}

//! How much is too much.

use std::time::Duration;

use reqwest::Method;

use crate::{
    content::sha256,
    registry::TestRegistry,
    support::answer::Answer,
    support::raw::{self, Connection},
    support::wait::{eventually, found, pass},
};

/// The limit of a target, a head and its fields: that much is served, one more is refused.
#[test]
fn h3_the_head_of_a_request_is_bounded() {
    let registry = TestRegistry::memory();
    let target = |len: usize| format!("/v2/?{}", "x".repeat(len - "/v2/?".len()));
    assert_eq!(raw::get(&registry, &target(4096)).status, 200);
    for len in [4097, 8192, 60 * 1024] {
        raw::get(&registry, &target(len)).refused(414, "UNSUPPORTED");
    }
    // A request of this test has Host and Connection already.
    let fields = |count: usize| vec!["X: y"; count - 2];
    assert_eq!(raw::send(&registry, "GET", "/v2/", &fields(64), b"").status, 200);
    for count in [65, 90] {
        raw::send(&registry, "GET", "/v2/", &fields(count), b"").refused(431, "UNSUPPORTED");
    }
    let known = "host".len() + registry.address().to_string().len() + "connection".len() + "close".len();
    let long = |len: usize| format!("x: {}", "y".repeat(len - known - 1));
    assert_eq!(raw::send(&registry, "GET", "/v2/", &[&long(64 * 1024)], b"").status, 200);
    for len in [64 * 1024 + 1, 100 * 1024, 120 * 1024] {
        raw::send(&registry, "GET", "/v2/", &[&long(len)], b"").refused(431, "UNSUPPORTED");
    }
    // What is far beyond is the parser's to refuse, in our words.
    raw::send(&registry, "GET", "/v2/", &fields(200), b"").refused(431, "UNSUPPORTED");
    let endless = raw::exchange(&registry, format!("GET /v2/ HTTP/1.1\r\nX: {}", "y".repeat(300 * 1024)).as_bytes());
    assert_eq!(raw::parse(&endless).status, 431);
}

/// The same, where the settings say otherwise.
#[test]
fn h3_the_head_of_a_request_is_bounded_as_it_is_set() {
    let registry = TestRegistry::with(|config| {
        config.limits.target_bytes = 100;
        config.limits.head_fields = 5;
        config.limits.head_bytes = 1000;
    });
    let target = |len: usize| format!("/v2/?{}", "x".repeat(len - "/v2/?".len()));
    assert_eq!(raw::get(&registry, &target(100)).status, 200);
    raw::get(&registry, &target(101)).refused(414, "UNSUPPORTED");
    // A request of this test has Host and Connection already.
    let fields = |count: usize| vec!["X: y"; count - 2];
    assert_eq!(raw::send(&registry, "GET", "/v2/", &fields(5), b"").status, 200);
    raw::send(&registry, "GET", "/v2/", &fields(6), b"").refused(431, "UNSUPPORTED");
    let known = "host".len() + registry.address().to_string().len() + "connection".len() + "close".len();
    let long = |len: usize| format!("x: {}", "y".repeat(len - known - 1));
    assert_eq!(raw::send(&registry, "GET", "/v2/", &[&long(1000)], b"").status, 200);
    raw::send(&registry, "GET", "/v2/", &[&long(1001)], b"").refused(431, "UNSUPPORTED");
}

/// Lists in fields that clients may make long: refused with the head, or read in one go.
#[tokio::test]
async fn g3_long_lists_in_fields_are_read_once() {
    let registry = TestRegistry::memory();
    let image = registry.image("a", "1", "image").await;
    let digest = registry.push_blob("a", b"bytes").await;
    let fit = 60 * 1024;
    let list = |entry: &str, len: usize| vec![entry; len / (entry.len() + 1)].join(",");
    for (len, refused) in [(fit, false), (100 * 1024, true)] {
        let accept = format!("Accept: {}", list("application/x+json", len));
        let manifest = raw::send(&registry, "GET", "/v2/a/manifests/1", &[&accept], b"");
        let none = format!("If-None-Match: {}", list("\"sha256:x\"", len));
        let blob = raw::send(&registry, "GET", &format!("/v2/a/blobs/{digest}"), &[&none], b"");
        let range = format!("Range: bytes={}", list("0-0", len));
        let part = raw::send(&registry, "GET", &format!("/v2/a/blobs/{digest}"), &[&range], b"");
        if refused {
            for answer in [manifest, blob, part] {
                answer.refused(431, "UNSUPPORTED");
            }
        } else {
            assert_eq!(manifest.expect(200).body, image.manifest);
            assert_eq!(blob.expect(200).body, "bytes");
            // More ranges than there may be are a mistake; so many of one byte are more than there is.
            part.refused(400, "SIZE_INVALID");
        }
    }
}

/// A body that stops coming gives up its place and its connection; what came of it is kept for the client to go on.
#[tokio::test]
async fn h5_a_body_that_stalls_is_given_up() {
    let registry = TestRegistry::filesystem_with(|config| {
        config.limits.body_idle = Duration::from_millis(200);
        config.limits.uploads_per_client = 1;
    });
    let session = registry.begin_upload("a").await;
    for (method, target) in [
        ("PATCH", session.clone()),
        ("PUT", "/v2/a/manifests/1".to_owned()),
        ("POST", format!("/v2/a/blobs/uploads/?digest={}", sha256(b"0123456789"))),
    ] {
        for framing in ["Content-Length: 10\r\n\r\n01234", "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n"] {
            let head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{framing}", registry.address());
            let answer = Connection::to(&registry).write(head.as_bytes()).answer();
            assert_eq!(answer.status, 408, "{method}: {answer:?}");
            answer.code();
        }
    }
    assert_eq!(registry.get(&session).await.expect(204).value("range"), "0-9");
    // The one place that there is has come back each time.
    let digest = sha256(b"0123401234rest");
    registry.with_body(Method::PUT, &format!("{session}?digest={digest}"), "rest").await.expect(201);
}

/// A body that keeps coming, and too slowly, is given up as well; one that is fast enough is not.
#[tokio::test]
async fn h5_a_body_that_trickles_is_given_up() {
    for (rate, status) in [(1000, 408), (10, 202)] {
        let registry = TestRegistry::with(|config| {
            config.limits.body_rate = rate;
            config.limits.body_window = Duration::from_millis(300);
        });
        let session = registry.begin_upload("a").await;
        let head = format!("PATCH {session} HTTP/1.1\r\nHost: {}\r\nContent-Length: 40\r\n\r\n", registry.address());
        let mut connection = Connection::to(&registry);
        connection.write(head.as_bytes());
        for _ in 0..8 {
            pass(Duration::from_millis(60), "how fast the body comes");
            connection.write(b"01234");
        }
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

/// As many connections as an address may have are served, one more is told so, and places come back.
#[tokio::test]
async fn an_address_has_no_more_connections_than_it_may() {
    const LIMIT: usize = 5;
    let registry = TestRegistry::with(|config| config.limits.connections_per_address = LIMIT);
    let get = format!("GET /v2/ HTTP/1.1\r\nHost: {}\r\n\r\n", registry.address());
    for _ in 0..3 {
        let mut open = Vec::new();
        // The server notices after a while that the clients of the last round are gone.
        eventually("all places are free", || {
            open.clear();
            open.extend((0..LIMIT).map(|_| Connection::to(&registry)));
            open.iter_mut().all(|connection| connection.write(get.as_bytes()).is_served())
        });
        let refused = raw::parse(&Connection::to(&registry).rest());
        refused.refused(429, "TOOMANYREQUESTS");
        assert_eq!(refused.value("connection"), "close");
    }
}

/// Uploads that were begun and not ended are bounded for each repository, over a restart too; each end makes room for
/// one.
#[tokio::test]
async fn g7_unfinished_uploads_of_a_repository_are_bounded() {
    const LIMIT: usize = 4;
    let mut registry = TestRegistry::filesystem_with(|config| config.limits.unfinished_uploads = LIMIT);
    let mut sessions = Vec::new();
    for _ in 0..LIMIT {
        sessions.push(registry.begin_upload("a").await);
    }
    for _ in 0..2 {
        let refused = registry.post("/v2/a/blobs/uploads/").await;
        refused.refused(429, "TOOMANYREQUESTS");
        assert!((1..=5).contains(&refused.value("retry-after").parse::<u64>().unwrap()), "{refused:?}");
        registry.restart();
    }
    // Others have room, and so has what needs no session.
    registry.begin_upload("b").await;
    let single = format!("/v2/a/blobs/uploads/?digest={}", sha256(b"x"));
    registry.with_body(Method::POST, &single, "x").await.expect(201);
    registry.delete(&sessions[0]).await.expect(204);
    let ended = format!("{}?digest={}", sessions[1], sha256(b"y"));
    registry.with_body(Method::PUT, &ended, "y").await.expect(201);
    registry.begin_upload("a").await;
    registry.begin_upload("a").await;
    registry.post("/v2/a/blobs/uploads/").await.refused(429, "TOOMANYREQUESTS");
}

/// Over the number of bodies at a time: told so in the form that clients know, with a time to come back. The places
/// come back by whatever end a request finds.
#[tokio::test]
async fn g6_over_the_number_of_bodies_is_429_and_places_come_back() {
    let registry = TestRegistry::with(|config| config.limits.uploads_per_client = 3);
    let host = registry.address();
    for round in 0..3 {
        let mut connections = Vec::new();
        for _ in 0..3 {
            let session = registry.begin_upload("a").await;
            let mut connection = Connection::to(&registry);
            let head = format!(
                "PATCH {session} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
            );
            connection.write(head.as_bytes());
            // The handler has the request when it asks for the body.
            assert_eq!(connection.head().status, 100);
            connection.write(b"01234");
            connections.push((session, connection));
        }
        let refused = until_status(&registry, 429).await;
        refused.refused(429, "TOOMANYREQUESTS");
        assert!((1..=5).contains(&refused.value("retry-after").parse::<u64>().unwrap()), "{refused:?}");
        // What sends no body is served.
        registry.get("/v2/").await.expect(200);
        registry.begin_upload("a").await;
        for (session, mut connection) in connections {
            match round {
                // Comes to its end.
                0 => assert_eq!(connection.write(b"56789").answer().status, 202),
                // Goes away.
                1 => drop(connection),
                // Is cancelled when its client is gone.
                _ => {
                    drop(connection);
                    registry.delete(&session).await.expect(204);
                }
            }
        }
        until_status(&registry, 201).await;
    }
}

/// Pushes a small blob until it is answered so: a server sees that a client went in its own time.
async fn until_status(registry: &TestRegistry, status: u16) -> Answer {
    let path = format!("/v2/b/blobs/uploads/?digest={}", sha256(b"x"));
    let ask = async || {
        let answer = registry.with_body(Method::POST, &path, "x").await;
        assert!(matches!(answer.status, 201 | 429), "{answer:?}");
        (answer.status == status).then_some(answer)
    };
    found(&format!("an answer with {status}"), ask).await
}

#[tokio::test]
async fn g7_an_upload_has_no_more_bytes_than_it_may() {
    for registry in [
        TestRegistry::with(|config| config.limits.upload_bytes = Some(10)),
        TestRegistry::filesystem_with(|config| config.limits.upload_bytes = Some(10)),
    ] {
        let (fits, more) = (sha256(b"0123456789"), sha256(b"0123456789a"));
        let single = |digest: &str| format!("/v2/a/blobs/uploads/?digest={digest}");
        registry.with_body(Method::POST, &single(&fits), "0123456789").await.expect(201);
        registry.with_body(Method::POST, &single(&more), "0123456789a").await.refused(413, "BLOB_UPLOAD_INVALID");
        registry.get(&format!("/v2/a/blobs/{more}")).await.refused(404, "BLOB_UNKNOWN");
        let session = registry.begin_upload("a").await;
        registry.with_body(Method::PATCH, &session, "01234").await.expect(202);
        registry.with_body(Method::PATCH, &session, "56789a").await.refused(413, "BLOB_UPLOAD_INVALID");
        let offset = registry.get(&session).await.expect(204).value("range").to_owned();
        assert!(["0-4", "0-9"].contains(&offset.as_str()), "{offset}");
        let rest = if offset == "0-4" { "56789" } else { "" };
        registry.with_body(Method::PUT, &format!("{session}?digest={fits}"), rest).await.expect(201);
    }
}

#[tokio::test]
async fn g7_uploads_stop_before_the_disk_is_full() {
    let mut registry = TestRegistry::filesystem();
    let image = registry.image("a", "1", "image").await;
    let session = registry.begin_upload("a").await;
    registry.restart_with(|config| config.storage.min_free = u64::MAX);
    let before = registry.tree();
    registry.post("/v2/a/blobs/uploads/").await.refused(507, "UNAVAILABLE");
    registry.with_body(Method::PATCH, &session, "x").await.refused(507, "UNAVAILABLE");
    let single = format!("/v2/a/blobs/uploads/?digest={}", sha256(b"x"));
    registry.with_body(Method::POST, &single, "x").await.refused(507, "UNAVAILABLE");
    let put = registry.put_manifest("/v2/a/manifests/2", &image.media_type(), image.manifest.clone()).await;
    put.refused(507, "UNAVAILABLE");
    assert_eq!(registry.tree(), before);
    // Reading and making room go on.
    registry.get("/v2/a/manifests/1").await.expect(200);
    registry.delete("/v2/a/manifests/1").await.expect(202);
    registry.delete(&session).await.expect(204);
}

/// podman asks for up to 1,024 ranges at a time.
#[tokio::test]
async fn report_p2_a_long_range_is_served() {
    let registry = TestRegistry::memory();
    let digest = registry.push_blob("a", &vec![7; 100_000]).await;
    let ranges: Vec<_> =
        (0..1024).map(|n| format!("{}-{}", 10_000_000_000_u64 + n * 2, 10_000_000_000_u64 + n * 2)).collect();
    let field = format!("Range: bytes={}", ranges.join(","));
    assert!(field.len() >= 24 * 1024, "{}", field.len());
    let answer = raw::send(&registry, "GET", &format!("/v2/a/blobs/{digest}"), &[&field], b"");
    assert!(matches!(answer.status, 200 | 206 | 416), "{answer:?}");
}

//! What is no request, and is answered all the same: by the HTTP library itself, were it not for us.

use crate::{
    content::sha256,
    registry::TestRegistry,
    support::answer::Answer,
    support::raw::{self, Connection},
};

/// Bytes that are refused before there is a request, with the status.
pub(crate) fn refused() -> Vec<(&'static str, String, u16)> {
    let line = "PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\n";
    let rows = [
        ("two lengths", format!("{line}Content-Length: 5\r\nContent-Length: 6\r\n\r\n012345"), 400),
        ("the same length twice", format!("{line}Content-Length: 5\r\nContent-Length: 5\r\n\r\n01234"), 400),
        ("a bad length", format!("{line}Content-Length: 0x5\r\n\r\n01234"), 400),
        ("a length with a sign", format!("{line}Content-Length: +5\r\n\r\n01234"), 400),
        (
            "a length and a coding",
            format!("{line}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        ("an unknown coding", format!("{line}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"), 400),
        ("a coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), 400),
        ("no host", "GET /v2/ HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("two hosts", format!("{line}Host: y\r\n\r\n"), 400),
        ("a folded line", format!("{line}X: y\r\n z\r\n\r\n"), 400),
        ("no name", format!("{line}: y\r\n\r\n"), 400),
        ("a method that is none", "G\u{9b}T /v2/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("a target that is none", "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("another version", "GET /v2/ HTTP/2.0\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("no version", "GET /v2/\r\n\r\n".to_owned(), 400),
        ("another protocol", "SSH-2.0-x\r\n\r\n".to_owned(), 400),
        ("too many fields", format!("{line}{}\r\n", "X: y\r\n".repeat(200)), 431),
        ("a head without end", format!("{line}X: {}", "y".repeat(300 * 1024)), 431),
    ];
    rows.into_iter().collect()
}

fn check(what: &str, answer: &Answer, status: u16) {
    answer.refused(status, "UNSUPPORTED");
    for (name, value) in [
        ("connection", "close"),
        ("x-content-type-options", "nosniff"),
        ("docker-distribution-api-version", "registry/2.0"),
        ("access-control-allow-origin", "http://ui.example"),
    ] {
        assert_eq!(answer.value(name), value, "{what}: {answer:?}");
    }
    assert_eq!(answer.value("content-length"), answer.body.len().to_string(), "{what}");
    assert!(!answer.value("date").is_empty());
}

fn registry() -> TestRegistry {
    let origin = ("Access-Control-Allow-Origin".to_owned(), vec!["http://ui.example".to_owned()]);
    TestRegistry::with(|config| config.http.headers = vec![origin])
}

#[test]
fn report_a5_what_is_no_request_is_refused_in_full() {
    let registry = registry();
    for (what, bytes, status) in refused() {
        check(what, &raw::parse(&raw::exchange(&registry, bytes.as_bytes())), status);
        // Behind requests that are answered, and after them.
        let good = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n";
        let got = raw::exchange(&registry, format!("{good}{good}{bytes}").as_bytes());
        let text = String::from_utf8_lossy(&got).into_owned();
        let last = text.rfind("HTTP/1.1 ").unwrap();
        assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{what}: {text}");
        check(what, &raw::parse(&got[last..]), status);
        let mut connection = Connection::to(&registry);
        assert_eq!(connection.write(good.as_bytes()).answer().status, 200);
        check(what, &raw::parse(&connection.write(bytes.as_bytes()).rest()), status);
    }
}

#[test]
fn report_a5_a_head_that_does_not_come_in_time_is_refused_in_full() {
    let registry = registry();
    for bytes in ["GET /v2/ HTTP/1.1\r\nHost: x\r\n", "POST /v2/a/blobs/up", "POST / HTTP/1.0\r\nX: y", ""] {
        check(bytes, &raw::parse(&raw::exchange(&registry, bytes.as_bytes())), 408);
    }
}

/// docker tries TLS first, and takes what begins with `HTTP/` as the word to go on without it; there is nobody to read
/// more.
#[test]
fn report_a5_a_tls_handshake_is_answered_with_a_bare_status() {
    let registry = registry();
    let got = raw::exchange(&registry, b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03");
    let answer = raw::parse(&got);
    assert_eq!((answer.status, answer.body.len(), answer.value("content-type")), (400, 0, ""));
}

/// No length is length 0 (RFC 9112, section 6.3), and what follows is another request.
#[tokio::test]
async fn report_a5_http_1_0_without_a_length() {
    let registry = TestRegistry::memory();
    for version in ["1.0", "1.1"] {
        let post = format!("POST /v2/a/blobs/uploads/ HTTP/{version}\r\nHost: x\r\n\r\n");
        let begun = Connection::to(&registry).write(post.as_bytes()).answer().expect(202);
        let location = begun.value("location").to_owned();
        let patch = format!("PATCH {location} HTTP/{version}\r\nHost: x\r\nContent-Length: 5\r\n\r\n01234");
        Connection::to(&registry).write(patch.as_bytes()).answer().expect(202);
        let put = format!("PUT {location}?digest={} HTTP/{version}\r\nHost: x\r\n\r\n", sha256(b"01234"));
        Connection::to(&registry).write(put.as_bytes()).answer().expect(201);
        let get = format!("GET /v2/a/blobs/{} HTTP/{version}\r\nHost: x\r\n\r\n", sha256(b"01234"));
        assert_eq!(Connection::to(&registry).write(get.as_bytes()).answer().expect(200).body, "01234");
        for method in ["DELETE", "HEAD"] {
            let head = format!("{method} /v2/a/blobs/{} HTTP/{version}\r\nHost: x\r\n\r\n", sha256(b"other"));
            assert_eq!(Connection::to(&registry).write(head.as_bytes()).head().status, 404);
        }
    }
    // On one connection, a byte at a time too.
    let post = "POST /v2/a/blobs/uploads/ HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
    let mut connection = Connection::to(&registry);
    for _ in 0..3 {
        connection.write(post.as_bytes()).answer().expect(202);
    }
    for byte in post.as_bytes() {
        connection.write(&[*byte]);
    }
    connection.answer().expect(202);
}

/// What somebody pushed may end as such an answer does, and is what it was.
#[tokio::test]
async fn report_a5_content_is_never_taken_for_an_answer() {
    for registry in TestRegistry::each() {
        let bare = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: Thu, 26 Nov 2026 11:11:39 GMT\r\n\r\n";
        for content in [bare.to_owned(), format!("{}{bare}", "x".repeat(100)), format!("{}{bare}", "x".repeat(300_000))]
        {
            let digest = registry.push_blob("a", content.as_bytes()).await;
            let get = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n");
            let mut connection = Connection::to(&registry);
            for _ in 0..2 {
                assert_eq!(connection.write(get.as_bytes()).answer().expect(200).body, content.as_bytes());
            }
            if registry.is_in_bucket() {
                // What is wrong ends the connection, also before an answer that the store has not sent yet.
                connection.write(b"GET / HTTP/9\r\n\r\n").answer().expect(400);
                continue;
            }
            let whole = raw::exchange(&registry, format!("{get}GET / HTTP/9\r\n\r\n").as_bytes());
            let head = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            assert_eq!(&whole[head..head + content.len()], content.as_bytes());
        }
    }
}

//! Where one request ends and the next begins.

use crate::{
    content::sha256,
    registry::TestRegistry,
    support::raw::{self, Connection},
};

/// How many answers there are in what came over one connection.
fn answers(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes).matches("HTTP/1.1 ").count()
}

/// With `Upgrade: websocket` (and with CONNECT) the parser takes all that follows for the body, another client's
/// request behind the same proxy included: so nothing is read of it, and the connection ends.
#[tokio::test]
async fn h1_what_follows_an_upgrade_is_neither_executed_nor_stored() {
    let registry = TestRegistry::filesystem();
    let session = registry.begin_upload("a").await;
    let host = registry.address();
    let smuggled = format!("GET /v2/_catalog HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic c2VjcmV0\r\n\r\n");
    let sized = "Content-Length: 5\r\n\r\n01234";
    let rows = [
        ("websocket", "Upgrade", sized),
        ("WebSocket", "keep-alive, Upgrade", sized),
        ("websocket", "Upgrade", "\r\n"),
    ];
    let upgrades = rows.map(|(upgrade, connection, framing)| {
        format!("PATCH {session} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\nUpgrade: {upgrade}\r\n{framing}{smuggled}")
    });
    let connect = format!("CONNECT /v2/ HTTP/1.1\r\nHost: {host}\r\n\r\n{smuggled}");
    // Each connection lingers until the server has seen that nothing more is read from it: side by side that is one
    // wait.
    let sent = upgrades
        .into_iter()
        .chain([connect])
        .map(|request| std::thread::spawn(move || Connection::to(host).write(request.as_bytes()).rest()));
    let got: Vec<_> = sent.collect::<Vec<_>>().into_iter().map(|sent| sent.join().unwrap()).collect();
    for (number, bytes) in got.iter().enumerate() {
        assert_eq!(answers(bytes), 1, "{}", String::from_utf8_lossy(bytes));
        let answer = raw::parse(bytes);
        answer.refused(if number < rows.len() { 400 } else { 405 }, "UNSUPPORTED");
        assert_eq!(answer.value("connection"), "close");
    }
    // Chunks say themselves where they end, so that what follows them is a request of its own; the first is refused all
    // the same.
    let chunked = format!(
        "PATCH {session} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n0\r\n\r\n"
    );
    Connection::to(&registry).write(chunked.as_bytes()).answer().refused(400, "UNSUPPORTED");
    assert_eq!(registry.get(&session).await.expect(204).value("range"), "0-0");
}

/// curl offers it, and is served as if it had not.
#[tokio::test]
async fn h1_other_upgrades_are_ignored() {
    let registry = TestRegistry::memory();
    let session = registry.begin_upload("a").await;
    let host = registry.address();
    for upgrade in ["h2c", "TLS/1.0", "foo"] {
        let request = format!(
            "PATCH {session} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQ\r\nContent-Length: 2\r\n\r\nok\
             GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        );
        let mut connection = Connection::to(&registry);
        connection.write(request.as_bytes());
        assert_eq!(connection.answer().status, 202, "{upgrade}");
        assert_eq!(connection.answer().body, "{}", "{upgrade}");
    }
    let digest = sha256(b"okokok");
    registry.send(reqwest::Method::PUT, &format!("{session}?digest={digest}")).await.expect(201);
}

/// Two readers of one message must not see two messages. Each of these ends its connection, and the request behind it
/// is never answered.
#[tokio::test]
async fn h1_a_message_of_unclear_length_is_refused() {
    let registry = TestRegistry::memory();
    let session = registry.begin_upload("a").await;
    let host = registry.address();
    let line = format!("PATCH {session} HTTP/1.1\r\nHost: {host}\r\n");
    let rows = [
        ("both lengths", format!("{line}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("an unknown coding", format!("{line}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
        ("chunked not last", format!("{line}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n")),
        ("two lengths", format!("{line}Content-Length: 5\r\nContent-Length: 6\r\n\r\n012345")),
        ("a length with a sign", format!("{line}Content-Length: +5\r\n\r\n01234")),
        ("a negative length", format!("{line}Content-Length: -5\r\n\r\n01234")),
        ("a list of lengths", format!("{line}Content-Length: 5, 5\r\n\r\n01234")),
        ("a length that is none", format!("{line}Content-Length: 0x5\r\n\r\n01234")),
        (
            "coding in 1.0",
            format!("PATCH {session} HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        ("a space before the colon", format!("{line}Content-Length : 5\r\n\r\n01234")),
        ("a folded line", format!("{line}X: y\r\n Content-Length: 5\r\n\r\n01234")),
        ("no host", format!("PATCH {session} HTTP/1.1\r\nContent-Length: 5\r\n\r\n01234")),
        ("two hosts", format!("{line}Host: other\r\nContent-Length: 5\r\n\r\n01234")),
    ];
    for (what, request) in rows {
        let behind = format!("GET /v2/_catalog HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let got = raw::exchange(&registry, format!("{request}{behind}").as_bytes());
        let text = String::from_utf8_lossy(&got);
        assert!(text.starts_with("HTTP/1.1 400 "), "{what}: {text}");
        assert_eq!(answers(&got), 1, "{what}: {text}");
        assert!(!text.contains("repositories"), "{what}: {text}");
    }
    // Where the length breaks only in the body, the connection may end without a word, but never with another answer.
    for size in ["10000000000000000", "ffffffffffffffff1", "x", "-5", "+5", "0x5", ""] {
        let request = format!("{line}Transfer-Encoding: chunked\r\n\r\n{size}\r\n01234\r\n0\r\n\r\n");
        let behind = format!("GET /v2/_catalog HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let got = raw::exchange(&registry, format!("{request}{behind}").as_bytes());
        let text = String::from_utf8_lossy(&got);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400 ") && answers(&got) == 1, "{size}: {text}");
    }
    assert_eq!(registry.get(&session).await.expect(204).value("range"), "0-0");
}

/// Whoever tries TLS first takes bytes that begin with `HTTP/` as the word to go on without it.
#[test]
fn a_tls_handshake_on_the_plain_port_is_answered_in_http() {
    let registry = TestRegistry::memory();
    let hello = {
        let mut hello = vec![0x16, 3, 1, 0, 0x2f, 1, 0, 0, 0x2b, 3, 3];
        hello.extend([7; 32]);
        hello.extend([0, 0, 4, 0x13, 1, 0x13, 2, 1, 0]);
        hello
    };
    for bytes in [
        &hello[..],
        b"\x16\x03\x01",
        b"\x80\x2e\x01\x03\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
    ] {
        let answer = Connection::to(&registry).write(bytes).answer_bytes();
        assert!(answer.starts_with(b"HTTP/1.1 400"), "{bytes:?}: {:?}", String::from_utf8_lossy(&answer));
    }
}

/// A connection goes on after every kind of answer to a request that was wholly read.
#[tokio::test]
async fn a_connection_is_kept() {
    let registry = TestRegistry::memory();
    registry.image("a", "1", "image").await;
    let mut connection = Connection::to(&registry);
    for (target, status) in
        [("/v2/", 200), ("/nowhere", 404), ("/v2/a/manifests/1", 200), ("/v2/A/manifests/1", 400), ("/v2/", 200)]
    {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", registry.address());
        let answer = connection.write(request.as_bytes()).answer();
        assert_eq!(answer.status, status, "{target}");
        assert_ne!(answer.value("connection"), "close", "{target}");
    }
}

/// Refused before it was sent: the answer comes while the client is still sending, and the next connection is served.
#[tokio::test]
async fn a_refusal_comes_although_the_body_does_not() {
    let registry = TestRegistry::memory();
    let host = registry.address();
    for (target, status) in [("/v2/A/blobs/uploads/", 400), ("/v2/a/blobs/uploads/?digest=x", 400), ("/nowhere", 404)] {
        let head = format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50000000\r\n\r\n");
        assert_eq!(Connection::to(&registry).write(head.as_bytes()).answer().status, status, "{target}");
        registry.get("/v2/").await.expect(200);
    }
}

//! Blobs that are too large to go out with the head of their answer, over connections of all kinds.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::{
    registry::TestRegistry,
    support::raw::{self, Connection},
};

/// More than the buffers between two ends of a connection hold.
const LEN: usize = 24 * 1024 * 1024 + 7;

/// Bytes of which no two parts are alike.
fn content() -> Vec<u8> {
    (0..LEN).map(|n| (n.wrapping_mul(2_654_435_761) >> 17).to_le_bytes()[0]).collect()
}

/// Requests that are sent before the answers to those before them are read: each answer begins where the one before it
/// ends.
#[tokio::test]
async fn large_and_small_answers_follow_each_other_on_one_connection() {
    for registry in TestRegistry::each() {
        let content = content();
        let digest = registry.push_blob("a", &content).await;
        let get = |fields: &str| format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        let parts = [
            (get(""), 0..LEN),
            (get("Range: bytes=1000-2000\r\n"), 1000..2001),
            (get("Range: bytes=70000-9000000\r\n"), 70_000..9_000_001),
            (get("Range: bytes=-65536\r\n"), LEN - 65_536..LEN),
            (get("Range: bytes=-65535\r\n"), LEN - 65_535..LEN),
            (get("Connection: close\r\n"), 0..LEN),
        ];
        let mut connection = Connection::to(&registry);
        for (request, _) in &parts {
            connection.write(request.as_bytes());
            if request.contains("close") {
                break;
            }
            connection.write(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        for (request, part) in parts {
            let answer = connection.answer();
            assert!(matches!(answer.status, 200 | 206), "{request}");
            assert!(answer.body == content[part], "{request}");
            assert!(answer.headers.get("transfer-encoding").is_none());
            if !request.contains("close") {
                assert_eq!(connection.answer().body, "{}");
            }
        }
        assert!(connection.rest().is_empty());
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_all_of_it_and_the_end() {
    let registry = TestRegistry::filesystem();
    let content = content();
    let digest = registry.push_blob("a", &content).await;
    let mut connection = TcpStream::connect(registry.address()).unwrap();
    connection.write_all(format!("GET /v2/a/blobs/{digest} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).unwrap();
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!(bytes[head + 4..] == content);
}

/// A client that says that it will send nothing more has not gone.
#[tokio::test]
async fn a_client_that_has_closed_its_end_gets_all_of_it() {
    let registry = TestRegistry::filesystem();
    let content = content();
    let digest = registry.push_blob("a", &content).await;
    let request = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = raw::parse(&Connection::to(&registry).write(request.as_bytes()).finish().rest());
    assert!(answer.body == content);
}

/// Clients that leave in the midst of it, and one that is slow: the others are served.
#[tokio::test]
async fn clients_that_leave_hold_up_nobody() {
    let registry = TestRegistry::filesystem();
    let content = content();
    let digest = registry.push_blob("a", &content).await;
    let request = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut slow = Connection::to(&registry);
    slow.write(request.as_bytes());
    for _ in 0..20 {
        assert_eq!(Connection::to(&registry).write(request.as_bytes()).head().status, 200);
    }
    let mut other = Connection::to(&registry);
    assert!(other.write(request.as_bytes()).answer().body == content);
    assert!(slow.answer().body == content);
}

//! Several parts of a blob in one answer, as podman asks for those of a `zstd:chunked` layer.

use std::{
    io::{Read as _, Write as _},
    ops::Range,
    os::unix::net::UnixStream,
};

use reqwest::Method;
use wharf::config::Listen;

use crate::{
    registry::TestRegistry,
    support::answer::Answer,
    support::raw::{self, Connection},
};

const LEN: usize = 300_000;

fn content() -> Vec<u8> {
    (0..LEN).map(|n| (n.wrapping_mul(2_654_435_761) >> 17).to_le_bytes()[0]).collect()
}

async fn parts(registry: &TestRegistry, path: &str, range: &str) -> Answer {
    Answer::of(registry.request(Method::GET, path).header("Range", range)).await
}

fn header(ranges: &[Range<usize>]) -> String {
    let ranges: Vec<_> = ranges.iter().map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
    format!("bytes={}", ranges.join(","))
}

/// The parts of a `multipart/byteranges` body, read by the lengths that they say.
fn read(answer: &Answer, len: usize) -> Vec<(Range<usize>, Vec<u8>)> {
    let boundary = answer.value("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert!(answer.headers.get("content-range").is_none());
    assert_eq!(answer.value("content-length"), answer.body.len().to_string());
    let (mut body, mut parts) = (&answer.body[..], Vec::new());
    let mut delimiter = format!("--{boundary}\r\n");
    while let Some(rest) = body.strip_prefix(delimiter.as_bytes()) {
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let range = head.strip_prefix("Content-Type: application/octet-stream\r\nContent-Range: bytes ").unwrap();
        let (range, total) = range.split_once('/').unwrap();
        let (first, last) = range.split_once('-').unwrap();
        assert_eq!(total, len.to_string());
        let range = first.parse().unwrap()..last.parse::<usize>().unwrap() + 1;
        let rest = &rest[end + 4..];
        parts.push((range.clone(), rest[..range.len()].to_vec()));
        body = &rest[range.len()..];
        delimiter = format!("\r\n--{boundary}\r\n");
    }
    assert_eq!(body, format!("\r\n--{boundary}--\r\n").as_bytes());
    parts
}

#[track_caller]
fn assert_parts(answer: &Answer, content: &[u8], ranges: &[Range<usize>]) {
    assert_eq!(answer.status, 206, "{answer:.200?}");
    let parts = read(answer, content.len());
    assert!(parts.iter().map(|(range, _)| range).eq(ranges), "{ranges:?}");
    assert!(parts.iter().all(|(range, bytes)| *bytes == content[range.clone()]), "{ranges:?}");
}

/// As many as podman sends at most.
fn many() -> Vec<Range<usize>> {
    (0..1024).map(|n| n * 290 + n % 7..n * 290 + n % 7 + 1 + n % 150).collect()
}

#[tokio::test]
async fn report_p1_several_ranges_are_several_parts() {
    for registry in [
        TestRegistry::with(|config| config.limits.head_bytes = 64 * 1024),
        TestRegistry::filesystem_with(|config| config.limits.head_bytes = 64 * 1024),
        TestRegistry::filesystem_with(|config| {
            config.limits.head_bytes = 64 * 1024;
            config.storage.verify_reads = true;
        }),
    ] {
        let content = content();
        let digest = registry.push_blob("a", &content).await;
        let path = format!("/v2/a/blobs/{digest}");
        let rows: [&[Range<usize>]; 8] = [
            &[0..10, 100..110],
            &[100..110, 0..10],
            &[0..1, 0..1],
            &[5..20, 10..30],
            &[0..LEN / 2, LEN / 2..LEN],
            &[1..70_000, LEN - 140_000..LEN - 1],
            &[LEN - 1..LEN, 65_535..65_537, 0..1],
            &many(),
        ];
        for ranges in rows {
            let answer = parts(&registry, &path, &header(ranges)).await;
            assert_parts(&answer, &content, ranges);
            assert_eq!(answer.value("docker-content-digest"), digest);
            assert_eq!(answer.value("etag"), format!("\"{digest}\""));
        }
        // What can't be met is left out; of what is left, one is no list.
        let answer = parts(&registry, &path, "bytes=0-9,300000-,-10,5-2").await;
        assert_parts(&answer, &content, &[0..10, LEN - 10..LEN]);
        let answer = parts(&registry, &path, "bytes=300000-,20-29").await.expect(206);
        assert_eq!((answer.value("content-range"), &answer.body[..]), ("bytes 20-29/300000", &content[20..30]));
    }
}

#[tokio::test]
async fn report_p1_several_ranges_are_refused_if_none_can_be_met_or_they_are_too_many() {
    let registry = TestRegistry::with(|config| config.limits.head_bytes = 64 * 1024);
    let path = format!("/v2/a/blobs/{}", registry.push_blob("a", &content()).await);
    for range in ["bytes=300000-,400000-400001", "bytes=-0,5-2"] {
        let answer = parts(&registry, &path, range).await;
        assert_eq!((answer.status, answer.value("content-range")), (416, "bytes */300000"), "{range}");
        answer.code();
    }
    let one_more = format!("bytes={},0-0", header(&many()).strip_prefix("bytes=").unwrap());
    for range in ["bytes=0-,0-0", "bytes=0-200000,100000-299999", &one_more] {
        parts(&registry, &path, range).await.refused(400, "SIZE_INVALID");
    }
    for range in ["bytes=0-1,a-b", "items=0-1,2-3", "bytes=0-1;2-3"] {
        assert_eq!(parts(&registry, &path, range).await.expect(200).body.len(), LEN, "{range}");
    }
}

#[tokio::test]
async fn report_p1_several_ranges_count_for_get_and_for_the_same_content_alone() {
    let registry = TestRegistry::memory();
    let digest = registry.push_blob("a", &content()).await;
    let path = format!("/v2/a/blobs/{digest}");
    let head = registry.request(Method::HEAD, &path).header("Range", "bytes=0-9,20-29");
    assert_eq!(Answer::of(head).await.expect(200).value("content-length"), "300000");
    for (tag, status) in
        [(format!("\"{digest}\""), 206), ("\"other\"".to_owned(), 200), (format!("W/\"{digest}\""), 200)]
    {
        let request = registry.request(Method::GET, &path).header("Range", "bytes=0-9,20-29").header("If-Range", &tag);
        Answer::of(request).await.expect(status);
    }
}

/// The next answer begins where the last part ends.
#[tokio::test]
async fn report_p1_the_connection_goes_on_after_several_parts() {
    let registry = TestRegistry::filesystem();
    let content = content();
    let digest = registry.push_blob("a", &content).await;
    let ranges = [7..100_000, 250_000..299_999];
    let request = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\nRange: {}\r\n\r\n", header(&ranges));
    let mut connection = Connection::to(&registry);
    for _ in 0..3 {
        assert_parts(&connection.write(request.as_bytes()).answer(), &content, &ranges);
    }
}

#[tokio::test]
async fn report_p1_several_parts_go_over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let mut registry = TestRegistry::filesystem();
    let content = content();
    let digest = registry.push_blob("a", &content).await;
    let listen = Listen::Unix(socket.clone());
    registry.restart_with(|config| config.http.listen = listen);
    let ranges = [7..100_000, 250_000..299_999];
    let mut stream = UnixStream::connect(socket).unwrap();
    let range = header(&ranges);
    write!(stream, "GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: {range}\r\n\r\n")
        .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_parts(&raw::parse(&bytes), &content, &ranges);
}

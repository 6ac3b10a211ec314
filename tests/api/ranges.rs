//! Parts of blobs.

use reqwest::Method;

use crate::{registry::TestRegistry, support::answer::Answer};

/// 500 bytes, no two neighbours alike.
fn content() -> Vec<u8> {
    (0..500_u16).map(|n| n.to_le_bytes()[0]).collect()
}

async fn part(registry: &TestRegistry, path: &str, range: &str) -> Answer {
    Answer::of(registry.request(Method::GET, path).header("Range", range)).await
}

#[tokio::test]
async fn g4_a_range_is_a_part_or_the_whole_or_nothing_there_is() {
    for registry in TestRegistry::each() {
        let content = content();
        let digest = registry.push_blob("a", &content).await;
        let path = format!("/v2/a/blobs/{digest}");
        let parts = [
            ("bytes=0-", 0, 500),
            ("bytes=0-0", 0, 1),
            ("bytes=0-499", 0, 500),
            ("bytes=499-", 499, 500),
            ("bytes=499-499", 499, 500),
            ("bytes=100-199", 100, 200),
            ("bytes=-1", 499, 500),
            ("bytes=-500", 0, 500),
            ("bytes=-501", 0, 500),
            ("bytes=-18446744073709551616", 0, 500),
            ("bytes=0-18446744073709551615", 0, 500),
            ("bytes=400-99999999999999999999999", 400, 500),
            ("bytes= 3-4", 3, 5),
            ("BYTES=3-4", 3, 5),
        ];
        for (range, first, end) in parts {
            let answer = part(&registry, &path, range).await.expect(206);
            assert!(answer.body == content[first..end], "{range}");
            assert_eq!(answer.value("content-range"), format!("bytes {first}-{}/500", end - 1), "{range}");
            assert_eq!(answer.value("content-length"), (end - first).to_string());
            assert_eq!(answer.value("docker-content-digest"), digest);
        }
        for range in
            ["bytes=500-", "bytes=500-0", "bytes=5-2", "bytes=-0", "bytes=18446744073709551616-", "bytes=500-600"]
        {
            let answer = part(&registry, &path, range).await;
            assert_eq!(answer.status, 416, "{range}");
            assert_eq!(answer.value("content-range"), "bytes */500", "{range}");
            answer.code();
        }
        for range in [
            "items=0-1",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=1",
            "bytes=1-2-3",
            "bytes=0x1-2",
            "bytes=-1-2",
            "bytes=+1-2",
            "bytes=0-1,x",
        ] {
            let answer = part(&registry, &path, range).await.expect(200);
            assert!(answer.body == content, "{range}");
            assert_eq!(answer.value("content-range"), "");
        }
    }
}

#[tokio::test]
async fn nothing_has_no_parts() {
    for registry in TestRegistry::each() {
        let path = format!("/v2/a/blobs/{}", registry.push_blob("a", b"").await);
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=500-0"] {
            assert_eq!(part(&registry, &path, range).await.value("content-range"), "bytes */0", "{range}");
        }
        registry.get(&path).await.expect(200);
    }
}

#[tokio::test]
async fn a_range_counts_for_get_and_for_the_same_content_alone() {
    let registry = TestRegistry::memory();
    let digest = registry.push_blob("a", &content()).await;
    let path = format!("/v2/a/blobs/{digest}");
    let head = Answer::of(registry.request(Method::HEAD, &path).header("Range", "bytes=0-9")).await.expect(200);
    assert_eq!(head.value("content-length"), "500");
    for (tag, status) in [
        (format!("\"{digest}\""), 206),
        ("\"other\"".to_owned(), 200),
        ("Wed, 21 Oct 2015 07:28:00 GMT".to_owned(), 200),
    ] {
        let request = registry.request(Method::GET, &path).header("Range", "bytes=0-9").header("If-Range", &tag);
        Answer::of(request).await.expect(status);
    }
}

/// A client that lost its connection puts the rest behind what it has.
#[tokio::test]
async fn a_download_is_resumed() {
    let registry = TestRegistry::filesystem();
    let content = content();
    let path = format!("/v2/a/blobs/{}", registry.push_blob("a", &content).await);
    let mut got = part(&registry, &path, "bytes=0-122").await.expect(206).body.to_vec();
    got.extend(part(&registry, &path, &format!("bytes={}-", got.len())).await.expect(206).body);
    assert!(got == content);
}

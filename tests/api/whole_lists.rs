//! Lists that are given whole, to clients that ask for no number of entries.

use std::io::{Read as _, Write as _};

use serde_json::json;
use wharf::oci::MediaType;

use crate::{
    content::{Image, texts},
    registry::TestRegistry,
    support::raw,
};

const COUNT: usize = 3_300;

fn tag(number: usize) -> String {
    format!("t{number:05}")
}

/// A repository `a` with that many tags of one image.
async fn with_tags(registry: &TestRegistry, numbers: std::ops::Range<usize>) {
    let image = Image::new("image");
    registry.push_blobs("a", &image).await;
    for numbers in numbers.collect::<Vec<_>>().chunks(300) {
        let tags: Vec<_> = numbers.iter().map(|number| format!("tag={}", tag(*number))).collect();
        let path = format!("/v2/a/manifests/{}?{}", image.digest, tags.join("&"));
        registry.put_manifest(&path, &image.media_type(), image.manifest.clone()).await.expect(201);
    }
}

#[tokio::test]
async fn report_s8_a_list_without_a_number_has_every_tag() {
    let registry = TestRegistry::memory();
    with_tags(&registry, 0..COUNT).await;
    let all: Vec<_> = (0..COUNT).map(tag).collect();
    for query in ["", "?n=", "?last=", "?n=&n=5"] {
        let answer = registry.get(&format!("/v2/a/tags/list{query}")).await.expect(200);
        assert_eq!(answer.json(), json!({ "name": "a", "tags": all }), "{query}");
        assert_eq!(answer.value("link"), "", "{query}");
        assert_eq!(answer.value("content-type"), "application/json; charset=utf-8");
    }
    for (last, rest) in [(999, 1000), (1000, 1001), (2299, 2300), (2300, 2301), (3298, 3299), (3299, 3300)] {
        let answer = registry.get(&format!("/v2/a/tags/list?last={}", tag(last))).await.expect(200);
        assert_eq!(texts(&answer.json()["tags"]), all[rest..], "{last}");
    }
    // With a number there are pages.
    for (query, count) in [("n=10", 10), ("n=1000", 1000), ("n=1001", 1000), ("n=5000", 1000)] {
        let answer = registry.get(&format!("/v2/a/tags/list?{query}")).await.expect(200);
        assert_eq!(texts(&answer.json()["tags"]), all[..count], "{query}");
        assert!(answer.next().is_some(), "{query}");
    }
    assert!(registry.head("/v2/a/tags/list").await.expect(200).body.is_empty());
}

#[tokio::test]
async fn report_s8_a_client_of_http_1_0_gets_the_whole_list() {
    let registry = TestRegistry::memory();
    with_tags(&registry, 0..1_500).await;
    let mut stream = std::net::TcpStream::connect(registry.address()).unwrap();
    stream.write_all(b"GET /v2/a/tags/list HTTP/1.0\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap().replacen("HTTP/1.0", "HTTP/1.1", 1);
    let answer = raw::parse(text.as_bytes());
    assert_eq!(texts(&answer.json()["tags"]).len(), 1_500);
}

/// Tags come and go while the list is read; each that stays is there once.
#[tokio::test]
async fn report_s8_what_stays_is_listed_once_while_others_come_and_go() {
    let registry = TestRegistry::memory();
    with_tags(&registry, 1_000..3_000).await;
    let change = async {
        for number in (0..60).chain(4_000..4_060) {
            with_tags(&registry, number..number + 1).await;
        }
    };
    let remove = async {
        for number in (1_990..2_050).rev() {
            registry.delete(&format!("/v2/a/manifests/{}", tag(number))).await.expect(202);
        }
    };
    let read = async {
        for _ in 0..30 {
            let tags = texts(&registry.get("/v2/a/tags/list").await.expect(200).json()["tags"]);
            assert!(tags.windows(2).all(|pair| pair[0] < pair[1]));
            let stays = |tag: &&String| {
                let number: usize = tag[1..].parse().unwrap();
                (1_000..1_990).contains(&number) || (2_050..3_000).contains(&number)
            };
            assert_eq!(tags.iter().filter(stays).count(), 990 + 950);
        }
    };
    tokio::join!(change, remove, read);
}

#[tokio::test]
async fn report_s8_referrers_are_whole_up_to_their_bytes() {
    let registry = TestRegistry::memory();
    let subject = registry.image("a", "subject", "subject").await;
    for number in 0..1_010 {
        let body = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [],
            "subject": { "mediaType": MediaType::OCI_MANIFEST, "digest": subject.digest, "size": subject.manifest.len() },
            "annotations": { "number": number.to_string() },
        });
        let path = format!("/v2/a/manifests/r{number}");
        registry.put_manifest(&path, MediaType::OCI_INDEX, body.to_string()).await.expect(201);
    }
    let answer = registry.get(&format!("/v2/a/referrers/{}", subject.digest)).await.expect(200);
    assert_eq!(answer.json()["manifests"].as_array().unwrap().len(), 1_010);
    assert_eq!(answer.value("link"), "");
}

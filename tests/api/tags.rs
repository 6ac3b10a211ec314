//! `/v2/<name>/tags/list`.

use reqwest::Method;

use crate::{
    content::{Image, texts},
    registry::TestRegistry,
};

/// In the order that their bytes have.
const TAGS: [&str; 10] = ["0", "1", "1.0", "1.10", "1.9", "10", "A", "Z", "_", "a"];

async fn with_tags() -> TestRegistry {
    let registry = TestRegistry::memory();
    let image = Image::new("image");
    for tag in TAGS.iter().rev() {
        registry.push_image("a/b", tag, &image).await;
    }
    registry
}

/// All pages from this one on, by their links.
pub(crate) async fn pages(registry: &TestRegistry, first: &str, list: &str) -> Vec<Vec<String>> {
    let (mut pages, mut next) = (Vec::new(), first.to_owned());
    loop {
        let answer = registry.get(&next).await.expect(200);
        pages.push(texts(&answer.json()[list]));
        assert!(pages.len() < 1000, "the pages don't end");
        match answer.next() {
            None => return pages,
            Some(link) => next = link,
        }
    }
}

#[tokio::test]
async fn tags_are_listed_in_the_order_of_their_bytes() {
    let registry = with_tags().await;
    let answer = registry.get("/v2/a/b/tags/list").await.expect(200);
    assert_eq!(answer.json(), serde_json::json!({ "name": "a/b", "tags": TAGS }));
    assert_eq!(answer.value("link"), "");
    for (query, expected) in [
        ("n=3", &TAGS[..3]),
        ("n=10", &TAGS[..]),
        ("n=1000", &TAGS[..]),
        ("last=1.10", &TAGS[4..]),
        ("n=2&last=1.10", &TAGS[4..6]),
        ("last=1.1", &TAGS[3..]),
        ("last=0&n=1", &TAGS[1..2]),
        ("last=a", &[]),
        ("last=zzz", &[]),
        ("n=0", &[]),
        ("n=0&last=1", &[]),
        ("last=", &TAGS[..]),
    ] {
        let answer = registry.get(&format!("/v2/a/b/tags/list?{query}")).await.expect(200);
        assert_eq!(texts(&answer.json()["tags"]), expected, "{query}");
        let ends = expected.last().is_none_or(|last| last == TAGS.last().unwrap());
        assert_eq!(answer.value("link").is_empty(), ends, "{query}");
    }
}

#[tokio::test]
async fn pages_of_every_size_hold_each_tag_once() {
    let registry = with_tags().await;
    for n in 1..=11 {
        let pages = pages(&registry, &format!("/v2/a/b/tags/list?n={n}"), "tags").await;
        assert_eq!(pages.concat(), TAGS, "{n}");
        assert!(pages.iter().rev().skip(1).all(|page| page.len() == n), "{pages:?}");
        assert!(!pages.last().unwrap().is_empty());
    }
}

#[tokio::test]
async fn report_s8_a_list_without_a_number_is_whole_and_one_with_has_pages_of_the_most_there_may_be() {
    let registry = TestRegistry::with(|config| config.limits.tags = 3);
    let image = Image::new("image");
    for tag in TAGS {
        registry.push_image("a", tag, &image).await;
    }
    for query in ["", "?n=", "?last="] {
        assert_eq!(pages(&registry, &format!("/v2/a/tags/list{query}"), "tags").await, [TAGS], "{query}");
    }
    for query in ["?n=100", "?n=4", "?n=3&n=1"] {
        let pages = pages(&registry, &format!("/v2/a/tags/list{query}"), "tags").await;
        assert_eq!((pages.concat(), pages.len()), (TAGS.map(str::to_owned).to_vec(), 4), "{query}");
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_has_no_list_and_one_without_tags_an_empty_one() {
    for registry in TestRegistry::each() {
        registry.get("/v2/none/tags/list").await.refused(404, "NAME_UNKNOWN");
        registry.head("/v2/none/tags/list").await.expect(404);
        let image = Image::new("image");
        registry.push_image("a", &image.digest, &image).await;
        assert!(registry.tags("a").await.is_empty());
        registry.push_blob("only/blobs", b"x").await;
        assert!(registry.tags("only/blobs").await.is_empty());
        registry.get("/v2/only/tags/list").await.refused(404, "NAME_UNKNOWN");
        // An upload that has only begun makes no repository.
        registry.begin_upload("begun").await;
        registry.get("/v2/begun/tags/list").await.refused(404, "NAME_UNKNOWN");
    }
}

#[tokio::test]
async fn tags_survive_a_restart_and_strangers() {
    let mut registry = TestRegistry::filesystem();
    let image = Image::new("image");
    for tag in ["b", "a", "c"] {
        registry.push_image("r", tag, &image).await;
    }
    registry.delete("/v2/r/manifests/b").await.expect(202);
    // Others leave a tag without its link, and files that are none of theirs either.
    let tags = registry.root().join("docker/registry/v2/repositories/r/_manifests/tags");
    std::fs::create_dir_all(tags.join("empty/current")).unwrap();
    std::fs::create_dir_all(tags.join("torn/current")).unwrap();
    std::fs::write(tags.join("torn/current/link"), "").unwrap();
    std::fs::write(tags.join(".DS_Store"), "").unwrap();
    registry.restart();
    assert_eq!(registry.tags("r").await, ["a", "c"]);
    for tag in ["empty", "torn", "b"] {
        registry.get(&format!("/v2/r/manifests/{tag}")).await.refused(404, "MANIFEST_UNKNOWN");
    }
    registry.push_image("r", "empty", &image).await;
    assert_eq!(registry.tags("r").await, ["a", "c", "empty"]);
}

/// Far more than there may be is cut down; what is no number is refused; nothing is made ready for it.
#[tokio::test]
async fn g1_a_number_of_entries_is_bounded_on_every_list() {
    let registry = with_tags().await;
    let image = Image::new("image");
    for list in
        ["/v2/a/b/tags/list".to_owned(), "/v2/_catalog".to_owned(), format!("/v2/a/b/referrers/{}", image.digest)]
    {
        for n in ["0", "1", "1000", "1001", "2147483648", "4294967296", "1000000000", "9223372036854775807"] {
            let answer = registry.get(&format!("{list}?n={n}")).await.expect(200);
            assert!(n != "0" || answer.value("link").is_empty(), "{list}");
        }
        for n in [
            "-1",
            "9223372036854775808",
            "18446744073709551616",
            "99999999999999999999999999",
            "1e9",
            "abc",
            "1.5",
            "0x10",
            "%00",
        ] {
            let answer = registry.send(Method::GET, &format!("{list}?n={n}")).await;
            assert_eq!(answer.refusal(), (400, "PAGINATION_NUMBER_INVALID".to_owned()), "{list}?n={n}");
        }
    }
}

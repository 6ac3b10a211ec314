//! `/v2/_catalog`.

use crate::{
    content::{Image, sha256},
    registry::TestRegistry,
    tags::pages,
};

/// In the order that their bytes have: `-` and `.` come before `/`, so no walk through directories gives it.
const NAMES: [&str; 12] = ["a", "a-b", "a-b/c", "a.b", "a/1", "a/b", "a/b/c", "a0", "a__b", "a_b", "ab", "b"];

async fn with_repositories(registry: &TestRegistry) {
    let image = Image::new("image");
    for name in NAMES.iter().rev() {
        registry.push_image(name, "1", &image).await;
    }
}

#[tokio::test]
async fn repositories_are_listed_in_the_order_of_their_bytes() {
    let mut sorted = NAMES;
    sorted.sort_unstable();
    assert_eq!(NAMES, sorted);
    for mut registry in TestRegistry::each() {
        let kept = matches!(registry.store(), wharf::config::Store::Filesystem { .. });
        with_repositories(&registry).await;
        for _ in 0..2 {
            assert_eq!(registry.catalog().await, NAMES);
            for n in [1, 2, 5, 11, 12, 13] {
                let pages = pages(&registry, &format!("/v2/_catalog?n={n}"), "repositories").await;
                assert_eq!(pages.concat(), NAMES, "{n}");
                assert!(pages.iter().rev().skip(1).all(|page| page.len() == n), "{pages:?}");
            }
            for (query, expected) in [
                ("last=a", &NAMES[1..]),
                ("last=a/b", &NAMES[6..]),
                ("last=a%2Fb&n=1", &NAMES[6..7]),
                ("last=a/zzz", &NAMES[7..]),
                ("last=b", &[]),
                ("n=0", &[]),
            ] {
                let answer = registry.get(&format!("/v2/_catalog?{query}")).await.expect(200);
                assert_eq!(crate::content::texts(&answer.json()["repositories"]), expected, "{query}");
            }
            if kept {
                registry.restart();
            } else {
                break;
            }
        }
    }
}

#[tokio::test]
async fn the_form_is_that_which_scripts_expect() {
    let registry = TestRegistry::memory();
    let answer = registry.get("/v2/_catalog").await.expect(200);
    assert_eq!(answer.body, "{\"repositories\":[]}\n");
    assert_eq!(answer.value("content-type"), "application/json; charset=utf-8");
    registry.image("alpine", "3.10", "image").await;
    assert_eq!(registry.get("/v2/_catalog").await.expect(200).body, "{\"repositories\":[\"alpine\"]}\n");
}

#[tokio::test]
async fn only_what_holds_a_manifest_is_listed() {
    for registry in TestRegistry::each() {
        registry.push_blob("blobs/only", b"x").await;
        registry.begin_upload("begun").await;
        assert!(registry.catalog().await.is_empty());
        let image = Image::new("image");
        registry.push_image("untagged", &image.digest, &image).await;
        assert_eq!(registry.catalog().await, ["untagged"]);
        registry.delete(&format!("/v2/untagged/manifests/{}", image.digest)).await.expect(202);
        assert!(registry.catalog().await.is_empty());
        registry.head(&format!("/v2/untagged/blobs/{}", sha256(&image.layer))).await.expect(200);
    }
}

#[tokio::test]
async fn pages_are_no_longer_than_the_settings_say() {
    let registry = TestRegistry::with(|config| config.limits.catalog_entries = 5);
    with_repositories(&registry).await;
    for query in ["", "?n=100", "?n=6"] {
        let pages = pages(&registry, &format!("/v2/_catalog{query}"), "repositories").await;
        assert_eq!((pages.concat(), pages.len()), (NAMES.map(str::to_owned).to_vec(), 3), "{query}");
    }
}

//! What goes, and what stays.

use std::fs;

use wharf::oci::MediaType;

use crate::{
    content::{Image, index, sha256},
    registry::TestRegistry,
};

#[tokio::test]
async fn f11_a_tag_goes_alone_and_a_digest_takes_its_tags() {
    for registry in TestRegistry::each() {
        let image = Image::new("image");
        let other = registry.image("a", "other", "other").await;
        for tag in ["t1", "t2", "t3"] {
            registry.push_image("a", tag, &image).await;
        }
        registry.delete("/v2/a/manifests/t1").await.expect(202);
        registry.get("/v2/a/manifests/t1").await.refused(404, "MANIFEST_UNKNOWN");
        for reference in ["t2", "t3", &image.digest] {
            registry.get(&format!("/v2/a/manifests/{reference}")).await.expect(200);
        }
        assert_eq!(registry.tags("a").await, ["other", "t2", "t3"]);
        registry.delete("/v2/a/manifests/t1").await.refused(404, "MANIFEST_UNKNOWN");

        registry.delete(&format!("/v2/a/manifests/{}", image.digest)).await.expect(202);
        for reference in ["t2", "t3", &image.digest] {
            registry.get(&format!("/v2/a/manifests/{reference}")).await.refused(404, "MANIFEST_UNKNOWN");
            registry.head(&format!("/v2/a/manifests/{reference}")).await.expect(404);
        }
        assert_eq!(registry.tags("a").await, ["other"]);
        registry.get(&format!("/v2/a/manifests/{}", other.digest)).await.expect(200);
        // The blobs are the repository's still: a client that pushes again skips them.
        registry.head(&format!("/v2/a/blobs/{}", sha256(&image.layer))).await.expect(200);
    }
}

#[tokio::test]
async fn a_tag_that_has_moved_is_not_taken_along() {
    for registry in TestRegistry::each() {
        let first = registry.image("a", "latest", "first").await;
        let second = registry.image("a", "latest", "second").await;
        registry.delete(&format!("/v2/a/manifests/{}", first.digest)).await.expect(202);
        assert_eq!(registry.get("/v2/a/manifests/latest").await.expect(200).body, second.manifest);
        // The last tag of a manifest goes, the manifest stays.
        registry.delete("/v2/a/manifests/latest").await.expect(202);
        registry.get(&format!("/v2/a/manifests/{}", second.digest)).await.expect(200);
        assert!(registry.tags("a").await.is_empty());
        assert_eq!(registry.catalog().await, ["a"]);
    }
}

#[tokio::test]
async fn a_manifest_deleted_in_one_repository_stays_in_the_others() {
    let mut registry = TestRegistry::filesystem();
    let image = registry.image("a", "1", "image").await;
    registry.push_image("a/b", "1", &image).await;
    registry.delete(&format!("/v2/a/manifests/{}", image.digest)).await.expect(202);
    for _ in 0..2 {
        registry.get("/v2/a/manifests/1").await.refused(404, "MANIFEST_UNKNOWN");
        registry.get("/v2/a/b/manifests/1").await.expect(200);
        assert_eq!(registry.catalog().await, ["a/b"]);
        registry.restart();
    }
}

#[tokio::test]
async fn an_index_and_its_children_are_deleted_one_by_one() {
    for registry in TestRegistry::each() {
        let image = registry.image("a", "child", "child").await;
        let index = index(&[&image]);
        registry.put_manifest("/v2/a/manifests/index", MediaType::OCI_INDEX, index.clone()).await.expect(201);
        registry.delete(&format!("/v2/a/manifests/{}", sha256(&index))).await.expect(202);
        assert_eq!(registry.tags("a").await, ["child"]);
        registry.get("/v2/a/manifests/child").await.expect(200);
    }
}

/// A repository with nothing in it leaves the catalog, and its directory goes, but not that of one within it.
#[tokio::test]
async fn an_empty_repository_goes() {
    let mut registry = TestRegistry::filesystem();
    let image = registry.image("a", "1", "image").await;
    registry.push_image("a/b/c", "1", &image).await;
    let directory = registry.root().join("docker/registry/v2/repositories");
    assert_eq!(registry.catalog().await, ["a", "a/b/c"]);
    empty(&registry, "a", &image).await;
    assert_eq!(registry.catalog().await, ["a/b/c"]);
    registry.get("/v2/a/tags/list").await.refused(404, "NAME_UNKNOWN");
    assert!(!directory.join("a/_manifests").exists() && !directory.join("a/_layers").exists());
    registry.get("/v2/a/b/c/manifests/1").await.expect(200);
    registry.restart();
    assert_eq!(registry.catalog().await, ["a/b/c"]);
    empty(&registry, "a/b/c", &image).await;
    assert!(registry.catalog().await.is_empty());
    assert!(!directory.join("a").exists(), "{:?}", fs::read_dir(&directory).unwrap().collect::<Vec<_>>());
    registry.push_image("a/b", "1", &image).await;
    assert_eq!(registry.catalog().await, ["a/b"]);
}

async fn empty(registry: &TestRegistry, name: &str, image: &Image) {
    registry.delete(&format!("/v2/{name}/manifests/{}", image.digest)).await.expect(202);
    for blob in [&image.layer, &image.config] {
        registry.delete(&format!("/v2/{name}/blobs/{}", sha256(blob))).await.expect(202);
    }
}

#[tokio::test]
async fn a3_deletes_that_are_off_are_off_for_every_kind() {
    let mut registry = TestRegistry::filesystem();
    let image = registry.image("a", "1", "image").await;
    registry.restart_with(|config| config.storage.delete = false);
    let before = registry.tree();
    let layer = sha256(&image.layer);
    for path in
        ["/v2/a/manifests/1".to_owned(), format!("/v2/a/manifests/{}", image.digest), format!("/v2/a/blobs/{layer}")]
    {
        registry.delete(&path).await.refused(405, "UNSUPPORTED");
        registry.get(&path).await.expect(200);
    }
    // What is not there is not told either.
    registry.delete("/v2/a/manifests/none").await.refused(405, "UNSUPPORTED");
    let after = registry.tree();
    assert_eq!(after, before, "{:?}", after.symmetric_difference(&before).collect::<Vec<_>>());
    let session = registry.begin_upload("a").await;
    registry.delete(&session).await.expect(204);
    registry.get(&session).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
}

/// A symbolic link that leads nowhere in the place of a tag, or of a part of it, is no tag: the others are listed, and
/// it can be replaced or taken away.
#[tokio::test]
async fn report_s6_a_tag_that_leads_nowhere_is_absent_and_can_be_mended() {
    for part in ["", "current", "current/link"] {
        let registry = TestRegistry::filesystem();
        let image = registry.image("a", "good", "image").await;
        for tag in ["replaced", "removed"] {
            registry.push_image("a", tag, &image).await;
            let path = registry.root().join("docker/registry/v2/repositories/a/_manifests/tags").join(tag).join(part);
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
            let path = path.components().collect::<std::path::PathBuf>();
            std::os::unix::fs::symlink("/nowhere", path).unwrap();
        }
        let mut registry = registry;
        registry.restart_with(|_| {});
        assert_eq!(registry.tags("a").await, ["good"], "{part}");
        registry.get("/v2/a/manifests/replaced").await.refused(404, "MANIFEST_UNKNOWN");
        registry.push_image("a", "replaced", &image).await;
        registry.get("/v2/a/manifests/replaced").await.expect(200);
        registry.delete("/v2/a/manifests/removed").await.expect(202);
        registry.delete("/v2/a/manifests/removed").await.refused(404, "MANIFEST_UNKNOWN");
        assert_eq!(registry.tags("a").await, ["good", "replaced"], "{part}");
    }
}

//! Blobs that one repository lends another.

use reqwest::Method;

use crate::{
    content::{Image, descriptor, sha256},
    registry::TestRegistry,
    support::raw,
};

#[tokio::test]
async fn a_blob_is_mounted_with_from_and_without() {
    for registry in TestRegistry::each() {
        let digest = registry.push_blob("team/source", b"bytes").await;
        for (to, query) in [("b", "&from=team/source"), ("c", "&from=team%2Fsource"), ("d", "")] {
            let mounted = registry.post(&format!("/v2/{to}/blobs/uploads/?mount={digest}{query}")).await.expect(201);
            assert_eq!(mounted.value("location"), format!("/v2/{to}/blobs/{digest}"));
            assert_eq!(mounted.value("docker-content-digest"), digest);
            assert_eq!(registry.get(mounted.value("location")).await.expect(200).body, "bytes");
        }
        registry.delete(&format!("/v2/team/source/blobs/{digest}")).await.expect(202);
        registry.get(&format!("/v2/b/blobs/{digest}")).await.expect(200);
        // Where it came from no longer has it, but others do.
        registry.post(&format!("/v2/e/blobs/uploads/?mount={digest}&from=team/source")).await.expect(202);
        registry.post(&format!("/v2/e/blobs/uploads/?mount={digest}")).await.expect(201);
    }
}

/// What can't be mounted is uploaded: the answer is that of a session that has begun.
#[tokio::test]
async fn d1_what_is_not_there_becomes_an_upload() {
    for registry in TestRegistry::each() {
        registry.push_blob("a", b"other").await;
        let digest = sha256(b"bytes");
        for query in ["&from=a", "&from=none", "", "&from="] {
            let path = format!("/v2/b/blobs/uploads/?mount={digest}{query}");
            let session = registry.post(&path).await.expect(202).value("location").to_owned();
            registry.get(&format!("/v2/b/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
            registry.with_body(Method::PUT, &format!("{session}?digest={digest}"), "bytes").await.expect(201);
            registry.delete(&format!("/v2/b/blobs/{digest}")).await.expect(202);
        }
    }
}

/// A manifest is no way to content that its repository was not given.
#[tokio::test]
async fn d2_a_manifest_gives_no_right_to_what_it_names() {
    for registry in TestRegistry::each() {
        let image = registry.image("a", "1", "image").await;
        let put =
            |body: bytes::Bytes, media_type: &'static str| registry.put_manifest("/v2/b/manifests/1", media_type, body);
        let refused = put(image.manifest.clone(), wharf::oci::MediaType::OCI_MANIFEST).await;
        refused.refused(400, "MANIFEST_BLOB_UNKNOWN");
        let named = refused.json()["errors"].to_string();
        assert!(named.contains(&sha256(&image.config)) && named.contains(&sha256(&image.layer)), "{named}");
        let index = crate::content::index(&[&image]);
        put(index, wharf::oci::MediaType::OCI_INDEX).await.refused(400, "MANIFEST_BLOB_UNKNOWN");
        for digest in [sha256(&image.layer), sha256(&image.config)] {
            registry.get(&format!("/v2/b/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
        }
        registry.get(&format!("/v2/b/manifests/{}", image.digest)).await.refused(404, "MANIFEST_UNKNOWN");
        registry.get("/v2/b/tags/list").await.refused(404, "NAME_UNKNOWN");
        assert_eq!(registry.catalog().await, ["a"]);
    }
}

/// Only half of what it names is there.
#[tokio::test]
async fn d2_every_blob_must_be_there() {
    let registry = TestRegistry::filesystem();
    let image = Image::changed("image", |manifest| {
        manifest["layers"].as_array_mut().unwrap().push(descriptor(crate::content::LAYER, b"another"));
    });
    registry.push_blobs("a", &image).await;
    let before = registry.tree();
    let refused = registry.put_manifest("/v2/a/manifests/1", &image.media_type(), image.manifest.clone()).await;
    refused.refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(refused.json()["errors"][0]["detail"], sha256(b"another"));
    assert_eq!(registry.tree(), before);
    registry.push_blob("a", b"another").await;
    registry.put_manifest("/v2/a/manifests/1", &image.media_type(), image.manifest.clone()).await.expect(201);
}

/// What is checked is what is done: where a parameter could mean two things, nothing is mounted.
#[tokio::test]
async fn d8_a_mount_means_one_thing() {
    let registry = TestRegistry::filesystem();
    let digest = registry.push_blob("a", b"bytes").await;
    registry.push_blob("b", b"other").await;
    let before = registry.tree();
    for query in [
        format!("mount={digest}&from=b&from=a"),
        format!("mount={digest}&mount={digest}&from=a"),
        format!("mount={digest}&from=A"),
        format!("mount={digest}&from=a%00"),
        format!("mount={digest}&from=a/../b"),
        format!("mount={digest}&from=../a"),
        format!("mount={digest}&from=a/"),
        format!("mount={digest}&from=a;b"),
        "mount=&from=a".to_owned(),
        format!("mount={digest}&digest={digest}&digest={digest}&from=b"),
    ] {
        let answer = raw::send(&registry, "POST", &format!("/v2/c/blobs/uploads/?{query}"), &[], b"");
        assert_eq!(answer.status, 202, "{query}: {answer:?}");
        registry.delete(answer.value("location")).await.expect(204);
        registry.get(&format!("/v2/c/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
    }
    // A form in the body is a body.
    let form = format!("mount={digest}&from=a");
    let fields = ["Content-Type: application/x-www-form-urlencoded"];
    let answer = raw::send(&registry, "POST", "/v2/c/blobs/uploads/", &fields, form.as_bytes());
    assert_eq!(answer.status, 202, "{answer:?}");
    registry.delete(answer.value("location")).await.expect(204);
    registry.get(&format!("/v2/c/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
    let files =
        |tree: &std::collections::BTreeSet<std::path::PathBuf>| tree.iter().filter(|path| path.is_file()).count();
    assert_eq!(files(&registry.tree()), files(&before));
}

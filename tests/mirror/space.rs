//! What is kept: eviction, and what the store's own work makes of repositories that an upstream fills.

use std::process::Command;

use crate::{
    hub::Hub,
    mirror::{launch, start},
    support::{
        image::{Image, Index},
        store::{files, repository},
        wait::eventually,
    },
};

#[test]
fn what_nobody_uses_is_evicted_and_what_is_used_stays() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (used, unused) = (Image::new(1, "amd64"), Image::new(2, "amd64"));
    hub.put("used", "t", &used);
    hub.put("unused", "t", &unused);
    let server = launch(&hub, root.path()).set("REGISTRY_PROXY_TTL", "8s").start();
    server.http().repository("unused").expect_image("t", &unused);
    let kept = server.http().repository("used");
    let revisions = repository(root.path(), "unused").join("_manifests/revisions");
    eventually("it is evicted", || {
        kept.expect_manifest("t", used.manifest());
        files(&revisions).is_empty()
    });
    assert!(
        files(&repository(root.path(), "unused").join("_manifests/tags")).is_empty(),
        "a tag goes with its manifest"
    );
    assert_eq!(
        hub.seen().iter().filter(|seen| seen.method == "GET" && seen.path.contains("used/manifests")).count(),
        2
    );
    server.http().repository("unused").expect_image("t", &unused);
}

#[test]
fn missing_parts_are_no_damage_and_the_collection_keeps_what_has_no_tag() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let index = Index::two_platforms(3);
    hub.put_index("a/b", "t", &index);
    let server = start(&hub, root.path());
    let filled = server.http().repository("a/b");
    filled.expect_manifest("t", index.manifest());
    // One platform of two, by its digest: the index may go later, and the image stays.
    let image = &index.images()[0];
    filled.expect_manifest(image.manifest().digest(), image.manifest());
    filled.delete("manifests/t").expect(202);
    server.stop();
    let wharf = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .args(arguments)
            .env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root.path())
            .env("REGISTRY_STORAGE_GC_GRACE", "0s")
            .env("REGISTRY_PROXY_REMOTEURL", hub.url())
            .output()
            .unwrap();
        (
            output.status.code(),
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        )
    };
    let (status, text) = wharf(&["fsck"]);
    assert_eq!(status, Some(0), "{text}");
    let (status, text) = wharf(&["gc", "--untagged"]);
    assert_eq!(status, Some(0), "{text}");
    hub.set(|hub| hub.is_silent = true);
    let server = start(&hub, root.path());
    server.http().repository("a/b").expect_manifest(image.manifest().digest(), image.manifest());
    server.http().repository("a/b").expect_manifest(index.manifest().digest(), index.manifest());
}

//! What is kept: eviction, and what the store's own work makes of repositories that an upstream fills.

use std::process::Command;

use crate::{
    hub::{Auth, Hub},
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
    let server = launch(&hub, root.path()).set("REGISTRY_PROXY_TTL", "20s").start();
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
        hub.seen().iter().filter(|seen| seen.method == "GET" && seen.path.contains("/used/manifests")).count(),
        1
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
    let command = |arguments: &[&str]| {
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
    let (status, text) = command(&["fsck"]);
    assert_eq!(status, Some(0), "{text}");
    let (status, text) = command(&["gc", "--untagged"]);
    assert_eq!(status, Some(0), "{text}");
    hub.set(|hub| hub.is_silent = true);
    let server = start(&hub, root.path());
    server.http().repository("a/b").expect_manifest(image.manifest().digest(), image.manifest());
    server.http().repository("a/b").expect_manifest(index.manifest().digest(), index.manifest());
}

/// Runs a command with these settings; its exit code, and what it prints.
fn wharf(root: &std::path::Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = crate::support::command::wharf_with(root, arguments, variables);
    (
        output.status.code(),
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    )
}

#[test]
fn images_are_fetched_before_somebody_pulls_them() {
    let index = Index::two_platforms(3);
    for is_served in [true, false] {
        let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
        hub.put_index("a/b", "t", &index);
        let mut server = is_served.then(|| start(&hub, root.path()));
        let (url, variables) = (hub.url(), "REGISTRY_PROXY_REMOTEURL");
        let (status, text) = wharf(root.path(), &["fetch", "a/b:t", "a/b:none"], &[(variables, &url)]);
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains("a/b:t: 3 manifests and 6 blobs") && text.contains("a/b:none: there is no"), "{text}");
        hub.set(|hub| hub.is_silent = true);
        let server = server.take().unwrap_or_else(|| start(&hub, root.path()));
        for image in index.images() {
            for blob in image.blobs() {
                server.http().repository("a/b").get(&format!("blobs/{}", blob.digest())).expect(200);
            }
        }
    }
}

#[test]
fn upstreams_are_checked() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let url = hub.url();
    let check = |more: &[(&str, &str)]| {
        wharf(root.path(), &["upstream", "check"], &[&[("REGISTRY_PROXY_REMOTEURL", url.as_str())], more].concat())
    };
    let me = [("REGISTRY_PROXY_USERNAME", "me"), ("REGISTRY_PROXY_PASSWORD", "secret")];
    let other = [("REGISTRY_PROXY_USERNAME", "me"), ("REGISTRY_PROXY_PASSWORD", "wrong")];
    assert_eq!(check(&[]), (Some(0), format!("{}: answers\n", hub.host())));
    hub.set(|hub| hub.auth = Auth::Bearer);
    assert_eq!(check(&me), (Some(0), format!("{}: answers, and takes the credentials\n", hub.host())));
    let (status, text) = check(&other);
    assert!(status == Some(1) && text.contains("refuses the credentials") && !text.contains("wrong"), "{text}");
    hub.set(|hub| hub.status = Some((500, String::new())));
    let (status, text) = check(&[]);
    assert!(status == Some(1) && text.contains("500"), "{text}");
    let (status, text) = wharf(root.path(), &["upstream", "check"], &[]);
    assert!(status == Some(1) && text.contains("name no upstream"), "{text}");
}

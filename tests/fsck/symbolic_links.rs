//! Content that lies elsewhere, behind a symbolic link.

use std::{fs, os::unix::fs::symlink};

use crate::{
    support::{
        image::{Blob, Image},
        server::Server,
        store,
    },
    wharf::{expect_clean, findings, fsck, link},
};

#[test]
fn report_s6_content_behind_a_link_is_served_and_never_repaired_away() {
    let (root, tier) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    let server = Server::start(root.path());
    server.http().repository("team/app").push("latest", &image);
    server.stop();
    let digests: Vec<_> =
        image.blobs().map(Blob::digest).chain([image.manifest().digest()]).map(str::to_owned).collect();
    let moved = |n: usize| tier.path().join(n.to_string());
    for (n, digest) in digests.iter().enumerate() {
        let data = store::blob(root.path(), digest);
        fs::copy(&data, moved(n)).unwrap();
        fs::remove_file(&data).unwrap();
        symlink(moved(n), &data).unwrap();
    }
    expect_clean(root.path());
    let server = Server::start(root.path());
    server.http().repository("team/app").expect_image("latest", &image);
    server.stop();
    // The tier is away for a while.
    for (n, digest) in digests.iter().enumerate() {
        fs::rename(moved(n), tier.path().join("away")).unwrap();
        let (code, said) = fsck(root.path(), &["--repair"]);
        assert_eq!(code, 1, "{said}");
        assert!(findings(&said).iter().all(|finding| finding.starts_with("problem: ")), "{said}");
        let part = if digest == image.manifest().digest() { "_manifests/revisions" } else { "_layers" };
        assert!(link(root.path(), "team/app", part, digest).is_file(), "{digest}");
        fs::rename(tier.path().join("away"), moved(n)).unwrap();
        expect_clean(root.path());
    }
}

/// To a client, content that can't be reached is absent; pushing it again puts a file in the link's place.
#[test]
fn report_s6_a_push_heals_what_a_link_does_not_reach() {
    let root = tempfile::tempdir().unwrap();
    let image = Image::new(1, "amd64");
    let server = Server::start(root.path());
    server.http().repository("team/app").push("latest", &image);
    server.stop();
    let digests: Vec<_> =
        image.blobs().map(Blob::digest).chain([image.manifest().digest()]).map(str::to_owned).collect();
    for digest in &digests {
        let data = store::blob(root.path(), digest);
        fs::remove_file(&data).unwrap();
        symlink(root.path().join("nowhere"), &data).unwrap();
    }
    let server = Server::start(root.path());
    let repository = server.http().repository("team/app");
    for digest in &digests[..digests.len() - 1] {
        repository.get(&format!("blobs/{digest}")).expect(404);
    }
    repository.get("manifests/latest").expect(404);
    repository.push("latest", &image);
    repository.expect_image("latest", &image);
    server.stop();
    assert!(digests.iter().all(|digest| !store::blob(root.path(), digest).is_symlink()));
    expect_clean(root.path());
}

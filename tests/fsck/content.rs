//! Content against its digest.

use std::{fs, path::Path};

use crate::{
    support::{
        image::{Blob, Image},
        server::Server,
        store,
    },
    wharf::{expect_clean, findings, fsck, wharf},
};

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

fn empty(path: &Path) {
    fs::write(path, "").unwrap();
}

#[test]
fn a_good_store_is_said_to_be_good() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (Server::start(root.path()), Image::new(1, "amd64"));
    server.http().repository("team/app").push("latest", &image);
    let (code, said) = fsck(root.path(), &[]);
    let figures =
        ["contents", "repositories", "manifests", "tags", "problems"].map(|figure| said[figure].as_u64().unwrap());
    assert_eq!((code, figures), (0, [4, 1, 1, 1, 0]));
    let text = String::from_utf8(wharf(root.path(), &["fsck", "--rate", "100MiB"]).stdout).unwrap();
    assert!(
        text.starts_with("read 4 blobs and manifests (") && text.contains(": 0 problems, 0 mended, 0 notes"),
        "{text}"
    );
    server.stop();
    expect_clean(root.path());
}

#[test]
fn damaged_blobs_are_set_aside_and_healed_by_a_push() {
    for damage in [flip as fn(&Path), truncate] {
        let root = tempfile::tempdir().unwrap();
        let (server, image) = (Server::start(root.path()), Image::new(1, "amd64"));
        let repository = server.http().repository("team/app");
        repository.push("latest", &image);
        let digest = image.blobs().next().unwrap().digest();
        damage(&store::blob(root.path(), digest));
        let (code, said) = fsck(root.path(), &[]);
        assert_eq!(code, 1);
        let found = findings(&said);
        assert_eq!(found[0], format!("problem: {digest} is not what its digest says"));
        assert!(found.iter().any(|it| it.contains("team/app@") && it.contains("refers to what")), "{found:?}");
        repository.get(&format!("blobs/{digest}")).expect(404);
        // What a client does that is told so.
        repository.head(&format!("blobs/{digest}")).expect(404);
        repository.push("latest", &image);
        repository.expect_image("latest", &image);
        let (code, said) = fsck(root.path(), &["--repair"]);
        let note = "was damaged and has been pushed again; what was set aside is kept";
        assert_eq!((code, findings(&said)), (0, vec![format!("mended: {digest} {note}")]));
        expect_clean(root.path());
    }
}

#[test]
fn a_damaged_manifest_is_set_aside_and_healed_by_a_push() {
    for damage in [flip as fn(&Path), truncate, empty] {
        let root = tempfile::tempdir().unwrap();
        let (server, image) = (Server::start(root.path()), Image::new(1, "amd64"));
        let repository = server.http().repository("team/app");
        repository.push("latest", &image);
        let digest = image.manifest().digest();
        damage(&store::blob(root.path(), digest));
        let (code, said) = fsck(root.path(), &[]);
        assert_eq!(code, 1);
        assert!(
            findings(&said).contains(&format!("problem: team/app@{digest} is a manifest whose bytes are lost")),
            "{said}"
        );
        repository.manifest("latest").expect(404);
        repository.push("latest", &image);
        repository.expect_image("latest", &image);
        assert_eq!(fsck(root.path(), &[]).0, 0);
    }
}

#[test]
fn a_lost_manifest_is_removed_by_a_repair_so_that_garbage_can_be_collected() {
    let root = tempfile::tempdir().unwrap();
    let (server, [lost, kept]) = (Server::start(root.path()), [1, 2].map(|seed| Image::new(seed, "amd64")));
    let repository = server.http().repository("team/app");
    repository.push("lost", &lost);
    repository.push("kept", &kept);
    server.stop();
    fs::remove_file(store::blob(root.path(), lost.manifest().digest())).unwrap();
    assert_eq!(wharf(root.path(), &["gc"]).status.code(), Some(1));
    let (code, said) = fsck(root.path(), &["--repair"]);
    assert_eq!(code, 0, "{said}");
    assert!(wharf(root.path(), &["gc"]).status.success());
    let server = Server::start(root.path());
    let repository = server.http().repository("team/app");
    assert_eq!(repository.tags(), ["kept"]);
    repository.expect_image("kept", &kept);
    expect_clean(root.path());
}

#[test]
fn what_is_no_blob_is_noted_and_left() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    server.http().repository("team/app").push_blob(&Blob::noise(1, 100));
    let stray = store::tree(root.path()).join("blobs/sha256/ab/stray");
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, "x").unwrap();
    let (code, said) = fsck(root.path(), &["--repair"]);
    let place = "docker/registry/v2/blobs/sha256/ab/stray";
    assert_eq!((code, findings(&said)), (0, vec![format!("note: {place} is no blob, and nobody's")]));
    assert!(stray.exists());
}

#[test]
fn a_store_that_is_not_there_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let output = wharf(&folder.path().join("nowhere"), &["fsck"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no store at"));
}

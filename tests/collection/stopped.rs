//! What stops a collection.

use std::fs;

use crate::{
    support::{
        image::{Blob, Image},
        store,
    },
    wharf::{collect, figures, hasty, refusal},
};

#[test]
fn a_manifest_that_cannot_be_read_stops_it_and_is_named() {
    let root = tempfile::tempdir().unwrap();
    let (server, image, loose) = (hasty(root.path()), Image::new(1, "amd64"), Blob::noise(7, 1000));
    let repository = server.http().repository("team/app");
    repository.push("latest", &image);
    repository.push_blob(&loose);
    let path = store::blob(root.path(), image.manifest().digest());
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[5] ^= 1;
    for bad in [Some(&flipped[..]), Some(&good[..good.len() / 2]), Some(b""), None] {
        match bad {
            Some(bad) => fs::write(&path, bad).unwrap(),
            None => drop(fs::remove_file(&path)),
        }
        for options in [&[][..], &["--untagged"]] {
            let refusal = refusal(root.path(), options);
            assert!(refusal.contains(&format!("team/app@{}", image.manifest().digest())), "{refusal}");
        }
        assert!(store::blob(root.path(), loose.digest()).exists());
        image.blobs().for_each(|blob| assert!(store::blob(root.path(), blob.digest()).exists()));
    }
    // Pushed again, all is well.
    repository.push_manifest("latest", image.manifest());
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 0]);
    repository.expect_image("latest", &image);
}

#[test]
fn another_registry_that_writes_stops_it() {
    let root = tempfile::tempdir().unwrap();
    let (server, loose) = (hasty(root.path()), Blob::noise(7, 1000));
    server.http().repository("team/app").push_blob(&loose);
    let session = store::repository(root.path(), "other/_uploads/0a71e3a4-1111-4222-8333-444444444444");
    fs::create_dir_all(&session).unwrap();
    fs::write(session.join("startedat"), "2026-01-01T00:00:00Z").unwrap();
    let refusal = refusal(root.path(), &[]);
    assert!(refusal.contains("another registry writes to other"), "{refusal}");
    assert!(store::blob(root.path(), loose.digest()).exists());
    fs::remove_dir_all(store::repository(root.path(), "other")).unwrap();
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
}

#[test]
fn a_tag_that_cannot_be_read_keeps_the_untagged() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    let repository = server.http().repository("team/app");
    repository.push("latest", &image);
    let link = store::repository(root.path(), "team/app/_manifests/tags/latest/current/link");
    fs::write(&link, "").unwrap();
    let refusal = refusal(root.path(), &["--untagged"]);
    assert!(refusal.contains("team/app:latest"), "{refusal}");
    repository.expect_image(image.manifest().digest(), &image);
}

#[test]
fn a_repository_under_no_name_stops_it() {
    let root = tempfile::tempdir().unwrap();
    let (server, loose) = (hasty(root.path()), Blob::noise(7, 1000));
    server.http().repository("team/app").push_blob(&loose);
    fs::create_dir_all(store::repository(root.path(), "UPPER/_manifests/revisions")).unwrap();
    let refusal = refusal(root.path(), &[]);
    assert!(refusal.contains("UPPER"), "{refusal}");
    assert!(store::blob(root.path(), loose.digest()).exists());
}

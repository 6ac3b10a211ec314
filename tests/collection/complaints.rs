//! What users of other registries complain of most.

use crate::{
    support::{
        image::{Blob, Image, Index},
        server::Server,
        store,
    },
    wharf::{collect, figures, hasty},
};

fn bytes_of(image: &Image) -> u64 {
    image.blobs().map(|blob| blob.bytes().len() as u64).sum::<u64>() + image.manifest().bytes().len() as u64
}

fn push_and_delete(server: &Server, image: &Image) {
    let repository = server.http().repository("team/app");
    repository.push("gone", image);
    repository.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
}

#[test]
fn the_disk_is_freed_while_serving() {
    let root = tempfile::tempdir().unwrap();
    let (server, gone, kept) = (hasty(root.path()), Image::new(1, "amd64"), Image::new(2, "amd64"));
    server.http().repository("team/app").push("kept", &kept);
    push_and_delete(&server, &gone);
    let report = collect(root.path(), &[]);
    assert_eq!(figures(&report), [4, 3, 0, 0]);
    assert_eq!(report["bytes"], bytes_of(&gone));
    for digest in gone.blobs().map(Blob::digest).chain([gone.manifest().digest()]) {
        assert!(!store::blob(root.path(), digest).parent().unwrap().exists(), "{digest} is still on the disk");
    }
    server.http().repository("team/app").expect_image("kept", &kept);
    assert_eq!(figures(&collect(root.path(), &[])), [0; 4]);
}

#[test]
fn no_layer_exists_already_that_was_collected() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    let repository = server.http().repository("team/app");
    for _ in 0..3 {
        push_and_delete(&server, &image);
        collect(root.path(), &[]);
        for blob in image.blobs() {
            repository.head(&format!("blobs/{}", blob.digest())).expect(404);
        }
        // What a client does that is told so.
        repository.push("again", &image);
        repository.expect_image("again", &image);
    }
    drop(server);
    hasty(root.path()).http().repository("team/app").expect_image("again", &image);
}

#[test]
fn children_of_a_multi_platform_image_stay_when_untagged_manifests_go() {
    let root = tempfile::tempdir().unwrap();
    let (server, index, lone) = (hasty(root.path()), Index::two_platforms(1), Image::new(9, "amd64"));
    let repository = server.http().repository("team/app");
    repository.push_index("latest", &index);
    repository.push(lone.manifest().digest(), &lone);
    let report = collect(root.path(), &["--untagged"]);
    assert_eq!(figures(&report), [4, 3, 1, 0]);
    repository.expect_index("latest", &index);
    repository.manifest(lone.manifest().digest()).expect(404);
}

#[test]
fn a_tag_goes_without_its_siblings() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    let repository = server.http().repository("team/app");
    repository.push("one", &image);
    repository.push("two", &image);
    repository.delete("manifests/one").expect(202);
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    repository.manifest("one").expect(404);
    repository.expect_image("two", &image);
}

#[test]
fn empty_repositories_go() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    for name in ["team/app", "team/app/nested", "team/other"] {
        server.http().repository(name).push("latest", &image);
    }
    for name in ["team/app", "team/other"] {
        server.http().repository(name).delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
    }
    let report = collect(root.path(), &[]);
    assert_eq!(figures(&report), [0, 6, 0, 2]);
    assert!(!store::repository(root.path(), "team/other").exists());
    assert!(!store::repository(root.path(), "team/app/_layers").exists());
    assert_eq!(server.http().catalog(), ["team/app/nested"]);
    server.http().repository("team/app/nested").expect_image("latest", &image);
    server.http().repository("team/app").get("tags/list").expect(404);
}

//! The way back to a registry without referrers.

use serde_json::json;

use crate::{
    support::{
        image::{Blob, IMAGE_INDEX, IMAGE_MANIFEST, Image, Manifest},
        server::Server,
    },
    wharf::{expect_clean, fsck},
};

fn referrer(config: &Blob, subject: &Manifest, kind: &str) -> Manifest {
    let body = json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": kind, "config": config.descriptor(),
        "layers": [], "subject": subject.descriptor(), "annotations": {"kind": kind},
    });
    Manifest::new(&body, IMAGE_MANIFEST)
}

#[test]
fn referrers_are_listed_under_a_tag_as_well() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (Server::start(root.path()), Image::new(1, "amd64"));
    let repository = server.http().repository("team/app");
    repository.push("latest", &image);
    let config = image.blobs().last().unwrap();
    let [one, two] =
        ["application/vnd.test.one", "application/vnd.test.two"].map(|kind| referrer(config, image.manifest(), kind));
    let tag = image.manifest().digest().replace(':', "-");
    let listed = || {
        let index = repository.manifest(&tag).expect(200).json();
        assert_eq!(index["mediaType"], IMAGE_INDEX);
        let manifests = index["manifests"].as_array().unwrap().clone();
        let mut digests: Vec<_> = manifests.iter().map(|it| it["digest"].as_str().unwrap().to_owned()).collect();
        digests.sort_unstable();
        (digests, manifests)
    };
    let sorted = |mut digests: Vec<String>| {
        digests.sort_unstable();
        digests
    };
    repository.push_manifest(one.digest(), &one);
    let (code, said) = fsck(root.path(), &["--write-referrers-tags"]);
    assert_eq!((code, said["referrers_tags"].as_u64()), (0, Some(1)));
    let (digests, manifests) = listed();
    assert_eq!(digests, [one.digest()]);
    assert_eq!(manifests[0]["artifactType"], "application/vnd.test.one");
    assert_eq!(manifests[0]["annotations"]["kind"], "application/vnd.test.one");
    // Again, nothing; and once more with another one.
    assert_eq!(fsck(root.path(), &["--write-referrers-tags"]).1["referrers_tags"], 0);
    repository.push_manifest(two.digest(), &two);
    assert_eq!(fsck(root.path(), &["--write-referrers-tags"]).1["referrers_tags"], 1);
    assert_eq!(listed().0, sorted(vec![one.digest().to_owned(), two.digest().to_owned()]));
    repository.delete(&format!("manifests/{}", one.digest())).expect(202);
    assert_eq!(fsck(root.path(), &["--write-referrers-tags"]).1["referrers_tags"], 1);
    assert_eq!(listed().0, [two.digest()]);
    server.stop();
    expect_clean(root.path());
}

#[test]
fn what_clients_listed_under_the_tag_is_kept_as_they_wrote_it() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (Server::start(root.path()), Image::new(1, "amd64"));
    let repository = server.http().repository("team/app");
    repository.push("latest", &image);
    let config = image.blobs().last().unwrap();
    let tag = image.manifest().digest().replace(':', "-");
    // One that an older client attached: without a subject, under an index that does not name its type, with fields
    // that wharf has no use for.
    let older = json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(), "layers": []});
    let older = Manifest::new(&older, IMAGE_MANIFEST);
    let mut descriptor = older.descriptor();
    descriptor["platform"] = json!({"os": "linux", "architecture": "arm64"});
    repository.push_manifest(older.digest(), &older);
    let index = Manifest::new(&json!({"schemaVersion": 2, "manifests": [descriptor]}), IMAGE_INDEX);
    repository.push_manifest(&tag, &index);
    let one = referrer(config, image.manifest(), "application/vnd.test.one");
    repository.push_manifest(one.digest(), &one);
    assert_eq!(fsck(root.path(), &["--write-referrers-tags"]).1["referrers_tags"], 1);
    let manifests = repository.manifest(&tag).expect(200).json()["manifests"].as_array().unwrap().clone();
    assert_eq!(manifests.len(), 2);
    assert!(manifests.contains(&descriptor), "{manifests:?}");
    assert_eq!(fsck(root.path(), &["--write-referrers-tags"]).1["referrers_tags"], 0);
}

#[test]
fn a_tag_that_is_somebodys_image_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let (server, [image, other]) = (Server::start(root.path()), [1, 2].map(|seed| Image::new(seed, "amd64")));
    let repository = server.http().repository("team/app");
    repository.push("latest", &image);
    let tag = image.manifest().digest().replace(':', "-");
    repository.push(&tag, &other);
    let one = referrer(image.blobs().last().unwrap(), image.manifest(), "application/vnd.test.one");
    repository.push_manifest(one.digest(), &one);
    let (code, said) = fsck(root.path(), &["--write-referrers-tags"]);
    assert_eq!((code, said["referrers_tags"].as_u64(), said["problems"].as_u64()), (1, Some(0), Some(1)));
    repository.expect_image(&tag, &other);
}

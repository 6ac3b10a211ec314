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

//! Manifests without a tag, which go only if that is asked for.

use serde_json::json;

use crate::{
    support::image::{Blob, IMAGE_INDEX, IMAGE_MANIFEST, Image, Manifest},
    wharf::{collect, figures, hasty},
};

/// An image without layers that refers to `subject`.
fn referrer(config: &Blob, subject: &Manifest) -> Manifest {
    let body = json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": "application/vnd.test.signature",
        "config": config.descriptor(), "layers": [], "subject": subject.descriptor(),
    });
    Manifest::new(&body, IMAGE_MANIFEST)
}

fn index(children: &[&Manifest]) -> Manifest {
    let children: Vec<_> = children.iter().map(|child| child.descriptor()).collect();
    Manifest::new(&json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": children}), IMAGE_INDEX)
}

#[test]
fn without_being_asked_they_stay() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    server.http().repository("team/app").push(image.manifest().digest(), &image);
    assert_eq!(figures(&collect(root.path(), &[])), [0; 4]);
    server.http().repository("team/app").expect_image(image.manifest().digest(), &image);
}

#[test]
fn referrers_stay_with_their_subject_and_go_with_it() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    let repository = server.http().repository("team/app");
    repository.push("latest", &image);
    let config = image.blobs().last().unwrap();
    let signature = referrer(config, image.manifest());
    let countersignature = referrer(config, &signature);
    for manifest in [&signature, &countersignature] {
        repository.push_manifest(manifest.digest(), manifest);
    }
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    repository.expect_manifest(countersignature.digest(), &countersignature);
    repository.delete("manifests/latest").expect(202);
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [6, 3, 3, 1]);
    assert!(server.http().catalog().is_empty());
}

#[test]
fn what_a_tag_left_goes_and_what_it_shares_stays() {
    let root = tempfile::tempdir().unwrap();
    let (server, [old, new]) = (hasty(root.path()), [1, 2].map(|seed| Image::new(seed, "amd64")));
    let repository = server.http().repository("team/app");
    repository.push("latest", &old);
    repository.push("latest", &new);
    let shared = Image::new(1, "amd64");
    assert_eq!(shared.manifest().digest(), old.manifest().digest());
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [4, 3, 1, 0]);
    repository.expect_image("latest", &new);
    repository.manifest(old.manifest().digest()).expect(404);
}

#[test]
fn indexes_in_indexes_live_and_die_together() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    let repository = server.http().repository("team/app");
    repository.push(image.manifest().digest(), &image);
    let mut levels = vec![image.manifest().clone()];
    for _ in 0..30 {
        let child = levels.last().unwrap();
        let above = index(&[child, image.manifest()]);
        repository.push_manifest(above.digest(), &above);
        levels.push(above);
    }
    let top = levels.last().unwrap();
    repository.push_manifest("top", top);
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    for level in &levels {
        repository.expect_manifest(level.digest(), level);
    }
    repository.delete("manifests/top").expect(202);
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [34, 3, 31, 1]);
}

#[test]
fn a_dry_run_says_what_would_go_and_takes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    let repository = server.http().repository("team/app");
    repository.push("latest", &image);
    repository.delete("manifests/latest").expect(202);
    let would = collect(root.path(), &["--untagged", "--dry-run"]);
    repository.expect_image(image.manifest().digest(), &image);
    let did = collect(root.path(), &["--untagged"]);
    assert_eq!(figures(&would)[..3], figures(&did)[..3]);
    assert_eq!(would["bytes"], did["bytes"]);
    let removals = would["removals"].as_array().unwrap();
    let named = |kind: &str| removals.iter().filter(|removal| removal["kind"] == kind).count();
    assert_eq!([named("content"), named("link"), named("manifest")], [4, 3, 1]);
}

//! Links and the parts of a repository.

use std::fs;

use serde_json::json;

use crate::{
    support::{
        image::{Blob, Image, Manifest},
        server::Server,
        store,
    },
    wharf::{expect_mended, findings, fsck, link},
};

struct Stored {
    root: tempfile::TempDir,
    server: Server,
    image: Image,
}

impl Stored {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (server, image) = (Server::start(root.path()), Image::new(1, "amd64"));
        server.http().repository("team/app").push("latest", &image);
        Self { root, server, image }
    }

    #[track_caller]
    fn expect_pull(&self) {
        self.server.http().repository("team/app").expect_image("latest", &self.image);
    }
}

#[test]
fn an_empty_link_to_a_manifest_is_written_again() {
    let stored = Stored::new();
    let digest = stored.image.manifest().digest();
    fs::write(link(stored.root.path(), "team/app", "_manifests/revisions", digest), "").unwrap();
    // The tag leads nowhere for as long, and that is no reason to remove it.
    let (code, said) = fsck(stored.root.path(), &["--repair"]);
    let mended = format!("mended: team/app@{digest} has a link that does not name it");
    assert_eq!((code, findings(&said)), (0, vec![mended]));
    stored.expect_pull();
}

#[test]
fn a_link_to_a_blob_that_names_none_is_removed() {
    let stored = Stored::new();
    let loose = Blob::noise(9, 100);
    stored.server.http().repository("team/app").push_blob(&loose);
    fs::write(link(stored.root.path(), "team/app", "_layers", loose.digest()), "sha256:").unwrap();
    expect_mended(stored.root.path(), &format!("team/app@{} has a link to a blob that names none", loose.digest()));
    stored.expect_pull();
}

#[test]
fn a_link_to_a_blob_that_is_not_there_is_removed() {
    let stored = Stored::new();
    let loose = Blob::noise(9, 100);
    stored.server.http().repository("team/app").push_blob(&loose);
    fs::remove_file(store::blob(stored.root.path(), loose.digest())).unwrap();
    let finding = format!("team/app@{0} has a link to the blob {0}, which is not in the store", loose.digest());
    expect_mended(stored.root.path(), &finding);
    stored.expect_pull();
}

#[test]
fn a_tag_that_names_nothing_or_leads_nowhere_is_removed() {
    let digest = format!("sha256:{}", "a".repeat(64));
    for (content, what) in [
        ("", "names no manifest".to_owned()),
        (&digest, format!("leads to {digest}, which the repository does not have")),
    ] {
        let stored = Stored::new();
        let repository = stored.server.http().repository("team/app");
        repository.push_manifest("wrong", stored.image.manifest());
        let tags = store::repository(stored.root.path(), "team/app/_manifests/tags");
        fs::write(tags.join("wrong/current/link"), content).unwrap();
        expect_mended(stored.root.path(), &format!("team/app:wrong {what}"));
        assert!(!tags.join("wrong").exists());
        assert_eq!(repository.tags(), ["latest"]);
        stored.expect_pull();
    }
}

#[test]
fn parts_of_a_repository_that_are_missing_are_made() {
    let stored = Stored::new();
    let loose = Blob::noise(9, 100);
    stored.server.http().repository("other").push_blob(&loose);
    // As another registry leaves it: nothing is recorded of it here.
    fs::remove_dir_all(stored.root.path().join("wharf/recorded/other")).unwrap();
    let manifests = store::repository(stored.root.path(), "other/_manifests");
    fs::remove_dir_all(manifests.join("tags")).unwrap();
    let what = "lacks _layers, _manifests/revisions or _manifests/tags: registry:2 and registry:3 stop collecting at it, or delete it";
    expect_mended(stored.root.path(), &format!("other {what}"));
    assert!(manifests.join("tags").is_dir() && manifests.join("revisions").is_dir());
}

/// registry:2 makes `_manifests` with the first manifest: what it left without one is one note, however many there are.
#[test]
fn report_fsck_says_once_that_registry2_left_repositories_without_manifests() {
    let stored = Stored::new();
    for n in 0..5 {
        fs::create_dir_all(store::repository(stored.root.path(), &format!("left/r{n}/_layers/sha256"))).unwrap();
        fs::create_dir_all(store::repository(stored.root.path(), &format!("left/r{n}/_uploads"))).unwrap();
    }
    let (code, said) = fsck(stored.root.path(), &[]);
    assert_eq!((code, findings(&said).len()), (0, 1), "{said}");
    assert!(findings(&said)[0].starts_with("note: left/r") && findings(&said)[0].contains("and 4 others"), "{said}");
    stored.expect_pull();
}

/// What a repair can't see it leaves alone.
#[test]
fn report_s1_a_part_that_is_missing_is_named_and_nothing_is_removed() {
    let stored = Stored::new();
    let tags = store::repository(stored.root.path(), "team/app/_manifests/tags");
    for part in ["repositories/team/app/_manifests/revisions", "repositories/team", "repositories", "blobs"] {
        let (there, away) = (store::tree(stored.root.path()).join(part), stored.root.path().join("away"));
        fs::rename(&there, &away).unwrap();
        for options in [&[][..], &["--repair"]] {
            let (code, said) = fsck(stored.root.path(), options);
            assert_eq!(code, 1, "{part}: {said}");
            assert!(findings(&said).iter().any(|it| it.starts_with("problem: ")), "{part}: {said}");
        }
        fs::rename(&away, &there).unwrap();
        assert!(tags.join("latest/current/link").exists(), "{part}");
        stored.expect_pull();
    }
    // The link of a manifest alone: its tag stays, since its content is there.
    let revision = link(stored.root.path(), "team/app", "_manifests/revisions", stored.image.manifest().digest());
    fs::remove_file(&revision).unwrap();
    let (code, said) = fsck(stored.root.path(), &["--repair"]);
    assert_eq!(code, 1, "{said}");
    assert!(findings(&said)[0].contains("team/app:latest leads to"), "{said}");
    fs::write(&revision, stored.image.manifest().digest()).unwrap();
    stored.expect_pull();
}

#[test]
fn what_a_manifest_lacks_is_named_and_never_made_visible() {
    let stored = Stored::new();
    let blob = stored.image.blobs().next().unwrap();
    stored.server.http().repository("other").push_blob(blob);
    let lost = link(stored.root.path(), "team/app", "_layers", blob.digest());
    fs::remove_file(&lost).unwrap();
    let (code, said) = fsck(stored.root.path(), &["--repair"]);
    let what = format!("refers to what the repository does not have: {}", blob.digest());
    assert_eq!(
        (code, findings(&said)),
        (1, vec![format!("problem: team/app@{} {what}", stored.image.manifest().digest())])
    );
    assert!(!lost.exists());
    stored.server.http().repository("team/app").get(&format!("blobs/{}", blob.digest())).expect(404);
}

#[test]
fn what_stops_the_collectors_of_other_registries_is_noted() {
    const OTHER: &str = "application/vnd.test.thing.v1+json";
    let stored = Stored::new();
    let thing = Manifest::new(&json!({"schemaVersion": 2, "mediaType": OTHER}), OTHER);
    stored.server.http().repository("team/app").push_manifest("thing", &thing);
    let uploads = store::repository(stored.root.path(), "team/app/_uploads/0a71e3a4-1111-4222-8333-444444444444");
    fs::create_dir_all(uploads).unwrap();
    fs::create_dir_all(store::repository(stored.root.path(), "team/app/_manifests/tags/half")).unwrap();
    let (code, said) = fsck(stored.root.path(), &[]);
    let found = findings(&said);
    assert_eq!((code, found.len()), (0, 3), "{found:?}");
    assert!(found.iter().all(|finding| finding.starts_with("note: team/app")), "{found:?}");
    assert!(found.iter().any(|finding| finding.contains(OTHER)), "{found:?}");
}

#[test]
fn a_repository_under_no_name_is_a_problem() {
    let stored = Stored::new();
    fs::create_dir_all(store::repository(stored.root.path(), "UPPER/_layers")).unwrap();
    let (code, said) = fsck(stored.root.path(), &["--repair"]);
    assert_eq!(code, 1);
    assert!(findings(&said)[0].contains("UPPER"), "{said}");
}

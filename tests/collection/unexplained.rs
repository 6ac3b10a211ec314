//! Content that no repository explains: it stays until the operator speaks.

use std::{fs, path::Path, process::Output};

use crate::{
    support::{image::Image, server::Server, store},
    wharf::{hasty, wharf},
};

fn fill(root: &Path) -> (Image, Image) {
    let (one, two) = (Image::new(1, "amd64"), Image::new(2, "amd64"));
    let server = hasty(root);
    server.http().repository("team/app").push("latest", &one);
    server.http().repository("other").push("latest", &two);
    server.stop();
    (one, two)
}

fn gc(root: &Path, options: &[&str], code: i32) -> String {
    let Output { status, stdout, stderr } = wharf(root, &[&["gc"], options].concat());
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert_eq!(status.code(), Some(code), "{options:?}: {said}");
    said
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Nobody,
    Collection,
    Records,
}

#[test]
fn report_s1_a_push_does_not_explain_content_that_was_there_before() {
    for seen in [Seen::Nobody, Seen::Collection, Seen::Records] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        fs::create_dir(&root).unwrap();
        let (one, _) = fill(&root);
        let repositories = store::tree(&root).join("repositories");
        if seen == Seen::Records {
            fs::remove_dir_all(root.join("wharf/recorded")).unwrap();
            fs::create_dir(root.join("wharf/recorded")).unwrap();
        } else {
            fs::remove_dir_all(root.join("wharf")).unwrap();
        }
        fs::rename(&repositories, folder.path().join("x")).unwrap();
        if seen == Seen::Records {
            fs::create_dir(&repositories).unwrap();
        }
        if seen != Seen::Nobody {
            gc(&root, &[], 1);
        }
        let fresh = Image::new(3, "amd64");
        for _ in 0..2 {
            let server = hasty(&root);
            server.http().repository("fresh").push("latest", &fresh);
            assert!(gc(&root, &["--untagged"], 1).contains("wharf gc --forget-unexplained"), "{seen:?}");
            server.stop();
            gc(&root, &[], 1);
        }
        for blob in one.blobs() {
            assert!(store::blob(&root, blob.digest()).exists(), "{seen:?}");
        }
        gc(&root, &["--dry-run", "--forget-unexplained"], 0);
        gc(&root, &[], 1);
        gc(&root, &["--forget-unexplained"], 0);
        gc(&root, &[], 0);
        assert!(one.blobs().all(|blob| !store::blob(&root, blob.digest()).exists()), "{seen:?}");
        let server = Server::start(&root);
        server.http().repository("fresh").expect_image("latest", &fresh);
    }
}

#[test]
fn report_s1_the_first_push_is_no_obstacle() {
    let root = tempfile::tempdir().unwrap();
    let server = hasty(root.path());
    gc(root.path(), &[], 0);
    // As it is when a server is killed between the first content and its repository.
    let data = store::blob(root.path(), Image::new(1, "amd64").manifest().digest());
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    fs::write(&data, Image::new(1, "amd64").manifest().bytes()).unwrap();
    gc(root.path(), &["--dry-run"], 0);
    server.stop();
    gc(root.path(), &["--dry-run"], 0);
}

#[test]
fn report_s1_all_that_is_missing_can_be_forgotten() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path());
    fs::remove_dir_all(store::repository(root.path(), "team/app")).unwrap();
    let said = gc(root.path(), &["--dry-run", "--forget", "team/app"], 0);
    assert!(said.contains("would remove content"), "{said}");
    gc(root.path(), &[], 1);
    gc(root.path(), &["--dry-run", "--forget", "never/was"], 1);
    fs::remove_dir_all(store::tree(root.path()).join("repositories")).unwrap();
    gc(root.path(), &["--forget", "team/app", "--dry-run"], 1);
    gc(root.path(), &["--forget", "team/app", "--forget", "other"], 0);
    assert!(store::files(&root.path().join("docker")).is_empty());
}

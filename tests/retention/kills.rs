//! `kill -9` while tags are removed: the rest is whole.

use std::time::Duration;

use crate::{
    support::{command::wharf, image::Image, store::expect_honest_blobs, wait::pass},
    wharf::{DAY, date, launch},
};

const RULES: &str = "[{repositories: ['**'], keep_newest: 0, protect: ['v*']}]";

#[test]
fn a_kill_at_any_moment_leaves_the_rest_whole() {
    let root = tempfile::tempdir().unwrap();
    let (kept, gone) = (Image::new(1, "amd64"), Image::new(2, "amd64"));
    let server = launch(root.path(), RULES).start();
    let repository = server.http().repository("app");
    for number in 0..8 {
        repository.push(&format!("v{number}"), &kept);
    }
    server.stop();
    for round in 0..12 {
        let server = launch(root.path(), RULES).start();
        let repository = server.http().repository("app");
        for number in 0..40 {
            let tag = format!("t{number}");
            repository.push_manifest(&tag, kept.manifest());
            date(root.path(), "app", &tag, 9 * DAY);
        }
        repository.push("t-gone", &gone);
        server.stop();
        let server = launch(root.path(), RULES).set("REGISTRY_STORAGE_RETENTION_INTERVAL", "100ms").start();
        pass(Duration::from_millis(90 + 7 * round), "the moment of the kill");
        server.kill();
        let checked = wharf(root.path(), &["fsck"]);
        assert!(checked.status.success(), "{checked:?}");
        expect_honest_blobs(root.path());
        let server = launch(root.path(), RULES).start();
        let repository = server.http().repository("app");
        let tags = repository.tags();
        for number in 0..8 {
            repository.expect_image(&format!("v{number}"), &kept);
        }
        for tag in tags.iter().filter(|tag| *tag != "t-gone") {
            repository.expect_manifest(tag, kept.manifest());
        }
    }
}

//! Tags: when the upstream is asked, and for what.

use std::thread;

use crate::{
    hub::Hub,
    mirror::{asking, start},
    support::{
        http::send,
        image::{IMAGE_MANIFEST, Image, Index},
    },
};
use reqwest::Method;

#[test]
fn row_12_a_hundred_pulls_of_a_warm_tag_are_one_head() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    hub.put("a/b", "t", &image);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|_| repository.expect_manifest("t", image.manifest())));
        }
    });
    assert_eq!((hub.count("HEAD", "manifests/t"), hub.count("GET", "manifests/")), (1, 1));
}

#[test]
fn row_19_a_narrow_accept_is_not_passed_on() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let index = Index::two_platforms(5);
    hub.put_index("a/b", "t", &index);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    let narrow = repository.request(Method::GET, "manifests/t").header("Accept", IMAGE_MANIFEST);
    send(narrow).expect(200);
    repository.expect_index("t", &index);
}

#[test]
fn a_tag_that_moves_is_followed_and_one_that_is_gone_is_unknown() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (old, new) = (Image::new(1, "amd64"), Image::new(2, "amd64"));
    hub.put("a/b", "t", &old);
    let server = asking(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.expect_image("t", &old);
    hub.put("a/b", "t", &new);
    repository.expect_image("t", &new);
    // It is stored already, so only the tag changes.
    hub.put("a/b", "t", &old);
    hub.forget();
    repository.expect_image("t", &old);
    assert_eq!((hub.count("HEAD", "/t"), hub.count("GET", "")), (1, 0));
    hub.remove_tag("a/b", "t");
    assert_eq!(repository.manifest("t").expect(404).code(), "MANIFEST_UNKNOWN");
}

#[test]
fn an_upstream_that_takes_no_head_or_says_no_digest_is_asked_by_get() {
    for (head, says_digests) in [(Some(405), true), (Some(403), true), (None, false)] {
        let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
        let image = Image::new(1, "amd64");
        hub.put("a/b", "t", &image);
        hub.set(|hub| (hub.head, hub.says_digests) = (head, says_digests));
        let server = start(&hub, root.path());
        server.http().repository("a/b").expect_image("t", &image);
    }
}

#[test]
fn what_is_not_there_is_remembered() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let server = asking(&hub, root.path());
    let repository = server.http().repository("a/b");
    for _ in 0..5 {
        repository.manifest("none").expect(404);
    }
    assert_eq!(hub.count("HEAD", "manifests/none"), 1);
}

#[test]
fn a_delete_evicts() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    hub.put("a/b", "t", &image);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.expect_image("t", &image);
    repository.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
    repository.expect_image("t", &image);
    assert_eq!(hub.count("GET", "manifests/"), 2);
}

#[test]
fn lists_are_those_of_the_upstream_and_the_stored_ones_when_it_is_down() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    for tag in ["one", "three", "two"] {
        hub.put("a/b", tag, &image);
    }
    let server = asking(&hub, root.path());
    let repository = server.http().repository("a/b");
    assert_eq!(repository.tags(), ["one", "three", "two"]);
    repository.expect_image("two", &image);
    assert_eq!(server.http().catalog(), ["a/b"]);
    hub.set(|hub| hub.status = Some((500, String::new())));
    assert_eq!(repository.tags(), ["two"]);
}

//! Endpoints that are down, slow or refuse, and then come back.

use std::time::Instant;

use crate::{
    endpoint::{Endpoint, Mood, named},
    support::{
        image::{Blob, Image},
        server::{Program, Server},
        wait::{PATIENCE, eventually},
    },
};

/// Pushes manifests that share their blobs, each with a tag.
fn push_tags(server: &Server, tags: std::ops::Range<usize>) {
    let (repository, image) = (server.http().repository("app"), Image::new(1, "amd64"));
    image.blobs().for_each(|blob| repository.push_blob(blob));
    for tag in tags {
        repository.push_manifest(&tag.to_string(), image.manifest());
    }
}

/// The tags that were reported as pushed, in order.
fn pushed_tags(endpoint: &Endpoint) -> Vec<String> {
    let named: Vec<_> = endpoint.events().iter().map(named).collect();
    named.into_iter().filter(|(_, _, name)| !name.contains(':')).map(|(_, _, name)| name).collect()
}

#[test]
fn an_endpoint_gets_everything_in_order_when_it_is_back() {
    for mood in [Mood::Answers(500), Mood::Answers(404), Mood::HangsUp, Mood::IsSilent] {
        let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
        let server = endpoint.launch(Program::Wharf, root.path(), ", timeout: 200ms").start();
        endpoint.set(mood);
        push_tags(&server, 0..10);
        assert_eq!(endpoint.events().len(), 0, "{mood:?}");
        endpoint.set(Mood::Answers(200));
        eventually("all tags", || pushed_tags(&endpoint).len() == 10);
        assert_eq!(pushed_tags(&endpoint), (0..10).map(|tag| tag.to_string()).collect::<Vec<_>>(), "{mood:?}");
    }
}

#[test]
fn a_redirect_accepts_an_event_and_is_not_followed() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    endpoint.set(Mood::Answers(302));
    push_tags(&server, 0..3);
    eventually("all tags", || pushed_tags(&endpoint).len() == 3);
    eventually("one warning", || server.log().matches("the endpoint redirects").count() == 1);
}

/// registry:2 does not read the body. Otherwise the event would be sent again for ever, and the others would wait.
#[test]
fn a_status_accepts_an_event_though_the_body_after_it_does_not_end() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    let server = endpoint.launch(Program::Wharf, root.path(), ", timeout: 60s").start();
    endpoint.set(Mood::NeverEnds);
    push_tags(&server, 0..3);
    eventually("all tags", || pushed_tags(&endpoint).len() == 3);
    assert_eq!(endpoint.received().len(), endpoint.events().len(), "none is sent twice");
}

#[test]
fn events_go_through_the_proxy_of_the_environment() {
    let (root, proxy, spared) = (tempfile::tempdir().unwrap(), Endpoint::new(), tempfile::tempdir().unwrap());
    let endpoints = "[{name: hook, url: 'http://hooks.invalid/hook', threshold: 1, backoff: 100ms}]";
    let launch = |root: &std::path::Path| {
        let launch = proxy.launch(Program::Wharf, root, "").set("REGISTRY_NOTIFICATIONS_ENDPOINTS", endpoints);
        launch.set("HTTP_PROXY", &proxy.url())
    };
    let server = launch(spared.path()).set("NO_PROXY", "hooks.invalid").start();
    push_tags(&server, 0..1);
    server.expect_logged("no connection to hooks.invalid:80");
    assert_eq!(proxy.received().len(), 0);
    let server = launch(root.path()).start();
    push_tags(&server, 0..3);
    eventually("all tags", || pushed_tags(&proxy).len() == 3);
}

#[test]
fn no_push_waits_for_an_endpoint() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::IsSilent);
    let server = endpoint.launch(Program::Wharf, root.path(), ", timeout: 600s").start();
    let begun = Instant::now();
    push_tags(&server, 0..20);
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(endpoint.events().len(), 0);
}

#[test]
fn what_waits_is_sent_after_a_restart() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::Answers(503));
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    push_tags(&server, 0..5);
    server.stop();
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    push_tags(&server, 5..6);
    server.kill();
    let _server = endpoint.launch(Program::Wharf, root.path(), "").start();
    endpoint.set(Mood::Answers(200));
    eventually("all tags", || pushed_tags(&endpoint).len() == 6);
    assert_eq!(pushed_tags(&endpoint), (0..6).map(|tag| tag.to_string()).collect::<Vec<_>>());
}

/// What was deleted since was still pushed.
#[test]
fn what_waits_is_sent_after_a_restart_though_it_was_deleted() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::Answers(503));
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    let (repository, image) = (server.http().repository("app"), Image::new(1, "amd64"));
    repository.push("gone", &image);
    repository.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
    server.kill();
    let _server = endpoint.launch(Program::Wharf, root.path(), "").start();
    endpoint.set(Mood::Answers(200));
    let actions: Vec<_> = endpoint.expect(image.blobs().count() + 3).iter().map(named).collect();
    let names: Vec<_> =
        actions.iter().rev().take(3).rev().map(|(action, _, name)| (action.as_str(), name.as_str())).collect();
    assert_eq!(names, [("push", "gone"), ("delete", image.manifest().digest()), ("delete", "gone")]);
}

#[test]
fn pulls_are_sent_before_the_server_ends() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    let server = endpoint.launch(Program::Wharf, root.path(), ", timeout: 200ms, ignore: {actions: [push]}").start();
    let (repository, blob) = (server.http().repository("app"), Blob::noise(1, 100));
    repository.push_blob(&blob);
    endpoint.set(Mood::Answers(503));
    for _ in 0..5 {
        repository.get(&format!("blobs/{}", blob.digest())).expect(200);
    }
    endpoint.set(Mood::Answers(200));
    assert!(server.stop().success());
    assert_eq!(endpoint.expect(5).iter().filter(|event| event["action"] == "pull").count(), 5);
}

#[test]
fn with_a_store_in_memory_everything_is_sent_before_the_server_ends() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    let server = endpoint.launch(Program::Wharf, root.path(), "").set("REGISTRY_STORAGE", "inmemory").start();
    endpoint.set(Mood::Answers(503));
    push_tags(&server, 0..5);
    endpoint.set(Mood::Answers(200));
    assert!(server.stop().success());
    assert_eq!(pushed_tags(&endpoint).len(), 5);
}

/// A signature is the HMAC-SHA256 of the body, as Flux's receiver of the type generic-hmac computes it.
#[test]
fn requests_are_signed_as_flux_checks_it() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    let file = root.path().join("key");
    std::fs::write(&file, "s3cret\n").unwrap();
    let more = format!(", secretfile: {}", file.display());
    let server = endpoint.launch(Program::Wharf, &root.path().join("store"), &more).start();
    push_tags(&server, 0..1);
    eventually("the tag", || pushed_tags(&endpoint).len() == 1);
    for received in endpoint.received() {
        let signature = wharf::notify::Signature::new(b"s3cret").sign(&received.body);
        let (kind, digest) = signature.split_once('=').unwrap();
        assert_eq!((kind, digest.len()), ("sha256", 64));
        assert_eq!(received.header("x-signature"), Some(signature.as_str()));
    }
}

//! What programs read in the events that registries send them, by their sources of 2026: Keel's
//! `pkg/http/registry_notifications.go`, GitLab's `lib/api/container_registry_event.rb` and
//! `app/models/container_registry/event.rb`, and `pkg/webhook/gitlab.go` of Argo CD Image Updater.

use serde::Deserialize;

use crate::{
    endpoint::{Endpoint, Received},
    support::{image::Image, server::Program, wait::eventually},
};

/// A push of `team/app:1.0`, as wharf reports it with `http.host`.
fn pushed() -> (Received, Image) {
    let (root, endpoint, image) = (tempfile::tempdir().unwrap(), Endpoint::new(), Image::new(1, "amd64"));
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    // The blobs come first: with `http.host`, the next step of their upload would go there.
    image.blobs().for_each(|blob| server.http().repository("team/app").push_blob(blob));
    server.stop();
    let launch = endpoint.launch(Program::Wharf, root.path(), "");
    let server = launch.set("REGISTRY_HTTP_HOST", "https://registry.example.com").start();
    server.http().repository("team/app").push_manifest("1.0", image.manifest());
    let is_tag = |received: &Received| received.event()["target"]["tag"] == "1.0";
    eventually("the push", || endpoint.received().iter().any(is_tag));
    (endpoint.received().into_iter().find(is_tag).unwrap(), image)
}

/// Keel's `/v1/webhooks/registry`: the registry is the host of the request; events that are no pushes, and those
/// without a tag, are passed over.
#[test]
fn keel_finds_the_image_and_its_tag() {
    #[derive(Deserialize)]
    struct Notification {
        events: Vec<Event>,
    }
    #[derive(Deserialize)]
    struct Event {
        action: String,
        target: Target,
        request: Request,
    }
    #[derive(Deserialize)]
    struct Request {
        host: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Target {
        media_type: String,
        digest: String,
        repository: String,
        tag: String,
    }
    let (received, image) = pushed();
    let notification: Notification = serde_json::from_slice(&received.body).unwrap();
    let event = &notification.events[0];
    assert_eq!(event.action, "push");
    assert!(event.request.host.starts_with("127.0.0.1:"), "the host that the client named: {}", event.request.host);
    assert_eq!(event.target.repository, "team/app");
    assert_eq!((event.target.tag.as_str(), event.target.digest.as_str()), ("1.0", image.manifest().digest()));
    assert_eq!(event.target.media_type, image.manifest().media_type());
}

/// GitLab's `/api/v4/container_registry_event/events` takes JSON and one other content type. It tells tags from
/// manifests by whether the target has a `tag` and a `digest` at all. It refuses all actions but push, delete and pull.
#[test]
fn gitlab_takes_the_envelope() {
    let (received, image) = pushed();
    assert_eq!(received.header("content-type"), Some("application/vnd.docker.distribution.events.v1+json"));
    let event = received.event();
    assert_eq!((&event["action"], &event["target"]["repository"]), (&"push".into(), &"team/app".into()));
    assert_eq!(
        (&event["target"]["tag"], &event["target"]["digest"]),
        (&"1.0".into(), &image.manifest().digest().into())
    );
    assert!(event["actor"].is_object(), "{event}");
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    let server = endpoint.launch(Program::Wharf, root.path(), ", ignore: {actions: [push, mount]}").start();
    let repository = server.http().repository("team/app");
    repository.push("1.0", &image);
    repository.push_manifest("2.0", image.manifest());
    repository.delete("manifests/1.0").expect(202);
    repository.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
    let targets: Vec<_> = endpoint.expect(3).iter().map(|event| event["target"].clone()).collect();
    let has = |name: &str| targets.iter().map(|target| target.get(name).is_some()).collect::<Vec<_>>();
    assert_eq!((has("tag"), has("digest")), (vec![true, false, true], vec![false, true, false]), "{targets:?}");
}

/// Argo CD Image Updater's type `gitlab` needs a content type that begins so, and takes pushes with a tag; the
/// registry is the host of the request. The header `Authorization` has to be its secret.
#[test]
fn argo_cd_image_updater_finds_the_image_and_its_tag() {
    let (received, _) = pushed();
    let event = received.event();
    assert_eq!((&event["action"], &event["target"]["tag"]), (&"push".into(), &"1.0".into()));
    assert_eq!(event["target"]["repository"], "team/app");
    let content_type = received.header("content-type");
    assert!(content_type.is_some_and(|kind| kind.starts_with("application/vnd.docker.distribution.events")));
    assert!(event["request"]["host"].as_str().is_some_and(|host| host.starts_with("127.0.0.1:")), "{event}");
}

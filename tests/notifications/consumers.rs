//! What programs read in the events that registries send them, by their documentation and sources.

use serde::Deserialize;
use url::Url;

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

/// Keel's `/v1/webhooks/registry`: the host comes from the URL of the target; events that are no pushes, and those
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
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Target {
        media_type: String,
        digest: String,
        repository: String,
        url: String,
        tag: String,
    }
    let (received, image) = pushed();
    let notification: Notification = serde_json::from_slice(&received.body).unwrap();
    let event = &notification.events[0];
    let url = Url::parse(&event.target.url).unwrap();
    assert_eq!(event.action, "push");
    assert_eq!(format!("{}/{}", url.host_str().unwrap(), event.target.repository), "registry.example.com/team/app");
    assert_eq!((event.target.tag.as_str(), event.target.digest.as_str()), ("1.0", image.manifest().digest()));
    assert_eq!(event.target.media_type, image.manifest().media_type());
}

/// GitLab's `/api/v4/container_registry_event/events` takes one content type only, and tells pushes and deletes of tags
/// and repositories by action, repository, tag and digest.
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
    assert!(event["actor"].is_object() && event["request"]["method"] == "PUT", "{event}");
}

/// Argo CD Image Updater reads the events of a distribution registry: a push with a tag; the registry is the host of
/// the target's URL or of the request.
#[test]
fn argo_cd_image_updater_finds_the_image_and_its_tag() {
    let (received, _) = pushed();
    let event = received.event();
    assert_eq!((&event["action"], &event["target"]["tag"]), (&"push".into(), &"1.0".into()));
    let url = event["target"]["url"].as_str().unwrap();
    assert!(url.starts_with("https://registry.example.com/v2/team/app/manifests/sha256:"), "{url}");
    assert!(event["request"]["host"].as_str().is_some_and(|host| !host.is_empty()), "{event}");
}

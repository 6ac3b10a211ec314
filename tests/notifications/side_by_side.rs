//! The same work gives the same envelopes, but for identifiers, times and addresses.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    endpoint::{Endpoint, named},
    support::{
        http::{Registry, send},
        image::{Image, Index},
        server::Program,
    },
};

/// How many events the work gives.
const EVENTS: usize = 23;

/// Pushes, pulls, mounts and deletes, as every registry does them.
fn work(registry: &Registry) {
    let (repository, other) = (registry.repository("team/app"), registry.repository("other"));
    let image = Image::new(1, "amd64");
    let (digest, blob) = (image.manifest().digest(), image.blobs().next().unwrap());
    repository.push("1.0", &image);
    repository.push_manifest(digest, image.manifest());
    repository.push_index("multi", &Index::two_platforms(5));
    let accept = image.manifest().media_type();
    for (method, name) in [(Method::HEAD, "1.0"), (Method::GET, "1.0"), (Method::GET, digest)] {
        send(repository.request(method, &format!("manifests/{name}")).header("Accept", accept)).expect(200);
    }
    let path = format!("blobs/{}", blob.digest());
    repository.head(&path).expect(200);
    repository.get(&path).expect(200);
    let mount = format!("blobs/uploads/?mount={}&from=team/app", blob.digest());
    send(other.request(Method::POST, &mount)).expect(201);
    // What is not there is not reported.
    repository.get("manifests/none").expect(404);
    repository.get("tags/list").expect(200);
    repository.delete(&format!("manifests/{digest}")).expect(202);
    repository.delete(&path).expect(202);
    repository.delete(&format!("manifests/{digest}")).expect(404);
}

/// An event without identifiers, times and addresses, which are there.
fn without_what_differs(mut event: Value) -> Value {
    for (part, field) in [("request", "id"), ("request", "addr"), ("source", "addr"), ("source", "instanceID")] {
        let taken = event[part].as_object_mut().unwrap().remove(field);
        assert!(
            taken.is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty())),
            "{part}.{field}: {event}"
        );
    }
    for field in ["id", "timestamp"] {
        assert!(event.as_object_mut().unwrap().remove(field).is_some());
    }
    event["request"]["host"] = json!("");
    if let Some(url) = event["target"]["url"].as_str() {
        let path = url.splitn(4, '/').nth(3).unwrap().to_owned();
        assert!(url.starts_with("http://"), "{url}");
        event["target"]["url"] = json!(path);
    }
    event
}

fn compare(program: Program, more: &str) {
    let run = |program, more: &str| {
        let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
        let server = endpoint.launch(program, root.path(), &format!(", headers: {{X-Test: [yes]}}{more}")).start();
        work(&server.http());
        let events = endpoint.expect(EVENTS);
        let received = endpoint.received()[0].clone();
        let header = |name| received.header(name).unwrap_or_default().to_owned();
        (events, header("content-type"), header("x-test"))
    };
    let (theirs, ours) = (run(program, ""), run(Program::Wharf, more));
    assert_eq!((&ours.1, &ours.2), (&theirs.1, &theirs.2));
    for (ours, theirs) in ours.0.into_iter().zip(theirs.0) {
        let name = named(&theirs);
        assert_eq!(without_what_differs(ours), without_what_differs(theirs), "{name:?}");
    }
}

#[test]
#[ignore = "needs registry:2: run ./test"]
fn envelopes_are_those_of_registry2_needs_registry2() {
    compare(Program::Registry2, "");
}

#[test]
#[ignore = "needs registry:3: run ./test"]
fn envelopes_are_those_of_registry3_needs_registry3() {
    compare(Program::Registry3, ", events: v2");
}

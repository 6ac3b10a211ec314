//! An upstream that fails: what is stored is served, and nobody waits for long.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    thread,
    time::Duration,
};

use reqwest::Method;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

use crate::{
    hub::{Body, Hub, Raw},
    mirror::{asking, launch, start, timed},
    support::{
        http::try_send,
        image::{Blob, Image},
        server::Server,
        store::expect_honest_blobs,
        wait::eventually,
    },
};

/// A mirror that has stored `a/b:t`.
fn warm(hub: &Hub, root: &std::path::Path) -> (Server, Image) {
    let image = Image::new(1, "amd64");
    hub.put("a/b", "t", &image);
    let server = asking(hub, root);
    server.http().repository("a/b").expect_image("t", &image);
    (server, image)
}

#[test]
fn row_09_an_upstream_that_refuses_connections_is_no_wait() {
    let root = tempfile::tempdir().unwrap();
    let (hub, image) = (Hub::new(), Image::new(1, "amd64"));
    hub.put("a/b", "t", &image);
    start(&hub, root.path()).http().repository("a/b").expect_image("t", &image);
    // It is bound, so nobody else gets it, and it does not listen.
    let closed = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&closed, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed = SocketAddrV4::try_from(getsockname(&closed).unwrap()).map(|address| (address, closed)).unwrap();
    let (closed, _held) = closed;
    let server = launch(&hub, root.path()).set("REGISTRY_PROXY_REMOTEURL", &format!("http://{closed}")).start();
    let repository = server.http().repository("a/b");
    for _ in 0..3 {
        let (time, answer) = timed(|| repository.manifest("t").expect(200));
        assert!(time < 1000, "{time} ms");
        assert_eq!(answer.header("warning"), Some("110 - \"Response is Stale\""));
    }
    repository.expect_image("t", &image);
    repository.manifest("other").expect(503);
}

#[test]
fn an_upstream_that_is_down_has_one_line_in_the_log_and_one_when_it_answers() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, _) = warm(&hub, root.path());
    let repository = server.http().repository("a/b");
    hub.set(|hub| hub.status = Some((500, String::new())));
    let count = |text: &str| server.log().matches(text).count();
    // Five errors in a row count as down.
    (0..20).for_each(|number| drop(repository.manifest(&format!("none-{number}")).expect(503)));
    eventually("the lines", || count("the upstream gives nothing") > 0);
    let warned = count("the upstream gives nothing");
    assert!(warned <= 5, "{}", server.log());
    hub.set(|hub| hub.status = None);
    eventually("it is asked again", || {
        repository.manifest("t").expect(200);
        count("the upstream answers again") == 1
    });
    assert_eq!((count("ERROR"), count("the upstream gives nothing")), (0, warned), "{}", server.log());
}

#[test]
fn requests_that_an_upstream_refuses_keep_no_others_from_it() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, image) = warm(&hub, root.path());
    hub.set(|hub| hub.status = Some((400, "NAME_INVALID".to_owned())));
    let repository = server.http().repository("c/d");
    (0..20).for_each(|number| drop(repository.manifest(&format!("none-{number}")).expect(503)));
    hub.set(|hub| hub.status = None);
    hub.put("c/d", "t", &image);
    repository.manifest("t").expect(200);
}

#[test]
fn row_10_an_upstream_that_hangs_is_waited_for_once() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, image) = warm(&hub, root.path());
    hub.set(|hub| hub.is_silent = true);
    let repository = server.http().repository("a/b");
    let wait = || timed(|| repository.expect_manifest("t", image.manifest())).0;
    // All who ask meanwhile wait for the same answer.
    let times: Vec<_> = thread::scope(|scope| {
        let waiting: Vec<_> = (0..8).map(|_| scope.spawn(wait)).collect();
        waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect()
    });
    assert!(times.iter().all(|time| *time < 30_000), "{times:?}");
    let time = wait();
    assert!(time < 1000, "{time} ms");
    let (time, _) = timed(|| repository.manifest("other").expect(503));
    assert!(time < 1000, "{time} ms");
}

#[test]
fn row_10_clients_that_do_not_wait_learn_that_an_upstream_hangs() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, image) = warm(&hub, root.path());
    hub.set(|hub| hub.is_silent = true);
    let repository = server.http().repository("a/b");
    let within_two_seconds = || {
        let request = repository.request(Method::GET, "manifests/t").timeout(Duration::from_secs(2));
        try_send(request).is_ok_and(|answer| answer.status == 200 && answer.body == image.manifest().bytes())
    };
    assert!(!within_two_seconds(), "the upstream is waited for");
    eventually("the tag is served", within_two_seconds);
}

#[test]
fn row_11_a_start_needs_no_upstream() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, image) = warm(&hub, root.path());
    server.stop();
    hub.set(|hub| hub.is_silent = true);
    let (_, server) = timed(|| start(&hub, root.path()));
    let blob = image.blobs().next().unwrap();
    server.http().repository("a/b").get(&format!("blobs/{}", blob.digest())).expect(200);
}

#[test]
fn row_13_a_limit_is_passed_on_with_its_time() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, image) = warm(&hub, root.path());
    hub.set(|hub| hub.status = Some((429, "Retry-After: 17\r\n".to_owned())));
    let repository = server.http().repository("a/b");
    repository.expect_image("t", &image);
    let refused = repository.manifest("other").expect(429);
    assert_eq!((refused.code().as_str(), refused.header("retry-after")), ("TOOMANYREQUESTS", Some("17")));
}

#[test]
fn each_failure_has_its_answer_and_what_is_stored_goes_on() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, image) = warm(&hub, root.path());
    let repository = server.http().repository("a/b");
    let absent = Blob::noise(9, 100);
    for (status, expected) in [(401, 404), (403, 404), (404, 404), (418, 503), (500, 503), (502, 503), (301, 503)] {
        hub.set(|hub| hub.status = Some((status, String::new())));
        // A tag that the upstream does not have any more is gone here, too.
        if status != 404 {
            repository.expect_manifest("t", image.manifest());
        }
        repository.manifest(&format!("none-{status}")).expect(expected);
        repository.get(&format!("blobs/{}", absent.digest())).expect(expected);
        repository.get(&format!("blobs/{}", image.blobs().next().unwrap().digest())).expect(200);
    }
}

#[test]
fn bodies_that_are_no_manifests_are_not_stored() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, image) = warm(&hub, root.path());
    let (repository, other) = (server.http().repository("a/b"), Image::new(2, "amd64"));
    let bodies: [Vec<u8>; 5] =
        [b"<html>".to_vec(), Vec::new(), b"{}".to_vec(), vec![b' '; 9 << 20], other.manifest().bytes().to_vec()];
    for (at, body) in bodies.into_iter().enumerate() {
        let tag = format!("new-{at}");
        hub.put("a/b", &tag, &Image::new(10 + at as u64, "amd64"));
        hub.set(|hub| hub.body = Some(body));
        assert!(repository.manifest(&tag).status >= 500, "{tag}");
    }
    hub.set(|hub| hub.body = None);
    repository.expect_image("t", &image);
    expect_honest_blobs(root.path());
}

#[test]
fn a_list_that_comes_too_slowly_is_that_of_what_is_stored() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (server, _) = warm(&hub, root.path());
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    hub.set(|hub| hub.raw = Some(Raw::new(head, Body::SpacesOfASecond)));
    assert_eq!(server.http().repository("a/b").tags(), ["t"]);
}

//! Blobs: fetched once, read while they come, and never wrong.

use std::{io::Read as _, thread, time::Duration};

use reqwest::Method;

use crate::{
    hub::{Fault, Gate, Hub, Redirect},
    mirror::{launch, start, timed},
    support::{
        http::{Registry, Repository, send, try_send},
        image::{Blob, IMAGE_MANIFEST, Image, Manifest},
        store::{expect_honest_blobs, files},
        wait::{eventually, pass},
    },
};

const LARGE: usize = 24 * 1024 * 1024;

/// A manifest that names `blob` as its only layer.
fn image_of(blob: &Blob, config: &Blob) -> Manifest {
    let body = serde_json::json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(), "layers": [blob.descriptor()],
    });
    Manifest::new(&body, IMAGE_MANIFEST)
}

/// A hub with an image of one layer, `a/b:t`.
fn hub_with(blob: &Blob) -> (Hub, tempfile::TempDir) {
    let (hub, config) = (Hub::new(), Blob::noise(77, 10));
    hub.put_blob(blob);
    hub.put_blob(&config);
    hub.put_manifest("a/b", "t", &image_of(blob, &config));
    (hub, tempfile::tempdir().unwrap())
}

fn blob_of(repository: &Repository, blob: &Blob) -> reqwest::Result<Vec<u8>> {
    let answer = try_send(repository.request(Method::GET, &format!("blobs/{}", blob.digest())))?;
    assert_eq!(answer.status, 200);
    Ok(answer.body.to_vec())
}

#[test]
fn row_01_eight_clients_of_a_cold_blob_are_one_get_and_no_head() {
    let blob = Blob::noise(1, LARGE);
    let (hub, root) = hub_with(&blob);
    hub.set(|hub| hub.redirect = Redirect::Content);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(blob_of(&repository, &blob).unwrap() == blob.bytes()));
        }
    });
    assert_eq!((hub.count("GET", &format!("/blobs/{}", blob.digest())), hub.count("HEAD", "blobs")), (1, 0));
    assert!(hub.seen().iter().filter(|seen| seen.host == "content").all(|seen| seen.header("authorization").is_none()));
}

/// Makes `hub` send `bytes` of each blob; the rest comes when the gate is opened.
fn gate(hub: &Hub, bytes: usize) -> Gate {
    let gate = Gate::default();
    hub.set(|hub| hub.gate = Some((bytes, gate.clone())));
    gate
}

#[test]
fn row_02_the_first_bytes_come_while_the_rest_is_fetched() {
    let blob = Blob::noise(2, LARGE);
    let (hub, root) = hub_with(&blob);
    let gate = gate(&hub, LARGE / 2);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    let mut response = repository.request(Method::GET, &format!("blobs/{}", blob.digest())).send().unwrap();
    let mut first = vec![0; LARGE / 4];
    response.read_exact(&mut first).unwrap();
    assert!(first == blob.bytes()[..first.len()]);
    gate.open();
    let mut rest = Vec::new();
    response.read_to_end(&mut rest).unwrap();
    assert!(rest == blob.bytes()[first.len()..]);
}

/// 200 places of a large blob, most of them spread evenly, and the rest where something begins or ends: 50 for each of
/// four blobs, so that these are fetched at the same time.
fn places() -> [Vec<usize>; 4] {
    let (piece, kib) = (LARGER / 184, 1024);
    let edges = [0, 1, 64 * kib, 128 * kib, 1024 * kib, LARGER - 128 * kib, LARGER - 64 * kib, LARGER - 1];
    let around = edges.iter().flat_map(|edge| [edge.saturating_sub(1), *edge]);
    let mut all: Vec<usize> = (0..184).map(|at| at * piece + at % 7).chain(around).collect();
    all.sort_unstable();
    assert_eq!(all.len(), 200);
    [0, 1, 2, 3].map(|blob| all.iter().skip(blob).step_by(4).copied().collect())
}

/// Long enough that its bytes are sent before all of them are there.
const LARGER: usize = 3 * 1024 * 1024 / 2;

/// A hub with an image of four large layers, `a/b:t`.
fn hub_with_larger() -> (Hub, tempfile::TempDir, [Blob; 4]) {
    let blobs = [0, 1, 2, 3].map(|at| Blob::noise(50 + at, LARGER));
    let (hub, config) = (Hub::new(), Blob::noise(77, 10));
    blobs.iter().chain([&config]).for_each(|blob| hub.put_blob(blob));
    let layers: Vec<_> = blobs.iter().map(Blob::descriptor).collect();
    let body = serde_json::json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(), "layers": layers,
    });
    hub.put_manifest("a/b", "t", &Manifest::new(&body, IMAGE_MANIFEST));
    (hub, tempfile::tempdir().unwrap(), blobs)
}

#[test]
fn row_04_a_break_at_any_byte_is_mended() {
    let small = Blob::noise(4, 40);
    let (hub, root) = hub_with(&small);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    for at in 0..small.bytes().len() {
        for takes_ranges in [true, false] {
            hub.set(|hub| {
                hub.takes_ranges = takes_ranges;
                hub.faults.insert(small.digest().to_owned(), vec![Fault::Break(at)]);
            });
            hub.forget();
            assert!(blob_of(&repository, &small).unwrap() == small.bytes(), "{at}");
            assert_eq!(hub.count("GET", "/blobs/"), 2, "{at}");
            repository.delete(&format!("blobs/{}", small.digest())).expect(202);
            std::fs::remove_file(crate::support::store::blob(root.path(), small.digest())).unwrap();
        }
    }
}

#[test]
fn row_04_breaks_at_200_places_of_large_blobs_are_mended() {
    for (redirect, takes_ranges) in [(Redirect::Content, true), (Redirect::Nowhere, false)] {
        let (hub, root, blobs) = hub_with_larger();
        hub.set(|hub| {
            (hub.redirect, hub.takes_ranges) = (redirect, takes_ranges);
            for (blob, places) in blobs.iter().zip(places()) {
                hub.faults.insert(blob.digest().to_owned(), places.into_iter().map(Fault::Break).collect());
            }
        });
        let server = start(&hub, root.path());
        let repository = server.http().repository("a/b");
        repository.manifest("t").expect(200);
        thread::scope(|scope| {
            for blob in &blobs {
                let repository = &repository;
                scope.spawn(move || assert!(blob_of(repository, blob).unwrap() == blob.bytes()));
            }
        });
        for blob in &blobs {
            let path = if takes_ranges { format!("/{}?signature", blob.digest()) } else { blob.digest().to_owned() };
            assert_eq!(hub.count("GET", &path), 51, "one request more than breaks");
        }
        expect_honest_blobs(root.path());
    }
}

#[test]
fn row_05_a_lie_at_any_byte_is_never_a_whole_body_and_is_not_stored() {
    let small = Blob::noise(6, 40);
    let (hub, root) = hub_with(&small);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    let stored = crate::support::store::blob(root.path(), small.digest());
    for at in 0..small.bytes().len() {
        hub.set(|hub| hub.fault = Some(Fault::Lie(at)));
        repository.get(&format!("blobs/{}", small.digest())).expect(503);
        assert!(!stored.exists(), "{at}");
    }
    hub.set(|hub| hub.fault = None);
    assert!(blob_of(&repository, &small).unwrap() == small.bytes());
}

#[test]
fn row_05_a_lie_at_200_places_of_large_blobs_is_never_a_whole_body_and_is_not_stored() {
    let (hub, root, blobs) = hub_with_larger();
    hub.set(|hub| {
        for (blob, places) in blobs.iter().zip(places()) {
            hub.faults.insert(blob.digest().to_owned(), places.into_iter().map(Fault::Lie).collect());
        }
    });
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    thread::scope(|scope| {
        for (blob, places) in blobs.iter().zip(places()) {
            let (repository, stored) = (&repository, crate::support::store::blob(root.path(), blob.digest()));
            scope.spawn(move || {
                for at in places {
                    assert!(blob_of(repository, blob).is_err(), "{at}");
                    assert!(!stored.exists(), "{at}");
                }
                assert!(blob_of(repository, blob).unwrap() == blob.bytes());
            });
        }
    });
    expect_honest_blobs(root.path());
}

#[test]
fn row_06_a_client_that_leaves_ends_nothing() {
    let blob = Blob::noise(8, LARGE);
    let (hub, root) = hub_with(&blob);
    let gate = gate(&hub, LARGE / 2);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    let mut response = repository.request(Method::GET, &format!("blobs/{}", blob.digest())).send().unwrap();
    response.read_exact(&mut vec![0; LARGE / 10]).unwrap();
    drop(response);
    gate.open();
    assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
    assert_eq!(hub.count("GET", "/blobs/"), 1);
}

#[test]
fn row_07_a_slow_client_slows_nobody() {
    let blob = Blob::noise(9, LARGE);
    let (hub, root) = hub_with(&blob);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    // It reads a byte, and no more for as long as the others take.
    let mut slow = repository.request(Method::GET, &format!("blobs/{}", blob.digest())).send().unwrap();
    slow.read_exact(&mut [0]).unwrap();
    assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(rest == blob.bytes()[1..]);
    assert_eq!(hub.count("GET", "/blobs/"), 1);
}

#[test]
fn row_08_a_range_of_a_cold_blob_is_a_part_of_one_get() {
    let blob = Blob::noise(10, LARGE);
    let (hub, root) = hub_with(&blob);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    let get = |range: &str| {
        send(repository.request(Method::GET, &format!("blobs/{}", blob.digest())).header("Range", range)).expect(206)
    };
    let part = get("bytes=1000000-1999999");
    assert!(part.body == blob.bytes()[1_000_000..2_000_000]);
    assert_eq!(part.header("content-range"), Some(format!("bytes 1000000-1999999/{LARGE}").as_str()));
    assert!(get("bytes=-10").body == blob.bytes()[LARGE - 10..]);
    assert_eq!(hub.count("GET", "/blobs/"), 1);
}

#[test]
fn row_14_a_head_of_a_blob_is_answered_though_the_upstream_takes_none() {
    let image = Image::new(1, "amd64");
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    hub.put("a/b", "t", &image);
    hub.set(|hub| hub.head = Some(403));
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    let blob = image.blobs().next().unwrap();
    let answer = repository.head(&format!("blobs/{}", blob.digest())).expect(200);
    assert_eq!(answer.header("content-length"), Some(blob.bytes().len().to_string().as_str()));
}

#[test]
fn row_15_a_layer_of_two_repositories_is_fetched_once() {
    let blob = Blob::noise(11, LARGE);
    let (hub, root) = hub_with(&blob);
    hub.put_manifest("c/d", "t", &image_of(&blob, &Blob::noise(77, 10)));
    let server = start(&hub, root.path());
    let repositories = ["a/b", "c/d"].map(|name| server.http().repository(name));
    for repository in &repositories {
        repository.manifest("t").expect(200);
    }
    // Both read while it is fetched for one of them.
    let gate = gate(&hub, LARGE / 2);
    let mut responses = repositories.map(|repository| {
        let mut response = repository.request(Method::GET, &format!("blobs/{}", blob.digest())).send().unwrap();
        let mut first = vec![0; LARGE / 4];
        response.read_exact(&mut first).unwrap();
        (response, first)
    });
    gate.open();
    for (response, bytes) in &mut responses {
        response.read_to_end(bytes).unwrap();
        assert!(*bytes == blob.bytes());
    }
    // And a third when it is stored.
    assert_eq!(hub.count("GET", &format!("/blobs/{}", blob.digest())), 1);
    hub.put_manifest("e/f", "t", &image_of(&blob, &Blob::noise(77, 10)));
    let third = server.http().repository("e/f");
    third.manifest("t").expect(200);
    assert!(blob_of(&third, &blob).unwrap() == blob.bytes());
    assert_eq!(hub.count("GET", &format!("/blobs/{}", blob.digest())), 1);
}

#[test]
fn row_22_after_a_kill_a_fetch_begins_again() {
    let blob = Blob::noise(12, LARGE);
    let (hub, root) = hub_with(&blob);
    gate(&hub, LARGE * 3 / 4);
    for part in [1, LARGE / 3, LARGE / 2] {
        let server = start(&hub, root.path());
        let repository = server.http().repository("a/b");
        repository.manifest("t").expect(200);
        let mut response = repository.request(Method::GET, &format!("blobs/{}", blob.digest())).send().unwrap();
        response.read_exact(&mut vec![0; part]).unwrap();
        server.kill();
        expect_honest_blobs(root.path());
    }
    hub.set(|hub| hub.gate = None);
    pass(Duration::from_millis(50), "the date of a file is that of another process");
    let server = start(&hub, root.path());
    let uploads = root.path().join("wharf/uploads");
    eventually("what the kills left is removed", || files(&uploads).is_empty());
    let repository = server.http().repository("a/b");
    assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
    eventually("the blob is stored", || crate::support::store::blob(root.path(), blob.digest()).exists());
    expect_honest_blobs(root.path());
}

#[test]
fn redirects_and_lengths_that_lead_nowhere_are_no_blob() {
    let blob = Blob::noise(13, 2 * 1024 * 1024);
    let (hub, root) = hub_with(&blob);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    for redirect in [Redirect::Circle, Redirect::To("ftp://127.0.0.1/x".to_owned()), Redirect::To("http://".to_owned())]
    {
        hub.set(|hub| hub.redirect = redirect);
        let (_, answer) = timed(|| repository.get(&format!("blobs/{}", blob.digest())));
        answer.expect(503);
    }
    hub.set(|hub| hub.redirect = Redirect::Content);
    let other = Registry::new(&format!("http://{}", server.addr()));
    // The pause after the failures is one second.
    eventually("it is asked again", || other.repository("a/b").get(&format!("blobs/{}", blob.digest())).status == 200);
}

#[test]
fn a_fetch_that_goes_silent_goes_on_with_another_request() {
    let blob = Blob::noise(14, 3 * 1024 * 1024);
    let (hub, root) = hub_with(&blob);
    hub.set(|hub| {
        hub.faults.insert(blob.digest().to_owned(), vec![Fault::Silence(1024 * 1024)]);
    });
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
    assert_eq!(hub.count("GET", "/blobs/"), 2);
}

#[test]
fn a_fetch_waits_for_an_upstream_that_begins_anew() {
    let blob = Blob::noise(15, 3 * 1024 * 1024);
    let (hub, root) = hub_with(&blob);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    let faults = vec![Fault::Break(1024 * 1024), Fault::Status(502), Fault::Status(503)];
    hub.set(|hub| drop(hub.faults.insert(blob.digest().to_owned(), faults)));
    assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
    assert_eq!(hub.count("GET", "/blobs/"), 4);
}

/// As proxies do that restart, or close what was idle for long.
#[test]
fn connections_that_are_closed_when_they_are_used_again_are_no_failure() {
    let blob = Blob::noise(16, 3000);
    let (hub, root) = hub_with(&blob);
    let server = launch(&hub, root.path()).set("REGISTRY_PROXY_FRESH", "0s").start();
    let repository = server.http().repository("a/b");
    hub.set(|hub| hub.closes = true);
    repository.manifest("t").expect(200);
    for _ in 0..50 {
        assert_eq!(repository.manifest("t").expect(200).header("warning"), None);
    }
    assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
}

#[test]
fn a_fetch_goes_on_though_the_url_of_the_redirect_has_ended() {
    let blob = Blob::noise(17, 3 * 1024 * 1024);
    let (hub, root) = hub_with(&blob);
    hub.set(|hub| {
        (hub.redirect, hub.signs_once) = (Redirect::Content, true);
        hub.faults.insert(blob.digest().to_owned(), vec![Fault::Break(1024 * 1024), Fault::Break(2 * 1024 * 1024)]);
    });
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
    assert_eq!((hub.count("GET", "/blobs/"), hub.count("GET", "signature=")), (3, 3));
}

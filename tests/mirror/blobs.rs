//! Blobs: fetched once, read while they come, and never wrong.

use std::{io::Read as _, thread, time::Duration};

use reqwest::Method;

use crate::{
    hub::{Fault, Hub, Redirect},
    mirror::{start, timed},
    support::{
        http::{Registry, Repository, send, try_send},
        image::{Blob, IMAGE_MANIFEST, Image, Manifest},
        store::expect_honest_blobs,
        wait::eventually,
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

#[test]
fn row_02_the_first_bytes_come_while_the_rest_is_fetched() {
    let blob = Blob::noise(2, LARGE);
    let (hub, root) = hub_with(&blob);
    hub.set(|hub| hub.delay = Duration::from_millis(25));
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    let mut response = repository.request(Method::GET, &format!("blobs/{}", blob.digest())).send().unwrap();
    let mut first = vec![0; 1024 * 1024];
    response.read_exact(&mut first).unwrap();
    assert!(first == blob.bytes()[..first.len()]);
    let stored = crate::support::store::blob(root.path(), blob.digest());
    assert!(!stored.exists(), "the whole blob takes some seconds");
    let mut rest = Vec::new();
    response.read_to_end(&mut rest).unwrap();
    assert!(rest == blob.bytes()[first.len()..]);
}

#[test]
fn row_04_a_break_at_any_byte_is_mended() {
    let small = Blob::noise(4, 40);
    let (hub, root) = hub_with(&small);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    for at in 0..small.bytes().len() {
        hub.set(|hub| (hub.faults, hub.takes_ranges) = (vec![Fault::Break(at)], at % 2 == 0));
        assert!(blob_of(&repository, &small).unwrap() == small.bytes(), "{at}");
        repository.delete(&format!("blobs/{}", small.digest())).expect(202);
        std::fs::remove_file(crate::support::store::blob(root.path(), small.digest())).unwrap();
    }
}

#[test]
fn row_04_breaks_of_a_large_blob_are_mended() {
    let blob = Blob::noise(5, 3 * 1024 * 1024);
    for (redirect, takes_ranges) in [(Redirect::Content, true), (Redirect::Nowhere, false)] {
        let (hub, root) = hub_with(&blob);
        let places: Vec<usize> = (1..100).map(|at| at * blob.bytes().len() / 100 + at).collect();
        hub.set(|hub| {
            (hub.redirect, hub.takes_ranges) = (redirect, takes_ranges);
            hub.faults = places.iter().map(|at| Fault::Break(*at)).collect();
        });
        let server = start(&hub, root.path());
        let repository = server.http().repository("a/b");
        repository.manifest("t").expect(200);
        assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
    }
}

#[test]
fn row_05_a_lie_at_any_byte_is_never_a_whole_body_and_is_not_stored() {
    let small = Blob::noise(6, 40);
    let large = Blob::noise(7, 3 * 1024 * 1024);
    for (blob, step) in [(&small, 1), (&large, 100_003)] {
        let (hub, root) = hub_with(blob);
        let server = start(&hub, root.path());
        let repository = server.http().repository("a/b");
        repository.manifest("t").expect(200);
        for at in (0..blob.bytes().len()).step_by(step).chain([blob.bytes().len() - 1]) {
            hub.set(|hub| hub.fault = Some(Fault::Lie(at)));
            assert!(blob_of(&repository, blob).is_err(), "{at}");
        }
        hub.set(|hub| hub.fault = None);
        assert!(blob_of(&repository, blob).unwrap() == blob.bytes());
        expect_honest_blobs(root.path());
    }
}

#[test]
fn row_06_a_client_that_leaves_ends_nothing() {
    let blob = Blob::noise(8, LARGE);
    let (hub, root) = hub_with(&blob);
    hub.set(|hub| hub.delay = Duration::from_millis(3));
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    let mut response = repository.request(Method::GET, &format!("blobs/{}", blob.digest())).send().unwrap();
    response.read_exact(&mut vec![0; LARGE / 10]).unwrap();
    drop(response);
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
    // One while it is fetched for the other, and one after it.
    thread::scope(|scope| {
        for repository in &repositories {
            scope.spawn(|| assert!(blob_of(repository, &blob).unwrap() == blob.bytes()));
        }
    });
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
    hub.set(|hub| hub.delay = Duration::from_millis(3));
    for part in [1, LARGE / 3, LARGE / 2] {
        let server = start(&hub, root.path());
        let repository = server.http().repository("a/b");
        repository.manifest("t").expect(200);
        let mut response = repository.request(Method::GET, &format!("blobs/{}", blob.digest())).send().unwrap();
        response.read_exact(&mut vec![0; part]).unwrap();
        server.kill();
        expect_honest_blobs(root.path());
    }
    let server = start(&hub, root.path());
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
    hub.set(|hub| hub.faults = vec![Fault::Silence(1024 * 1024)]);
    let server = start(&hub, root.path());
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(200);
    assert!(blob_of(&repository, &blob).unwrap() == blob.bytes());
    assert_eq!(hub.count("GET", "/blobs/"), 2);
}

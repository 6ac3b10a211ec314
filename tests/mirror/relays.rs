//! Blobs that the store has no room for: clients get them, and they are not stored.

use std::{collections::HashMap, process::Command, thread};

use reqwest::Method;

use crate::{
    hub::{Fault, Hub},
    mirror::launch,
    support::{
        command::wharf_with,
        http::{Repository, try_send},
        image::{Blob, IMAGE_MANIFEST, Image, Manifest},
        server::Server,
        store::{blob, expect_honest_blobs, files},
    },
};

const LARGE: usize = 3 * 1024 * 1024;

/// A hub with an image of one large layer, `a/b:t`, and a mirror that has no room for the layer.
fn without_room(large: &Blob) -> (Hub, tempfile::TempDir, Server) {
    let (hub, root, config) = (Hub::new(), tempfile::tempdir().unwrap(), Blob::noise(77, 10));
    let body = serde_json::json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(), "layers": [large.descriptor()],
    });
    hub.put_blob(large);
    hub.put_blob(&config);
    hub.put_manifest("a/b", "t", &Manifest::new(&body, IMAGE_MANIFEST));
    let server = launch(&hub, root.path()).set("REGISTRY_PROXY_MAX_BYTES", "1MiB").start();
    server.http().repository("a/b").manifest("t").expect(200);
    (hub, root, server)
}

fn faults(of: &Blob, faults: Vec<Fault>) -> HashMap<String, Vec<Fault>> {
    HashMap::from([(of.digest().to_owned(), faults)])
}

fn get(repository: &Repository, blob: &Blob, range: Option<&str>) -> reqwest::Result<(u16, Vec<u8>)> {
    let mut request = repository.request(Method::GET, &format!("blobs/{}", blob.digest()));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    try_send(request).map(|answer| (answer.status, answer.body.to_vec()))
}

#[test]
fn a_blob_without_room_is_given_to_each_client_and_not_stored() {
    let large = Blob::noise(1, LARGE);
    let (hub, root, server) = without_room(&large);
    let repository = server.http().repository("a/b");
    repository.head(&format!("blobs/{}", large.digest())).expect(200);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(get(&repository, &large, None).unwrap() == (200, large.bytes().to_vec())));
        }
    });
    let part = get(&repository, &large, Some("bytes=2000000-2999999")).unwrap();
    assert!(part == (206, large.bytes()[2_000_000..3_000_000].to_vec()));
    hub.set(|hub| hub.faults = faults(&large, vec![Fault::Break(700_000), Fault::Break(1_900_000)]));
    assert!(get(&repository, &large, None).unwrap() == (200, large.bytes().to_vec()), "it is resumed");
    assert!(!blob(root.path(), large.digest()).exists());
    let fetch = wharf_with(root.path(), &["fetch", "a/b:t"], &[("REGISTRY_PROXY_REMOTEURL", &hub.url())]);
    let said = String::from_utf8_lossy(&fetch.stderr).into_owned();
    assert!(!fetch.status.success() && said.contains("no room"), "{said}");
    assert_eq!(files(&root.path().join("wharf/uploads")), Vec::<std::path::PathBuf>::new());
    // What fits is stored.
    let small = Image::new(5, "amd64");
    hub.put("c/d", "t", &small);
    server.http().repository("c/d").expect_image("t", &small);
    hub.set(|hub| hub.is_silent = true);
    server.http().repository("c/d").expect_image("t", &small);
}

#[test]
fn a_lie_about_a_blob_without_room_is_no_whole_body() {
    let large = Blob::noise(2, LARGE);
    let (hub, root, server) = without_room(&large);
    let repository = server.http().repository("a/b");
    for at in [0, LARGE / 2, LARGE - 1] {
        hub.set(|hub| hub.faults = faults(&large, vec![Fault::Lie(at)]));
        assert!(get(&repository, &large, None).is_err(), "{at}");
    }
    assert!(get(&repository, &large, None).unwrap() == (200, large.bytes().to_vec()));
    expect_honest_blobs(root.path());
}

#[test]
fn a_full_store_is_no_outage() {
    let (hub, root, image) = (Hub::new(), tempfile::tempdir().unwrap(), Image::new(3, "amd64"));
    hub.put("a/b", "t", &image);
    let server = launch(&hub, root.path()).set("REGISTRY_STORAGE_MIN_FREE", "100000TiB").start();
    for _ in 0..2 {
        server.http().repository("a/b").expect_image("t", &image);
    }
    for layer in image.blobs() {
        assert!(!blob(root.path(), layer.digest()).exists());
    }
}

/// A filesystem of its own that is small.
struct SmallFilesystem(tempfile::TempDir);

impl SmallFilesystem {
    fn new(size: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", size, "tmpfs"];
        assert!(Command::new("mount").args(mount).arg(root.path()).status().unwrap().success());
        Self(root)
    }
}

impl Drop for SmallFilesystem {
    fn drop(&mut self) {
        // Lazily: a server that failed a test may still be there.
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[test]
#[ignore = "needs root: run ./test"]
fn a_full_filesystem_breaks_no_pull_needs_root() {
    let (hub, root) = (Hub::new(), SmallFilesystem::new("size=16m"));
    let blobs: Vec<Blob> = (0..24).map(|seed| Blob::noise(seed, LARGE / 2)).collect();
    let config = Blob::noise(77, 10);
    hub.put_blob(&config);
    for (at, layer) in blobs.iter().enumerate() {
        let body = serde_json::json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        hub.put_blob(layer);
        hub.put_manifest(&format!("r{at}"), "t", &Manifest::new(&body, IMAGE_MANIFEST));
    }
    let server = launch(&hub, root.0.path()).start();
    thread::scope(|scope| {
        for client in 0..6 {
            let (server, blobs) = (&server, &blobs);
            scope.spawn(move || {
                for step in 0..blobs.len() {
                    let at = (step * 5 + client * 4) % blobs.len();
                    let repository = server.http().repository(&format!("r{at}"));
                    repository.manifest("t").expect(200);
                    let got = get(&repository, &blobs[at], None);
                    assert!(got.is_ok_and(|got| got == (200, blobs[at].bytes().to_vec())), "{}", server.log());
                }
            });
        }
    });
    expect_honest_blobs(root.0.path());
    // A blob that does not fit at all evicts nothing.
    let is_stored = |layer: &&Blob| blob(root.0.path(), layer.digest()).exists();
    let stored = blobs.iter().filter(is_stored).count();
    let large = Blob::noise(99, 8 * LARGE);
    hub.put_blob(&large);
    let body = serde_json::json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(), "layers": [large.descriptor()],
    });
    hub.put_manifest("large", "t", &Manifest::new(&body, IMAGE_MANIFEST));
    let repository = server.http().repository("large");
    repository.manifest("t").expect(200);
    assert!(get(&repository, &large, None).unwrap() == (200, large.bytes().to_vec()));
    assert!(stored > 5 && blobs.iter().filter(is_stored).count() == stored, "{stored}: {}", server.log());
}

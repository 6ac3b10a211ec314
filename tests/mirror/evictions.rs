//! Evictions that are killed, beside repositories that clients push to.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use crate::{
    hub::Hub,
    mirror::launch,
    support::{
        command::wharf_with,
        image::{Blob, IMAGE_MANIFEST, Image, Manifest},
        server::{Launch, Program, Server},
        store::expect_honest_blobs,
        wait::pass,
    },
};

fn settings(hub: &Hub) -> [(&'static str, String); 3] {
    [
        ("REGISTRY_UPSTREAM_0_PREFIX", "hub".to_owned()),
        ("REGISTRY_UPSTREAM_0_URL", hub.url()),
        ("REGISTRY_UPSTREAM_0_MAX_BYTES", "400KiB".to_owned()),
    ]
}

/// A registry with repositories of its own, and an upstream of which little is stored.
fn start(hub: &Hub, root: &Path) -> Server {
    let launch = Launch::new(Program::Wharf, root);
    settings(hub).iter().fold(launch, |launch, (name, value)| launch.set(name, value)).start()
}

fn expect_clean(hub: &Hub, root: &Path) {
    let settings = settings(hub);
    let variables: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let output = wharf_with(root, &["fsck"], &variables);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_kill_in_an_eviction_leaves_a_clean_store_and_pushed_images_whole() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let images: Vec<Image> = (0..24).map(|seed| Image::new(seed, "amd64")).collect();
    for (at, image) in images.iter().enumerate() {
        hub.put(&format!("r{}", at % 5), &at.to_string(), image);
    }
    // The layers of the first images are pushed, too.
    let own = &images[..6];
    let server = start(&hub, root.path());
    for (at, image) in own.iter().enumerate() {
        server.http().repository("own").push(&at.to_string(), image);
    }
    server.stop();
    for round in 0..6_u64 {
        let server = start(&hub, root.path());
        let is_killed = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let path = |at: usize| format!("hub/r{}", at % 5);
                for at in (0..images.len()).cycle() {
                    let repository = server.http().repository(&path(at));
                    let pull = || repository.expect_image(&at.to_string(), &images[at]);
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(pull)).is_err() {
                        assert!(is_killed.load(SeqCst), "{}", server.log());
                        return;
                    }
                }
            });
            server.expect_logged("unused for the longest time");
            pass(std::time::Duration::from_millis(37 * round), "any moment of an eviction");
            is_killed.store(true, SeqCst);
            server.signal_kill();
        });
        drop(server);
        expect_honest_blobs(root.path());
        expect_clean(&hub, root.path());
        let server = start(&hub, root.path());
        for (at, image) in own.iter().enumerate() {
            server.http().repository("own").expect_image(&at.to_string(), image);
        }
        server.http().repository("hub/r3").expect_image("8", &images[8]);
        server.stop();
    }
}

#[test]
fn what_is_pulled_often_stays_beside_images_with_the_same_base() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (base, config) = (Blob::noise(1, 50_000), Blob::noise(2, 10));
    hub.put_blob(&base);
    hub.put_blob(&config);
    let layers: Vec<Blob> = (10..34).map(|seed| Blob::noise(seed, 100_000)).collect();
    for (at, layer) in layers.iter().enumerate() {
        let body = serde_json::json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(),
            "layers": [base.descriptor(), layer.descriptor()],
        });
        hub.put_blob(layer);
        hub.put_manifest(&format!("r{at}"), "t", &Manifest::new(&body, IMAGE_MANIFEST));
    }
    let server = launch(&hub, root.path()).set("REGISTRY_PROXY_MAX_BYTES", "1MB").start();
    let pull = |at: usize| {
        let repository = server.http().repository(&format!("r{at}"));
        repository.manifest("t").expect(200);
        for blob in [&base, &layers[at]] {
            repository.get(&format!("blobs/{}", blob.digest())).expect(200);
        }
    };
    for at in 1..layers.len() {
        pull(at);
        pull(0);
    }
    server.expect_logged("unused for the longest time");
    let fetched = hub.seen().iter().filter(|seen| seen.method == "GET" && seen.path.contains("/r0/manifests/")).count();
    assert_eq!(fetched, 1, "it was evicted: {}", server.log());
}

//! Kills and power cuts while images are fetched and evicted: what is left is whole, and repositories of the registry's
//! own lose nothing.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};

use reqwest::Method;

use crate::{
    disk::Disk,
    hub::Hub,
    support::{
        command::wharf_with,
        http::{Registry, Repository, try_send},
        image::Image,
        server::{Launch, Program, Server},
        store::expect_honest_blobs,
        wait::pass,
    },
};

/// How many images the hub has. Three of them are pulled in a round, and the others are evicted.
const IMAGES: u64 = 12;

/// Settings with which what was fetched goes soon: it is evicted after a second, and collected at once.
const SETTINGS: [(&str, &str); 5] = [
    ("REGISTRY_UPSTREAM_0_PREFIX", "hub.test"),
    ("REGISTRY_UPSTREAM_0_FRESH", "0s"),
    ("REGISTRY_UPSTREAM_0_TTL", "1s"),
    ("REGISTRY_STORAGE_GC_GRACE", "0s"),
    ("REGISTRY_STORAGE_GC_INTERVAL", "1s"),
];

fn image(at: u64) -> Image {
    Image::new(100 + at, "amd64")
}

fn hub() -> Hub {
    let hub = Hub::new();
    (0..IMAGES).for_each(|at| hub.put(&format!("m/{at}"), "t", &image(at)));
    hub
}

fn start(hub: &Hub, root: &Path) -> Server {
    let launch = Launch::new(Program::Wharf, root).set("REGISTRY_UPSTREAM_0_URL", &hub.url());
    SETTINGS.iter().fold(launch, |launch, (name, value)| launch.set(name, value)).start()
}

/// Pulls an image as a client does; a body that is whole has the right bytes.
fn pull(repository: &Repository, image: &Image) -> reqwest::Result<()> {
    let manifest = try_send(repository.request(Method::GET, "manifests/t"))?;
    assert!(manifest.status != 200 || manifest.body == image.manifest().bytes());
    for blob in image.blobs() {
        let answer = try_send(repository.request(Method::GET, &format!("blobs/{}", blob.digest())))?;
        assert!(answer.status != 200 || answer.body == blob.bytes());
    }
    Ok(())
}

/// Pushes an image, one of two layers of which is one of the hub's as well; whether all of it was acknowledged.
fn push(repository: &Repository, tag: &str, image: &Image) -> bool {
    let taken = |answer: reqwest::Result<crate::support::http::Answer>| answer.is_ok_and(|answer| answer.status == 201);
    image.blobs().all(|blob| taken(repository.try_blob(blob))) && taken(repository.try_manifest(tag, image.manifest()))
}

/// Clients that pull and push until the server is gone. `pushed` counts the images that were acknowledged: `own:0`,
/// `own:1` and so on.
fn under_load(registry: &Registry, round: u64, pushed: &AtomicU64, end: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for first in 0..3 {
            let is_over = &is_over;
            scope.spawn(move || {
                for at in (0..3).cycle().skip(first).map(|at| (3 * round + at) % IMAGES) {
                    if is_over.load(SeqCst)
                        || pull(&registry.repository(&format!("hub.test/m/{at}")), &image(at)).is_err()
                    {
                        return;
                    }
                }
            });
        }
        scope.spawn(|| {
            let own = registry.repository("own");
            loop {
                let next = pushed.load(SeqCst);
                if is_over.load(SeqCst) || !push(&own, &next.to_string(), &image(next)) {
                    return;
                }
                pushed.store(next + 1, SeqCst);
            }
        });
        end();
        is_over.store(true, SeqCst);
    });
}

fn expect_whole(root: &Path, hub: &Hub) {
    expect_honest_blobs(root);
    let url = hub.url();
    let settings: Vec<_> = SETTINGS.into_iter().chain([("REGISTRY_UPSTREAM_0_URL", url.as_str())]).collect();
    let output = wharf_with(root, &["fsck"], &settings);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn expect_pushed(registry: &Registry, pushed: &AtomicU64) {
    let own = registry.repository("own");
    (0..pushed.load(SeqCst)).for_each(|at| own.expect_image(&at.to_string(), &image(at)));
}

/// The moments at which a round ends: after so many milliseconds, or when something was evicted.
const MOMENTS: [Option<u64>; 8] = [Some(30), Some(250), Some(800), None, Some(1500), None, Some(2100), None];

fn wait_for(moment: Option<u64>, server: &Server) {
    match moment {
        Some(milliseconds) => pass(Duration::from_millis(milliseconds), "the moment of the end"),
        None => server.expect_logged("evicted"),
    }
}

/// Rounds under load, each of which `end` ends; `between` is called when the server is gone.
fn rounds(root: &Path, end: impl Fn(&Server), between: impl Fn()) {
    let (hub, pushed) = (hub(), AtomicU64::new(0));
    for (round, moment) in (0..).zip(MOMENTS) {
        let server = start(&hub, root);
        under_load(&server.http(), round, &pushed, || {
            wait_for(moment, &server);
            end(&server);
        });
        drop(server);
        between();
        expect_whole(root, &hub);
        let server = start(&hub, root);
        expect_pushed(&server.http(), &pushed);
        server.http().repository("hub.test/m/0").expect_image("t", &image(0));
        server.stop();
    }
    assert!(pushed.load(SeqCst) > 0);
}

#[test]
fn kills_during_fetches_and_evictions_leave_everything_whole() {
    let root = tempfile::tempdir().unwrap();
    rounds(root.path(), Server::signal_kill, || {});
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn power_cuts_during_fetches_and_evictions_leave_everything_whole_needs_root() {
    // Nothing gets to the disk by itself within the time of the test.
    let disk = Disk::new(512 << 20, &[], "noauto_da_alloc,commit=300");
    let cut = |server: &Server| {
        disk.cut();
        server.signal_kill();
    };
    rounds(&disk.store(), cut, || disk.remount());
}

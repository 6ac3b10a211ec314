//! Very many blobs.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use crate::{
    support::{
        image::{Blob, Image},
        server::{Launch, Program, Server},
        store,
    },
    wharf::{collect, figures},
};

/// Lays `count` small blobs into the store, with a link each, as pushes without a manifest leave them.
fn lay(root: &Path, count: u64) {
    let layers = store::repository(root, "many/_layers/sha256");
    for seed in 0..count {
        let blob = Blob::new(format!("blob {seed}").into_bytes(), "application/octet-stream");
        let (data, link) = (store::blob(root, blob.digest()), layers.join(&blob.digest()[7..]).join("link"));
        for (path, bytes) in [(&data, blob.bytes()), (&link, blob.digest().as_bytes())] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    for part in ["revisions", "tags"] {
        fs::create_dir_all(store::repository(root, "many/_manifests").join(part)).unwrap();
    }
}

/// How long each read of a manifest and a blob takes, in order.
fn read(server: &Server, image: &Image, over: &dyn Fn() -> bool) -> Vec<Duration> {
    let repository = server.http().repository("kept");
    let blob = image.blobs().next().unwrap();
    let mut times = Vec::new();
    while !over() {
        let begun = Instant::now();
        repository.manifest("latest").expect(200);
        assert!(repository.get(&format!("blobs/{}", blob.digest())).expect(200).body == blob.bytes());
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times
}

fn percentiles(times: &[Duration]) -> String {
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!("p50 {:?}, p99 {:?} of {}", at(50), at(99), times.len())
}

#[expect(clippy::print_stdout, reason = "the figures are worth reading after a success too")]
fn collect_many(count: u64, build: fn(Launch) -> Launch) {
    let root = tempfile::tempdir().unwrap();
    lay(root.path(), count);
    let launch = Launch::new(Program::Wharf, root.path()).set("REGISTRY_STORAGE_GC_GRACE", "0s");
    let server = build(launch.set("REGISTRY_STORAGE_GC_INTERVAL", "0")).start();
    let image = Image::new(1, "amd64");
    server.http().repository("kept").push("latest", &image);
    let until = Instant::now() + Duration::from_secs(3);
    let idle = read(&server, &image, &|| Instant::now() > until);
    let over = AtomicBool::new(false);
    let (report, busy) = thread::scope(|scope| {
        let reader = scope.spawn(|| read(&server, &image, &|| over.load(Relaxed)));
        let report = collect(root.path(), &[]);
        over.store(true, Relaxed);
        (report, reader.join().unwrap())
    });
    assert_eq!(figures(&report), [count, count, 0, 1]);
    server.http().repository("kept").expect_image("latest", &image);
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!(
        "{count} blobs in {} s; reads while idle: {}; meanwhile: {}; {peak}",
        report["seconds"],
        percentiles(&idle),
        percentiles(&busy)
    );
}

#[test]
fn two_thousand_blobs_go_while_others_are_read() {
    collect_many(2_000, |launch| launch);
}

#[test]
#[ignore = "needs some minutes: run ./test --long"]
fn a_hundred_thousand_blobs_go_while_others_are_read_needs_time() {
    collect_many(100_000, Launch::optimised);
}

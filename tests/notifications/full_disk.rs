//! A full disk: a push fails, and what was acknowledged is reported.

use std::fs;

use crate::{
    disk::Disk,
    endpoint::{Endpoint, Mood},
    support::{image::Blob, server::Program, wait::eventually},
};

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn on_a_full_disk_no_push_is_acknowledged_and_unreported_needs_root() {
    let (disk, endpoint) = (Disk::new(16 << 20, &[], "defaults"), Endpoint::new());
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 12 << 20]).unwrap();
    endpoint.set(Mood::Answers(503));
    let launch = || endpoint.launch(Program::Wharf, &disk.store(), "");
    let server = launch().start();
    let (repository, mut acknowledged) = (server.http().repository("full"), Vec::new());
    let refused = (0..10_000).find_map(|seed| {
        let blob = Blob::noise(seed, 5000);
        let answer = repository.try_blob(&blob).unwrap();
        if answer.status == 201 {
            acknowledged.push(blob.digest().to_owned());
            return None;
        }
        Some(answer)
    });
    assert!(refused.expect("the disk never fills up").status >= 500);
    assert!(acknowledged.len() > 10);
    fs::remove_file(&ballast).unwrap();
    server.kill();
    let server = launch().start();
    endpoint.set(Mood::Answers(200));
    let reported = || {
        endpoint.events().iter().map(|event| event["target"]["digest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    eventually("all is reported", || acknowledged.iter().all(|digest| reported().contains(digest)));
    for digest in reported() {
        server.http().repository("full").head(&format!("blobs/{digest}")).expect(200);
    }
}

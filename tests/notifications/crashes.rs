//! Kills and power cuts: no acknowledged change is unreported, and none is reported that was not made.

use std::{collections::HashMap, path::Path, sync::Mutex, thread, time::Duration};

use reqwest::Method;
use serde_json::Value;

use crate::{
    disk::Disk,
    endpoint::{Endpoint, Mood, named},
    support::{
        client::find,
        http::{Registry, try_send},
        image::Image,
        server::{Program, Server},
        wait::{eventually, kill, pass},
    },
};

/// What clients were told: for each repository, the changes in the order of their acknowledgements.
#[derive(Default)]
struct Acknowledged(Mutex<HashMap<String, Vec<(String, String)>>>);

impl Acknowledged {
    fn note(&self, repository: &str, action: &str, name: &str) {
        let mut all = self.0.lock().unwrap();
        all.entry(repository.to_owned()).or_default().push((action.to_owned(), name.to_owned()));
    }

    /// What of it was not reported, or in another order.
    fn unreported(&self, events: &[Value]) -> Vec<String> {
        let mut reported = HashMap::<String, Vec<(String, String)>>::new();
        for (action, repository, name) in events.iter().map(named) {
            reported.entry(repository).or_default().push((action, name));
        }
        let mut missing = Vec::new();
        for (repository, changes) in &*self.0.lock().unwrap() {
            // What was acknowledged is found in the order of the acknowledgements, with others between.
            let mut rest = reported.get(repository).map(Vec::as_slice).unwrap_or_default().iter();
            let lost = changes.iter().filter(|change| !rest.by_ref().any(|event| event == *change));
            missing.extend(lost.map(|change| format!("{repository}: {change:?}")));
        }
        missing
    }
}

/// One client pushes images with ever new tags, and deletes some of the tags, until its registry is gone.
fn work(registry: &Registry, told: &Acknowledged, name: &str, round: u64) {
    let repository = registry.repository(name);
    for number in 0.. {
        let (image, tag) = (Image::new(round * 1000 + number, "amd64"), format!("r{round}-{number}"));
        for blob in image.blobs() {
            if !repository.try_blob(blob).is_ok_and(|answer| answer.status == 201) {
                return;
            }
        }
        let pushed = repository.try_manifest(&tag, image.manifest());
        if !pushed.is_ok_and(|answer| answer.status == 201) {
            return;
        }
        told.note(name, "push", &tag);
        if number % 3 == 0 {
            let deleted = try_send(repository.request(Method::DELETE, &format!("manifests/{tag}")));
            if !deleted.is_ok_and(|answer| answer.status == 202) {
                return;
            }
            told.note(name, "delete", &tag);
        }
    }
}

fn start(endpoint: &Endpoint, root: &Path) -> Server {
    endpoint.launch(Program::Wharf, root, ", timeout: 5s").set("REGISTRY_LOG_ACCESSLOG_DISABLED", "true").start()
}

/// Waits until all that was acknowledged is reported; then nothing is reported that is not there.
fn check(endpoint: &Endpoint, registry: &Registry, told: &Acknowledged) {
    endpoint.set(Mood::Answers(200));
    eventually(&format!("all is reported: {:?}", told.unreported(&endpoint.events())), || {
        told.unreported(&endpoint.events()).is_empty()
    });
    let mut last = HashMap::new();
    for (action, repository, name) in endpoint.events().iter().map(named) {
        last.insert((repository, name), action);
    }
    for ((repository, name), action) in last {
        let path = if name.contains(':') { format!("blobs/{name}") } else { format!("manifests/{name}") };
        let there = registry.repository(&repository);
        let mut status = there.head(&path).status;
        if status == 404 && name.contains(':') {
            status = there.head(&format!("manifests/{name}")).status;
        }
        let expected = if action == "delete" { 404 } else { 200 };
        assert_eq!(status, expected, "{action} of {repository} {name} was reported");
    }
}

/// Rounds of work that each end by `end`; the endpoint is in another mood in each.
fn rounds(endpoint: &Endpoint, root: &Path, count: u64, end: impl Fn(&Server)) {
    const MOODS: [Mood; 4] = [Mood::Answers(200), Mood::Answers(500), Mood::HangsUp, Mood::Answers(200)];
    let told = Acknowledged::default();
    let mut server = start(endpoint, root);
    for round in 0..count {
        endpoint.set(MOODS[usize::try_from(round).unwrap() % MOODS.len()]);
        let registry = server.http();
        thread::scope(|scope| {
            for client in 0..3 {
                let (registry, told) = (&registry, &told);
                scope.spawn(move || work(registry, told, &format!("load/{client}"), round));
            }
            pass(Duration::from_millis(50 + round * 37 % 200), "the moment of the kill");
            end(&server);
        });
        drop(server);
        server = start(endpoint, root);
    }
    check(endpoint, &server.http(), &told);
    assert!(!told.0.lock().unwrap().is_empty());
}

#[test]
fn kills_under_load_leave_nothing_unreported() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    rounds(&endpoint, root.path(), 12, Server::signal_kill);
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn power_cuts_under_load_leave_nothing_unreported_needs_root() {
    let (disk, endpoint) = (Disk::new(512 << 20, &[], "noauto_da_alloc,commit=300"), Endpoint::new());
    let told = Acknowledged::default();
    let mut server = start(&endpoint, &disk.store());
    for round in 0..10 {
        endpoint.set(if round % 2 == 0 { Mood::Answers(500) } else { Mood::Answers(200) });
        let registry = server.http();
        thread::scope(|scope| {
            for client in 0..3 {
                let (registry, told) = (&registry, &told);
                scope.spawn(move || work(registry, told, &format!("load/{client}"), round));
            }
            pass(Duration::from_millis(100 + round * 37 % 200), "the moment of the cut");
            disk.cut();
            server.signal_kill();
        });
        drop(server);
        disk.remount();
        server = start(&endpoint, &disk.store());
    }
    check(&endpoint, &server.http(), &told);
}

/// A push and a delete, killed at the first, the second, … of the calls that write, until they come to their end.
#[test]
#[ignore = "needs strace: run ./test"]
fn a_kill_at_every_step_of_a_push_and_a_delete_leaves_nothing_unreported_needs_strace() {
    for calls in ["fsync,fdatasync", "rename,renameat,renameat2,link,linkat", "mkdir,mkdirat", "unlink,unlinkat"] {
        let (root, endpoint, told) = (tempfile::tempdir().unwrap(), Endpoint::new(), Acknowledged::default());
        endpoint.set(Mood::Answers(500));
        let (mut when, mut killed) = (1, 0);
        loop {
            let server = start(&endpoint, root.path());
            server.http().repository("app").push_blob(&crate::support::image::Blob::noise(0, 10));
            let mut strace = std::process::Command::new(find("strace"));
            let inject = format!("inject={calls}:signal=KILL:when={when}");
            strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &inject, "-p"]);
            let mut strace = strace.arg(server.pid().to_string()).stderr(std::process::Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(strace.stderr.as_mut().unwrap()), &mut said)
                .unwrap();
            assert!(said.contains("attached"), "{said}");
            step(&server.http(), &told, when);
            // Its end can be waited for only when strace has let go of it.
            let was_killed = server.http().try_get("/v2/").is_err();
            killed += u32::from(was_killed);
            server.kill();
            kill(&mut strace);
            if !was_killed || when > 60 {
                break;
            }
            when += 1;
        }
        assert!(killed > 0, "{calls}: no call was struck");
        let server = start(&endpoint, root.path());
        check(&endpoint, &server.http(), &told);
    }
}

/// A push of an image, and a delete of its tag.
fn step(registry: &Registry, told: &Acknowledged, number: u64) {
    let (repository, image, tag) = (registry.repository("app"), Image::new(number, "amd64"), format!("t{number}"));
    for blob in image.blobs() {
        if repository.try_blob(blob).is_ok_and(|answer| answer.status == 201) {
            told.note("app", "push", blob.digest());
        }
    }
    if repository.try_manifest(&tag, image.manifest()).is_ok_and(|answer| answer.status == 201) {
        told.note("app", "push", &tag);
    }
    let deleted = try_send(repository.request(Method::DELETE, &format!("manifests/{tag}")));
    if deleted.is_ok_and(|answer| answer.status == 202) {
        told.note("app", "delete", &tag);
    }
}

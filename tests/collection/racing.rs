//! Clients that push, delete, mount, go away and read, while a collection begins every second.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use reqwest::Method;

use crate::{
    support::{
        http::{Repository, send},
        image::{Blob, Image, Index, sha256},
        server::{Launch, Program, Server},
        store,
        wait::{holds_within, pass},
    },
    wharf::{hasty, wharf},
};

const CLIENTS: u64 = 6;

/// How long it goes on: `WHARF_SECONDS`, else as long as a test may take.
fn time() -> Duration {
    Duration::from_secs(std::env::var("WHARF_SECONDS").map_or(8, |seconds| seconds.parse().unwrap()))
}

/// Pushes as docker does: what is there is not sent again.
fn push(repository: &Repository, tag: &str, image: &Image) {
    for blob in image.blobs() {
        if repository.head(&format!("blobs/{}", blob.digest())).status == 404 {
            repository.push_blob(blob);
        }
    }
    repository.push_manifest(tag, image.manifest());
}

/// Pulls whatever a tag is at the moment. Between two requests its manifest may be deleted, and nothing else may be
/// missing.
fn read(repository: &Repository, tag: &str) {
    let manifest = repository.manifest(tag);
    if manifest.status == 404 {
        return;
    }
    let digest = sha256(&manifest.body);
    for blob in blobs(&manifest.json()) {
        let answer = repository.get(&format!("blobs/{blob}"));
        if answer.status == 404 {
            repository.manifest(&digest).expect(404);
            return;
        }
        assert_eq!(sha256(&answer.expect(200).body), blob);
    }
}

fn blobs(manifest: &serde_json::Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().into_iter().flatten();
    let digests = layers.chain([&manifest["config"]]).filter_map(|descriptor| descriptor["digest"].as_str());
    digests.map(str::to_owned).collect()
}

/// Sends half of what it says it sends.
fn disconnect(server: &Server, repository: &Repository) {
    let location = repository.begin();
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    write!(socket, "PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n").unwrap();
    socket.write_all(&vec![7; 50_000]).unwrap();
    drop(socket);
    send(repository.registry().request(Method::DELETE, &location));
}

fn client(server: &Server, number: u64, over: &AtomicBool) -> u64 {
    let own = server.http().repository(&format!("raced/{}", number % 3));
    let other = server.http().repository(&format!("raced/{}", (number + 1) % 3));
    let mut round = 0;
    while !over.load(Relaxed) {
        let seed = (number * 5 + round) % 7;
        let (image, tag) = (Image::new(seed, "amd64"), format!("t{}", (number + round) % 4));
        match (number + round) % 7 {
            0 | 1 => push(&own, &tag, &image),
            2 => read(&own, &tag),
            3 => {
                let status = own.delete(&format!("manifests/{}", image.manifest().digest())).status;
                assert!([202, 404].contains(&status), "DELETE: {status}");
            }
            4 => mount(&own, &other, &image, &tag),
            5 => disconnect(server, &own),
            _ => own.push_index(&tag, &Index::new(vec![image, Image::new(seed + 50, "arm64")])),
        }
        round += 1;
    }
    round
}

fn mount(own: &Repository, other: &Repository, image: &Image, tag: &str) {
    for blob in image.blobs() {
        let from = other.path("").trim_start_matches("/v2/").trim_end_matches('/').to_owned();
        let answer = send(own.request(Method::POST, &format!("blobs/uploads/?mount={}&from={from}", blob.digest())));
        match answer.status {
            201 => {}
            202 => {
                let location = answer.header("location").unwrap().to_owned();
                own.finish(&location, blob.digest(), blob.bytes()).unwrap().expect(201);
            }
            status => panic!("mount: {status}"),
        }
    }
    own.push_manifest(tag, image.manifest());
}

fn expect_blobs(repository: &Repository, manifest: &serde_json::Value) {
    for blob in blobs(manifest) {
        repository.get(&format!("blobs/{blob}")).expect(200);
    }
}

/// Every manifest that can be read has all that it refers to.
fn expect_whole(server: &Server) {
    for name in server.http().catalog() {
        let repository = server.http().repository(&name);
        for tag in repository.tags() {
            let manifest = repository.manifest(&tag).expect(200);
            for child in manifest.json()["manifests"].as_array().into_iter().flatten() {
                let child = repository.manifest(child["digest"].as_str().unwrap()).expect(200);
                expect_blobs(&repository, &child.json());
            }
            expect_blobs(&repository, &manifest.json());
        }
    }
}

/// Whoever tags what has no tag, without sending its parts again, is refused or has all of it.
#[test]
fn what_is_tagged_during_a_collection_of_the_untagged_is_whole_or_refused() {
    const INDEXES: u64 = 12;
    let root = tempfile::tempdir().unwrap();
    let server = hasty(root.path());
    let repository = server.http().repository("retagged");
    let (mut kept, mut refused) = (0, 0);
    for round in 0..60 {
        if round >= 6 && kept > 0 && refused > 0 {
            break;
        }
        let indexes: Vec<_> = (0..INDEXES).map(|count| Index::two_platforms(1000 * round + 10 * count)).collect();
        for index in &indexes {
            index.images().iter().for_each(|image| repository.push(image.manifest().digest(), image));
            repository.push_manifest(index.manifest().digest(), index.manifest());
        }
        let answers: Vec<_> = thread::scope(|scope| {
            let collection = scope.spawn(|| wharf(root.path(), &["gc", "--untagged"]));
            let tag = |(count, index): (usize, &Index)| {
                pass(Duration::from_millis(5), "tags are spread over the collection");
                repository.try_manifest(&format!("r{round}-{count}"), index.manifest()).unwrap()
            };
            let answers = indexes.iter().enumerate().map(tag).collect();
            assert!(collection.join().unwrap().status.success());
            answers
        });
        for (count, (index, answer)) in indexes.iter().zip(answers).enumerate() {
            if answer.status == 201 {
                repository.expect_index(&format!("r{round}-{count}"), index);
                kept += 1;
            } else {
                assert_eq!(answer.expect(400).code(), "MANIFEST_BLOB_UNKNOWN");
                refused += 1;
            }
        }
    }
    assert!(kept > 0 && refused > 0, "{kept} kept, {refused} refused: nothing raced");
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are worth reading after a success too")]
fn clients_never_miss_what_they_were_told_of_while_collections_run() {
    let root = tempfile::tempdir().unwrap();
    let launch = Launch::new(Program::Wharf, root.path()).set("REGISTRY_STORAGE_GC_INTERVAL", "1s");
    let launch = launch.set("REGISTRY_STORAGE_GC_GRACE", "3s").set("REGISTRY_LOG_ACCESSLOG_DISABLED", "true");
    let server = launch.set("REGISTRY_LIMITS_UPLOADS_PER_CLIENT", "200").start();
    let scheduled = || server.log().matches("collected what nothing refers to").count();
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let rounds: u64 = thread::scope(|scope| {
        let client = |number| {
            let (server, over) = (&server, &over);
            scope.spawn(move || client(server, number, over))
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        // Untagged manifests go as well, now and then.
        scope.spawn(|| {
            while !over.load(Relaxed) {
                pass(Duration::from_millis(700), "between two commands");
                if wharf(root.path(), &["gc", "--untagged"]).status.success() {
                    asked.fetch_add(1, Relaxed);
                }
            }
        });
        // A collection gives way to requests: on a slow machine one may take as long as all this was meant to.
        let least = Instant::now() + time();
        let raced = || Instant::now() >= least && scheduled() > 0 && asked.load(Relaxed) > 0;
        holds_within(10 * time(), || raced() || clients.iter().any(thread::ScopedJoinHandle::is_finished));
        over.store(true, Relaxed);
        let rounds = clients.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>();
        rounds.into_iter().map(Result::unwrap).sum()
    });
    expect_whole(&server);
    store::expect_honest_blobs(root.path());
    let (scheduled, asked) = (scheduled(), asked.into_inner());
    assert!(scheduled > 0 && asked > 0, "{scheduled} and {asked} collections:\n{}", server.log());
    assert!(!server.log().contains(" ERROR "), "{}", server.log());
    println!("{rounds} rounds of {CLIENTS} clients, {scheduled} scheduled collections, {asked} that were asked for");
    let blob = Blob::noise(1, 10);
    server.http().repository("raced/0").push_blob(&blob);
}

//! Ends of a process, wanted and not, and what the next one takes up.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use reqwest::Method;

use crate::{
    journal::{Journal, expect_whole_or_absent},
    support::{
        http::{Repository, send},
        image::{Blob, Image},
        server::{Launch, Program, Server},
        wait::pass,
    },
};

const MIB: usize = 1 << 20;

/// How many bytes the session has, by its own account.
pub(crate) fn status(repository: &Repository, location: &str) -> usize {
    let answer = send(repository.registry().request(Method::GET, location)).expect(204);
    let range = answer.header("range").expect("a session's status has a Range").to_owned();
    range.strip_prefix("0-").and_then(|end| end.parse::<usize>().ok()).map_or(0, |end| end + 1)
}

/// A PATCH that promises more than it sends, and stays open.
fn half_a_patch(addr: SocketAddr, location: &str, bytes: &[u8], promised: usize) -> TcpStream {
    let path = location.find("/v2/").map_or(location, |at| &location[at..]);
    let mut stream = TcpStream::connect(addr).unwrap();
    let head = format!("PATCH {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {promised}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"Content-Type: application/octet-stream\r\n\r\n").unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Resumes at what the status says and finishes.
pub(crate) fn resume(repository: &Repository, location: &str, blob: &Blob, from: usize) {
    let (rest, last) = blob.bytes()[from..].split_at((blob.bytes().len() - from) / 2);
    let range = format!("{from}-{}", from + rest.len() - 1);
    let request = repository.registry().request(Method::PATCH, location).header("Content-Range", range);
    let patched = send(request.header("Content-Type", "application/octet-stream").body(rest.to_vec())).expect(202);
    let location = patched.header("location").unwrap();
    repository.finish(location, blob.digest(), last).unwrap().expect(201);
    let answer = repository.get(&format!("blobs/{}", blob.digest())).expect(200);
    assert!(answer.body == blob.bytes());
}

/// Uploads 8 MiB that are acknowledged and `unacknowledged` bytes that are not, ends the process by `end`, and finishes
/// with the next one.
fn interrupted(unacknowledged: usize, end: impl FnOnce(Server)) {
    let (root, blob) = (tempfile::tempdir().unwrap(), Blob::noise(1, 24 * MIB));
    let server = Server::start(root.path());
    let repository = server.http().repository("resumed");
    let patched = repository.patch(&repository.begin(), &blob.bytes()[..8 * MIB]).unwrap().expect(202);
    let location = patched.header("location").unwrap().to_owned();
    let part = &blob.bytes()[8 * MIB..8 * MIB + unacknowledged];
    let open = (!part.is_empty()).then(|| half_a_patch(server.addr(), &location, part, 16 * MIB));
    end(server);
    drop(open);

    let server = Server::start(root.path());
    let repository = server.http().repository("resumed");
    let path = &location[location.find("/v2/").unwrap()..];
    let length = status(&repository, path);
    assert!((8 * MIB..=8 * MIB + unacknowledged).contains(&length), "{length} bytes are left");
    resume(&repository, path, &blob, length);
}

#[test]
fn an_upload_resumes_after_a_kill_in_the_midst_of_a_patch() {
    interrupted(4 * MIB, |server| assert!(!server.kill().success()));
}

#[test]
fn an_upload_resumes_after_a_kill_between_two_patches() {
    interrupted(0, |server| assert!(!server.kill().success()));
}

#[test]
fn an_upload_resumes_after_a_stop() {
    interrupted(0, |server| assert!(server.stop().success()));
}

#[test]
fn what_was_acknowledged_survives_kills_under_load() {
    let (root, journal) = (tempfile::tempdir().unwrap(), Journal::default());
    let mut images = Vec::new();
    for round in 0..6_u64 {
        let server = Server::start(root.path());
        let (registry, stopping) = (server.http(), AtomicBool::new(false));
        let pushed = thread::scope(|scope| {
            let push = |client: u64| {
                let mut pushed = Vec::new();
                for count in (0..).take_while(|_| !stopping.load(Ordering::Relaxed)) {
                    let seed = round * 1_000_000 + client * 10_000 + count;
                    let (repository, image) = (format!("load/{}", client % 2), Image::new(seed, "amd64"));
                    journal.push(&registry, &repository, &seed.to_string(), &image);
                    pushed.push((repository, seed.to_string(), image));
                }
                pushed
            };
            let clients: Vec<_> = (0..4).map(|client| scope.spawn(move || push(client))).collect();
            pass(Duration::from_millis(150 + 70 * round), "the moment of the kill, another one each round");
            server.kill();
            stopping.store(true, Ordering::Relaxed);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        images.extend(pushed);
    }
    assert!(journal.len() > 20, "only {} acknowledgements", journal.len());
    let server = Server::start(root.path());
    journal.check(&server.http());
    for (repository, tag, image) in &images {
        expect_whole_or_absent(&server.http(), repository, tag, image);
        server.http().repository(repository).push(tag, image);
    }
    journal.check(&server.http());
}

#[test]
fn a_second_process_on_the_same_store_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let first = Launch::new(Program::Wharf, root.path()).start();
    let log = Launch::new(Program::Wharf, root.path()).attempt().err().expect("two processes serve one store");
    assert!(log.contains(&root.path().display().to_string()), "the refusal does not name the store: {log}");
    first.http().get("/v2/").expect(200);
    first.kill();
    Launch::new(Program::Wharf, root.path()).start().http().get("/v2/").expect(200);
}

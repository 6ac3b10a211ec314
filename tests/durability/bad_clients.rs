//! Clients that are slow, broken or gone: nobody else waits for them, and nothing of them is left.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use crate::support::{
    http::Registry,
    image::{Blob, Image},
    server::{Launch, Program, Server},
    store,
    wait::{PATIENCE, holds_in_time},
};

const EACH: usize = 40;

fn connect(addr: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// One of each kind, open for as long as it is held.
fn bad_client(server: &Server, kind: usize, blob: &str) -> Option<TcpStream> {
    let addr = server.addr();
    let repository = server.http().repository("bad");
    let head = |method: &str, path: &str, rest: &str| format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{rest}");
    match kind % 8 {
        // A head that never ends, and nothing at all.
        0 => Some(connect(addr, b"GET /v2/ HTTP/1.1\r\nHos")),
        1 => Some(connect(addr, b"")),
        // A body that stops, of a known length and in chunks.
        2 => Some(connect(addr, head("PATCH", &repository.begin(), "Content-Length: 100000\r\n\r\nsome").as_bytes())),
        3 => Some(connect(
            addr,
            head("PATCH", &repository.begin(), "Transfer-Encoding: chunked\r\n\r\nff\r\nsome").as_bytes(),
        )),
        // A body that breaks off, and one whose sender says that it ends.
        4 => {
            drop(connect(addr, head("PATCH", &repository.begin(), "Content-Length: 100000\r\n\r\nsome").as_bytes()));
            None
        }
        5 => {
            let stream = connect(
                addr,
                head("PUT", &format!("{}?digest={blob}", repository.begin()), "Content-Length: 9\r\n\r\nso").as_bytes(),
            );
            stream.shutdown(Shutdown::Write).unwrap();
            Some(stream)
        }
        // A download that nobody reads, and one that is left in the midst.
        6 => Some(connect(addr, head("GET", &repository.path(&format!("blobs/{blob}")), "\r\n").as_bytes())),
        _ => {
            let mut stream = connect(addr, head("GET", &repository.path(&format!("blobs/{blob}")), "\r\n").as_bytes());
            stream.read_exact(&mut [0; 1000]).unwrap();
            None
        }
    }
}

/// Open descriptors, resident bytes, and files of uploads.
fn holdings(server: &Server) -> (usize, u64, usize) {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").trim().parse().unwrap();
    (descriptors, kib * 1024, store::files(&server.root().join("wharf/uploads")).len())
}

fn expect_service(registry: &Registry, image: &Image, tag: &str) {
    let repository = registry.repository("good");
    repository.push(tag, image);
    repository.expect_image(tag, image);
    registry.get("/v2/").expect(200);
}

#[test]
fn nobody_waits_for_bad_clients_and_nothing_is_left_of_them() {
    let root = tempfile::tempdir().unwrap();
    let launch = Launch::new(Program::Wharf, root.path()).set("REGISTRY_LIMITS_BODY__IDLE", "2s");
    let launch = launch.set("REGISTRY_LIMITS_BODY_IDLE", "2s").set("REGISTRY_LIMITS_CONNECTIONS_PER_ADDRESS", "2000");
    let launch = launch.set("REGISTRY_LIMITS_UPLOADS_PER_CLIENT", "200").set("REGISTRY_LOG_ACCESSLOG_DISABLED", "true");
    let launch = launch.set("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_AGE", "1s");
    let server = launch.set("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_INTERVAL", "1s").start();
    let (registry, blob) = (server.http(), Blob::noise(1, 8 << 20));
    registry.repository("bad").push_blob(&blob);
    expect_service(&registry, &Image::new(1, "amd64"), "before");
    let (descriptors, resident, _) = holdings(&server);

    let open: Vec<_> = (0..EACH * 8).filter_map(|kind| bad_client(&server, kind, blob.digest())).collect();
    for seed in 2..6 {
        expect_service(&registry, &Image::new(seed, "amd64"), "meanwhile");
    }
    drop(open);

    // Those that were cut by the server's own clock, and the uploads that nobody ends, go in their own time.
    let mut left = String::new();
    let is_clean = holds_in_time(|| {
        let (now, _, uploads) = holdings(&server);
        left = format!("{now} descriptors are open, {descriptors} before; {uploads} uploads are left");
        now <= descriptors + 8 && uploads == 0
    });
    assert!(is_clean, "{left}");
    expect_service(&registry, &Image::new(7, "amd64"), "after");
    let grown = holdings(&server).1.saturating_sub(resident);
    assert!(grown < 32 << 20, "{grown} bytes of memory stay");
    assert!(!server.log().contains(" ERROR "), "{}", server.log());
}

#[test]
fn clients_that_stay_are_cut_by_the_clock() {
    let root = tempfile::tempdir().unwrap();
    let server = Launch::new(Program::Wharf, root.path()).set("REGISTRY_LIMITS_BODY_IDLE", "1s").start();
    let location = server.http().repository("bad").begin();
    for bytes in [
        "GET /v2/ HTTP/1.1\r\nHos".to_owned(),
        format!("PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome"),
        format!("PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nsome"),
    ] {
        let mut stream = connect(server.addr(), bytes.as_bytes());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = Vec::new();
        // The server ends it, with an answer; the client did nothing.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.starts_with(b"HTTP/1.1 408"), "{bytes}: {}", String::from_utf8_lossy(&answer));
    }
}

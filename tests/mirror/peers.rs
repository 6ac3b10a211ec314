//! The same rows against wharf, registry:2 and registry:3, each beside the hub.

use std::{io::Read as _, thread, time::Duration};

use reqwest::Method;
use tempfile::TempDir;

use crate::{
    hub::{Fault, Gate, Hub},
    support::{
        http::{Repository, send, try_send},
        image::{Blob, IMAGE_MANIFEST, Image, Manifest},
        server::{Launch, Program, Server},
    },
};

const SIZE: usize = 8 * 1024 * 1024;

/// A registry of one kind that is filled from a hub, which has the blob as the layer of `a/b:t` and of `c/d:t`.
struct Site {
    hub: Hub,
    root: TempDir,
    program: Program,
    server: Server,
    blob: Blob,
}

fn launch(program: Program, hub: &Hub, root: &TempDir) -> Launch {
    Launch::new(program, root.path()).set("REGISTRY_PROXY_REMOTEURL", &hub.url())
}

impl Site {
    fn new(program: Program) -> Self {
        let (hub, root, blob, config) =
            (Hub::new(), tempfile::tempdir().unwrap(), Blob::noise(1, SIZE), Blob::noise(2, 10));
        hub.put_blob(&blob);
        hub.put_blob(&config);
        let body = serde_json::json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(), "layers": [blob.descriptor()],
        });
        for repository in ["a/b", "c/d"] {
            hub.put_manifest(repository, "t", &Manifest::new(&body, IMAGE_MANIFEST));
        }
        hub.put("small", "t", &Image::new(5, "amd64"));
        let server = launch(program, &hub, &root).start();
        server.http().repository("a/b").manifest("t").expect(200);
        Self { hub, root, program, server, blob }
    }

    fn repository(&self) -> Repository {
        self.server.http().repository("a/b")
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.blob.digest())
    }

    fn pull(&self) -> reqwest::Result<Vec<u8>> {
        Ok(try_send(self.repository().request(Method::GET, &self.path()))?.body.to_vec())
    }

    fn gets(&self) -> usize {
        self.hub.count("GET", &format!("/blobs/{}", self.blob.digest()))
    }
}

/// How the answer to a pull looks.
fn body(site: &Site, pulled: Option<Vec<u8>>) -> &'static str {
    match pulled {
        Some(body) if body == site.blob.bytes() => "right",
        Some(body) if body.len() == SIZE => "wrong and whole",
        Some(_) => "other",
        None => "short",
    }
}

fn row_01(program: Program) -> String {
    let site = Site::new(program);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| site.pull());
        }
    });
    let one_or_more = if site.gets() == 1 { "one GET" } else { "several GETs" };
    let heads = site.hub.count("HEAD", "blobs");
    format!("{one_or_more}, {}", if heads == 0 { "no HEAD" } else { "HEADs" })
}

fn row_04(program: Program) -> String {
    let site = Site::new(program);
    // The peers send two requests, and one of them is for the client.
    let faults = vec![Fault::Break(SIZE / 2), Fault::Break(SIZE * 3 / 4)];
    site.hub.set(|hub| drop(hub.faults.insert(site.blob.digest().to_owned(), faults)));
    let mut received = Vec::new();
    let request = site.repository().request(Method::GET, &site.path());
    let end = request.send().unwrap().read_to_end(&mut received);
    let has_json = received.windows(9).any(|window| window == b"{\"errors\"");
    (if has_json { "JSON in the body" } else { body(&site, end.ok().map(|_| received)) }).to_owned()
}

fn row_05(program: Program) -> String {
    let site = Site::new(program);
    site.hub.set(|hub| hub.fault = Some(Fault::Lie(SIZE - 1)));
    body(&site, site.pull().ok()).to_owned()
}

fn row_08(program: Program) -> String {
    let site = Site::new(program);
    let answer = send(site.repository().request(Method::GET, &site.path()).header("Range", "bytes=1000-1999"));
    format!("{} with {} bytes", answer.status, answer.body.len())
}

fn row_10(program: Program) -> String {
    let site = Site::new(program);
    let small = site.server.http().repository("small");
    small.expect_image("t", &Image::new(5, "amd64"));
    site.hub.set(|hub| hub.is_silent = true);
    // Of wharf, a tag that is fresh would say nothing, so a new one begins the wait.
    let ask = |tag: &str, seconds| {
        let request = small.request(Method::GET, &format!("manifests/{tag}")).header("Accept", IMAGE_MANIFEST);
        try_send(request.timeout(Duration::from_secs(seconds))).is_ok_and(|answer| answer.status == 200)
    };
    let _ = ask("none", 15);
    (if ask("t", 15) { "served" } else { "no answer in 15 s" }).to_owned()
}

fn row_11(program: Program) -> String {
    let Site { hub, root, program, server, .. } = Site::new(program);
    server.stop();
    // Nobody accepts connections there.
    let starts = Launch::new(program, root.path()).set("REGISTRY_PROXY_REMOTEURL", "http://127.0.0.1:1").attempt();
    drop(hub);
    (if starts.is_ok() { "starts" } else { "does not start" }).to_owned()
}

fn row_12(program: Program) -> String {
    let site = Site::new(program);
    site.hub.forget();
    (0..100).for_each(|_| drop(site.repository().manifest("t").expect(200)));
    let asked = site.hub.count("HEAD", "manifests") + site.hub.count("GET", "manifests");
    (if asked <= 1 { "one request at most" } else { "a request each" }).to_owned()
}

fn row_13(program: Program) -> String {
    let site = Site::new(program);
    site.hub.set(|hub| hub.status = Some((429, "Retry-After: 17\r\n".to_owned())));
    let (cached, other) = (site.repository().manifest("t"), site.repository().manifest("other"));
    format!("{}, {} {}", cached.status, other.status, other.header("retry-after").unwrap_or("without Retry-After"))
}

fn row_14(program: Program) -> String {
    let site = Site::new(program);
    site.hub.set(|hub| hub.head = Some(403));
    site.repository().head(&site.path()).status.to_string()
}

fn row_15(program: Program) -> String {
    let site = Site::new(program);
    let _ = site.pull();
    let is_stored = || crate::support::store::blob(site.root.path(), site.blob.digest()).exists();
    crate::support::wait::eventually("it is stored", is_stored);
    let (before, other) = (site.gets(), site.server.http().repository("c/d"));
    other.manifest("t").expect(200);
    drop(send(other.request(Method::GET, &site.path())));
    (if site.gets() == before { "once" } else { "again" }).to_owned()
}

/// Beside pushes, and with a name for the upstream, where that is possible.
fn beside(program: Program, hub: &Hub, root: &TempDir) -> Server {
    match program {
        Program::Wharf => Launch::new(program, root.path())
            .set("REGISTRY_UPSTREAM_0_PREFIX", "docker.io")
            .set("REGISTRY_UPSTREAM_0_URL", &hub.url())
            .set("REGISTRY_UPSTREAM_0_NAMESPACES", "[docker.io]")
            .start(),
        Program::Registry2 | Program::Registry3 => launch(program, hub, root).start(),
    }
}

fn row_17(program: Program) -> String {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    hub.put("library/app", "t", &Image::new(1, "amd64"));
    let server = beside(program, &hub, &root);
    let status = |namespace: &str| {
        let path = format!("/v2/library/app/manifests/t?ns={namespace}");
        send(server.http().request(Method::GET, &path).header("Accept", IMAGE_MANIFEST)).status
    };
    format!("docker.io {}, ghcr.io {}", status("docker.io"), status("ghcr.io"))
}

fn row_20(program: Program) -> String {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let server = beside(program, &hub, &root);
    send(server.http().repository("own").request(Method::POST, "blobs/uploads/")).status.to_string()
}

/// A client leaves, and the hub goes on; whether a later client makes it send the blob again.
fn row_06(program: Program) -> String {
    let site = Site::new(program);
    let gate = Gate::default();
    site.hub.set(|hub| hub.gate = Some((SIZE / 2, gate.clone())));
    let mut response = site.repository().request(Method::GET, &site.path()).send().unwrap();
    response.read_exact(&mut vec![0; SIZE / 10]).unwrap();
    drop(response);
    gate.open();
    // A peer may still be at work with what the first client wanted.
    let is_right = crate::support::wait::holds_in_time(|| site.pull().is_ok_and(|body| body == site.blob.bytes()));
    format!(
        "{}, {}",
        if is_right { "right" } else { "wrong" },
        if site.gets() == 1 { "one GET" } else { "several GETs" }
    )
}

/// A row's number, what shows it, and what wharf, registry:2 and registry:3 make of it.
type Row = (u8, fn(Program) -> String, [&'static str; 3]);

const ROWS: [Row; 13] = [
    (1, row_01, ["one GET, no HEAD", "several GETs, HEADs", "several GETs, HEADs"]),
    (4, row_04, ["right", "JSON in the body", "JSON in the body"]),
    (5, row_05, ["short", "wrong and whole", "wrong and whole"]),
    (6, row_06, ["right, one GET", "right, several GETs", "right, several GETs"]),
    (8, row_08, ["206 with 1000 bytes", "200 with 8388608 bytes", "200 with 8388608 bytes"]),
    (10, row_10, ["served", "no answer in 15 s", "no answer in 15 s"]),
    (11, row_11, ["starts", "does not start", "does not start"]),
    (12, row_12, ["one request at most", "a request each", "a request each"]),
    (13, row_13, ["200, 429 17", "200, 404 without Retry-After", "200, 404 without Retry-After"]),
    (14, row_14, ["200", "500", "500"]),
    (15, row_15, ["once", "again", "again"]),
    (17, row_17, ["docker.io 200, ghcr.io 404", "docker.io 200, ghcr.io 200", "docker.io 200, ghcr.io 200"]),
    (20, row_20, ["202", "405", "405"]),
];

#[test]
#[ignore = "needs docker-registry and registry: run ./test"]
#[expect(clippy::print_stdout, reason = "the table is worth reading after a success too")]
fn the_table_beside_others_needs_registry2_and_registry3() {
    let mut differences = Vec::new();
    for (number, row, expected) in ROWS {
        let programs = [Program::Wharf, Program::Registry2, Program::Registry3];
        let found: Vec<String> = thread::scope(|scope| {
            let running: Vec<_> = programs.map(|program| scope.spawn(move || row(program))).into_iter().collect();
            running.into_iter().map(|row| row.join().unwrap()).collect()
        });
        println!("row {number}: {}", found.join(" | "));
        if found != expected {
            differences.push(format!("row {number}: {found:?}, and not {expected:?}"));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

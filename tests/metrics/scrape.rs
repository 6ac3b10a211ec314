//! A registry with its metrics, and what a scrape of them has.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use reqwest::Method;

use crate::support::{
    http::{Registry, Repository, send},
    image::{Blob, Image},
    server::{Launch, Program, Server, free_port},
};

/// A registry that serves metrics.
pub(crate) struct Measured {
    pub(crate) server: Server,
    pub(crate) debug: Registry,
    /// Where `debug` is: `host:port`.
    pub(crate) address: String,
}

impl Measured {
    pub(crate) fn start(program: Program, root: &Path, variables: &[(&str, &str)]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut launch = Launch::new(program, root)
            .set("REGISTRY_HTTP_DEBUG_ADDR", &address)
            .set("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "true")
            .set("REGISTRY_HTTP_DEBUG_PROMETHEUS_PATH", "/metrics");
        for (name, value) in variables {
            launch = launch.set(name, value);
        }
        let server = launch.start();
        Self { server, debug: Registry::new(&format!("http://{address}")), address }
    }

    pub(crate) fn scrape(&self) -> Scrape {
        let answer = self.debug.get("/metrics").expect(200);
        assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
        Scrape::parse(std::str::from_utf8(&answer.body).unwrap())
    }
}

/// The series of a scrape: by name and labels, in the order of the labels' names.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) series: BTreeMap<String, f64>,
    /// The kind of each family.
    pub(crate) kinds: BTreeMap<String, String>,
}

impl Scrape {
    fn parse(text: &str) -> Self {
        let (mut series, mut kinds, mut helped) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(helped.contains(name), "{name} has no HELP");
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is there twice");
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                helped.insert(rest.split_once(' ').unwrap().0.to_owned());
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(series.insert(ordered(name), value.parse().unwrap()).is_none(), "{name} is there twice");
            }
        }
        Self { series, kinds }
    }

    /// The value of a series; 0 if it is not there.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.series.get(series).copied().unwrap_or_default()
    }
}

/// A series with its labels in order.
fn ordered(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else { return series.to_owned() };
    let mut labels: Vec<&str> =
        labels.trim_end_matches('}').split("\",").map(|label| label.trim_end_matches('"')).collect();
    labels.sort_unstable();
    format!("{name}{{{}\"}}", labels.join("\","))
}

/// A little of everything that clients do.
pub(crate) fn work(server: &Server) {
    let registry = server.http();
    let repository = registry.repository("demo/app");
    let image = Image::new(1, "amd64");
    registry.get("/v2/").expect(200);
    for blob in image.blobs() {
        upload(&repository, blob);
    }
    let manifest = image.manifest();
    repository.push_manifest("1.0", manifest);
    repository.push_manifest(manifest.digest(), manifest);
    repository.expect_image("1.0", &image);
    let head = repository
        .request(Method::HEAD, "manifests/1.0")
        .header("Accept", "application/vnd.oci.image.manifest.v1+json");
    send(head).expect(200);
    let blob = image.blobs().next().unwrap();
    repository.head(&format!("blobs/{}", blob.digest())).expect(200);
    let mount = format!("blobs/uploads/?mount={}&from=demo/app", blob.digest());
    send(registry.repository("other/app").request(Method::POST, &mount)).expect(201);
    repository.get("tags/list").expect(200);
    registry.get("/v2/_catalog").expect(200);
    repository.get("manifests/none").expect(404);
    repository.get(&format!("blobs/{}", Blob::noise(9, 9).digest())).expect(404);
    let location = repository.begin();
    send(registry.request(Method::GET, &location)).expect(204);
    send(registry.request(Method::DELETE, &location)).expect(204);
    repository.delete(&format!("manifests/{}", manifest.digest())).expect(202);
    repository.delete(&format!("blobs/{}", blob.digest())).expect(202);
    repository.delete(&format!("manifests/{}", manifest.digest())).expect(404);
}

/// Begins, sends, ends.
fn upload(repository: &Repository, blob: &Blob) {
    let location = repository.begin();
    let sent = repository.patch(&location, blob.bytes()).unwrap().expect(202);
    let location = sent.header("location").unwrap();
    repository.finish(location, blob.digest(), b"").unwrap().expect(201);
}

//! What the repositories of a test hold, and a registry that has it.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;
use wharf::{
    config::{Address, Config, Listen, Store},
    server,
    storage::Durability,
};

use crate::{
    site::{Mode, Site, write_users},
    support::{
        http::Registry,
        image::{Blob, IMAGE_CONFIG, IMAGE_INDEX, IMAGE_MANIFEST, LAYER_GZIP, Manifest},
    },
};

/// Settings that show the page.
pub(crate) const UI: &str = "\n[ui]\nenabled = true\n";

/// A registry with `fill` in its store and these settings. Its users are those of the authentication's tests, and a
/// stranger who may do nothing.
pub(crate) fn site_with(settings: &str, fill: impl FnOnce(&Registry)) -> Site {
    let directory = Site::directory();
    write_users(&directory.path().join("htpasswd"), &["alice", "bob", "ro", "maker", "stranger"]);
    fill_store(&directory, fill);
    Site::start(directory, settings).unwrap()
}

/// An open registry with 10,000 tags in the repository `big`.
pub(crate) fn large_site() -> Site {
    let directory = Site::directory();
    fill_store(&directory, |registry| drop(push_index(registry, "big", ["t00000", "latest"], 50)));
    write_tags(&directory.path().join("store"), "big", 10_000);
    Site::start(directory, UI).unwrap()
}

/// A registry that is open to everybody.
pub(crate) fn open_site(fill: impl FnOnce(&Registry)) -> Site {
    site_with(UI, fill)
}

/// A registry with users and the rules of the authentication's tests.
pub(crate) fn closed_site(mode: Mode, fill: impl FnOnce(&Registry)) -> Site {
    site_with(&format!("{}{}{UI}", mode.settings(), crate::site::RULES), fill)
}

fn fill_store(directory: &TempDir, fill: impl FnOnce(&Registry)) {
    let mut config = Config::default();
    config.storage.store = Store::Filesystem { root: directory.path().join("store") };
    config.storage.durability = Durability::None;
    config.http.listen = Listen::Tcp(vec![Address::parse("127.0.0.1:0").unwrap()]);
    let server = server::start(config).unwrap();
    fill(&Registry::new(&format!("http://127.0.0.1:{}", server.port())));
    server.stop();
}

/// What the parts of an image say.
pub(crate) struct Described {
    pub(crate) config: Value,
    pub(crate) annotations: Value,
    pub(crate) seed: u64,
}

impl Described {
    /// An ordinary image.
    pub(crate) fn usual(seed: u64, architecture: &str) -> Self {
        Self {
            config: json!({
                "created": "2026-11-01T12:00:00Z", "author": "Release <release@example.com>",
                "architecture": architecture, "os": "linux",
                "config": {
                    "User": "1000", "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"],
                    "Entrypoint": ["/usr/bin/server"], "Cmd": ["--listen", ":8080"], "WorkingDir": "/srv",
                    "ExposedPorts": {"8080/tcp": {}}, "Volumes": {"/data": {}}, "StopSignal": "SIGTERM",
                    "Labels": {"org.opencontainers.image.source": "https://git.example.com/team/app"},
                },
                "rootfs": {"type": "layers", "diff_ids": []},
                "history": [
                    {"created": "2026-11-01T11:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file:4c1a in / "},
                    {"created": "2026-11-01T11:30:00Z", "created_by": "ENV LANG=C.UTF-8", "empty_layer": true},
                    {"created": "2026-11-01T12:00:00Z", "created_by": "COPY server /usr/bin/server # buildkit"},
                ],
            }),
            annotations: json!({"org.opencontainers.image.version": "1.4.2"}),
            seed,
        }
    }

    /// Pushes it, with two layers, under a tag or its digest.
    pub(crate) fn push(&self, registry: &Registry, name: &str, tag: Option<&str>) -> Manifest {
        let repository = registry.repository(name);
        let layers = [self.seed, self.seed + 1].map(|seed| {
            let noise = Blob::noise(seed, 30_000 + usize::try_from(seed % 100).unwrap() * 100);
            Blob::new(noise.bytes().to_vec(), LAYER_GZIP)
        });
        let config = Blob::new(self.config.to_string().into_bytes(), IMAGE_CONFIG);
        layers.iter().chain([&config]).for_each(|blob| repository.push_blob(blob));
        let body = json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(), "annotations": self.annotations,
        });
        let manifest = Manifest::new(&body, IMAGE_MANIFEST);
        repository.push_manifest(tag.unwrap_or(manifest.digest()), &manifest);
        manifest
    }
}

/// An image for two platforms under two tags.
pub(crate) fn push_index(registry: &Registry, name: &str, tags: [&str; 2], seed: u64) -> Manifest {
    let child = |seed, architecture: &str| {
        let mut child = Described::usual(seed, architecture).push(registry, name, None).descriptor();
        child["platform"] = json!({"os": "linux", "architecture": architecture});
        child
    };
    let children = [child(seed, "amd64"), child(seed + 10, "arm64")];
    let body = json!({
        "schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": children,
        "annotations": {"org.opencontainers.image.title": "The whole application"},
    });
    let index = Manifest::new(&body, IMAGE_INDEX);
    for tag in tags {
        registry.repository(name).push_manifest(tag, &index);
    }
    index
}

/// Something that belongs to a manifest.
pub(crate) fn push_referrer(registry: &Registry, name: &str, subject: &Manifest, artifact_type: &str) -> Manifest {
    let repository = registry.repository(name);
    let (empty, content) = (Blob::new(b"{}".to_vec(), "application/vnd.oci.empty.v1+json"), Blob::noise(99, 500));
    for blob in [&empty, &content] {
        repository.push_blob(blob);
    }
    let body = json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": artifact_type,
        "config": empty.descriptor(), "layers": [content.descriptor()], "subject": subject.descriptor(),
    });
    let referrer = Manifest::new(&body, IMAGE_MANIFEST);
    repository.push_manifest(referrer.digest(), &referrer);
    referrer
}

/// Puts very many tags of the manifest of `t00000` into the store of a registry that is not running, as another
/// registry may have left them there.
pub(crate) fn write_tags(store: &Path, name: &str, count: usize) {
    let tags = store.join("docker/registry/v2/repositories").join(name).join("_manifests/tags");
    let link = fs::read(tags.join("t00000/current/link")).unwrap();
    for number in 1..count {
        let current = tags.join(format!("t{number:05}/current"));
        fs::create_dir_all(&current).unwrap();
        fs::write(current.join("link"), &link).unwrap();
    }
}

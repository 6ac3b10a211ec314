//! Creates a container as a row says, copies its files into it, and starts it.

use std::{
    fs::{self, File as Opened},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{File, Harness, Image, wait::wait};
use crate::{
    container::{Container, IMAGE, engine},
    support::{client, http::Registry, image, server::Server},
};

/// A network that is gone when it is dropped.
struct Network(String);

impl Network {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("harness-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        engine().run(&["network", "create", &name]);
        Self(name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        engine().attempt(&["network", "rm", &self.0]);
    }
}

/// A registry that a harness started.
pub(super) struct Started {
    pub(super) row: &'static Harness,
    // Dropped before its network.
    pub(super) container: Container,
    network: Network,
    /// The port on this machine.
    pub(super) port: String,
}

/// Starts the registry of a row, and waits for it as the program does.
pub(super) fn started(row: &'static Harness) -> Started {
    let network = Network::new();
    let (scratch, image) = (tempfile::tempdir().unwrap(), format!("{}-image", network.0));
    let image = match row.image {
        Image::Named => IMAGE,
        Image::Built(lines) => {
            fs::write(scratch.path().join("Dockerfile"), format!("FROM {IMAGE}\n{lines}")).unwrap();
            let build = ["build", "--network", "none", "--tag", &image, scratch.path().to_str().unwrap()];
            client::run(engine().docker(&build).env("DOCKER_BUILDKIT", "0"));
            &image
        }
    };
    let has_network = row.options.contains(&"--network");
    let own: &[&str] =
        if has_network { &[] } else { &["--network", network.0.as_str(), "--publish", "127.0.0.1::5000"] };
    let container = Container::created(image, &[own, row.options].concat());
    for file in row.files {
        match file {
            File::BeforeStart(path, content) => copy(&container, path, content),
            File::Store(path) => copy_store(&container, path),
            File::AfterStart(..) => {}
        }
    }
    container.begin();
    for file in row.files {
        if let File::AfterStart(path, content) = file {
            copy(&container, path, content);
        }
    }
    let mut started = Started { row, container, network, port: String::new() };
    if !has_network {
        started.find_port();
    }
    wait(&mut started);
    started
}

impl Started {
    /// The port on this machine that docker chose. It is another one after each start.
    pub(super) fn find_port(&mut self) {
        self.port = port_of(&self.container);
    }

    /// Another registry of the network, which answers, and its port on this machine.
    pub(super) fn another(&self, alias: &str) -> (Container, String) {
        let options = ["--network", &self.network.0, "--network-alias", alias, "--publish", "127.0.0.1::5000"];
        let container = Container::ready(&options, &[]);
        let port = port_of(&container);
        (container, port)
    }

    pub(super) fn http(&self) -> Registry {
        Registry::new(&format!("http://localhost:{}", self.port))
    }

    /// Runs a command in another container of the network; whether it succeeds.
    pub(super) fn beside(&self, words: &[&str]) -> client::Output {
        engine().attempt(&[&["run", "--rm", "--network", &self.network.0, "--entrypoint", "", IMAGE], words].concat())
    }
}

fn port_of(container: &Container) -> String {
    container.inspect(r#"{{(index (index .NetworkSettings.Ports "5000/tcp") 0).HostPort}}"#)
}

/// Copies a file into a container, with the directories above it.
fn copy(container: &Container, path: &str, content: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let archive = scratch.path().join("archive.tar");
    fs::write(&archive, image::tar(&[(path, content.as_bytes())])).unwrap();
    container.unpack(Opened::open(archive).unwrap());
}

/// Copies a store as registry:2 leaves one, with the image `stored:1`.
fn copy_store(container: &Container, path: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let (root, archive) = (scratch.path().join("store"), scratch.path().join("archive.tar"));
    let server = Server::start(&root);
    server.http().repository("stored").push("1", &image::Image::gzipped(1, "amd64"));
    server.stop();
    let mut tar = Command::new("tar");
    tar.args(["--exclude=./wharf", "--transform", &format!("s,^\\.,{path},"), "-cf"]).arg(&archive);
    client::run(tar.arg("-C").arg(&root).arg("."));
    container.unpack(Opened::open(archive).unwrap());
}

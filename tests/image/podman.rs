//! podman, with a storage of its own that needs no kernel support and no systemd.

use crate::{
    container::built,
    support::client::{Client, Output},
};

/// Removes its containers when it is dropped.
pub(crate) struct Podman {
    client: Client,
}

impl Podman {
    pub(crate) fn new() -> Self {
        Self { client: Client::new("podman") }
    }

    pub(crate) fn attempt(&self, words: &[&str]) -> Output {
        let (storage, state) = (self.client.home().join("storage"), self.client.home().join("run"));
        let storage = ["--root", storage.to_str().unwrap(), "--runroot", state.to_str().unwrap()];
        let options = ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"];
        self.client.attempt([&storage, &options, words].concat())
    }

    pub(crate) fn run(&self, words: &[&str]) -> String {
        let output = self.attempt(words);
        assert!(output.success, "failed: {output}");
        output.stdout
    }

    /// Takes the archive that `./image` made; `localhost/wharf:latest` is its name then.
    pub(crate) fn load(&self, architecture: &str) {
        self.run(&["load", "--input", built(&format!("wharf-{architecture}.tar")).to_str().unwrap()]);
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        self.client.file(name, content).to_str().unwrap().to_owned()
    }

    /// Runs a command in a container without a network, to its end.
    pub(crate) fn say(&self, words: &[&str]) -> String {
        self.run(&[&["run", "--rm", "--no-healthcheck"], &ISOLATED[..], words].concat())
    }

    /// Starts a container. Only `podman healthcheck run` asks for its health, because podman needs systemd for a timer.
    pub(crate) fn serve(&self, words: &[&str]) {
        self.run(&[&["run", "--detach", "--health-interval", "disable"], &ISOLATED[..], words].concat());
    }

    pub(crate) fn wait_until_healthy(&self, name: &str) {
        crate::support::wait::eventually("a healthy container", || self.attempt(&["healthcheck", "run", name]).success);
    }
}

/// The limits are those that any machine allows.
const ISOLATED: [&str; 6] = ["--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=512:512"];

impl Drop for Podman {
    fn drop(&mut self) {
        self.attempt(&["rm", "--force", "--all"]);
    }
}

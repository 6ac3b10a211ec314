//! What people push and pull with, each against a running registry.
//!
//! A test whose name ends in `_needs_<tool>` is ignored by `cargo test` alone; `./test` installs the tools and runs it.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod buildah;
mod buildkit;
mod containerd;
mod crane;
mod docker;
mod nginx;
mod oras;
mod partial_pull;
mod podman;
mod regctl;
mod skopeo;
mod umoci;

use support::{client::Client, server::Server};

/// A registry on an empty store, and a client beside it.
struct Scene {
    server: Server,
    client: Client,
    _root: tempfile::TempDir,
}

impl Scene {
    fn new(program: &'static str) -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { client: Client::new(program), server: Server::start(root.path()), _root: root }
    }

    /// `localhost:PORT/REST`.
    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.server.host())
    }
}

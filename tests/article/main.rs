//! How docker and a registry speak with each other: the scenarios of an article that walks through it, one test a row.
//!
//! Every row is shown by the client it is about (`…_needs_docker`, ignored without one) and, where that is not to be
//! had, as the same exchange over HTTP.
//!
//! | Rows | File |
//! |---|---|
//! | 1, 2: an open registry | `open` |
//! | 3 to 9, 12: name and password | `basic` |
//! | 10, 11, 13, 14, 15, 19: tokens | `bearer` |
//! | 16, 17, 18: refused | `refused` |
//! | 20: by a name, over TLS | `tls_name` |
//!
//! The exchanges over HTTP of rows 3 to 20 are in `tests/authentication`.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/issuer.rs"]
mod issuer;

mod basic;
mod bearer;
mod open;
mod plugin;
mod refused;
mod registry;
mod tls_name;
mod user;

use support::server::{Launch, Program, Server};

/// How a registry knows who asks, in the order in which the article meets them.
#[derive(Clone, Copy)]
enum Mode {
    /// No settings at all.
    Open,
}

/// A registry in one of the modes, on an empty store.
struct Scene {
    server: Server,
    _root: tempfile::TempDir,
}

impl Scene {
    fn new(mode: Mode) -> Self {
        let root = tempfile::tempdir().unwrap();
        let launch = Launch::new(Program::under_test(), root.path());
        let server = match mode {
            Mode::Open => launch.start(),
        };
        Self { server, _root: root }
    }

    /// `localhost:PORT/REST`: what the article calls `localhost:5000/REST`.
    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.server.host())
    }
}

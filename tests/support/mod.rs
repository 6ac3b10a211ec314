//! What the test binaries share: a running registry, a docker engine, images made in memory, HTTP and client programs.
#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod engine;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod image;
pub(crate) mod raw;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod wait;

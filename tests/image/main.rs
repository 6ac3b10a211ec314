//! The container image that `./image` builds, in a docker engine: what registry:2's image does, this one does.
//!
//! `./test` builds it before; by hand, `./image $(dpkg --print-architecture)` does.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod arm64;
mod build;
mod compose;
mod container;
mod contract;
mod harnesses;
mod kubernetes;
mod podman;
mod quadlet;
mod registry;

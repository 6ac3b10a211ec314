//! What `./release` makes, installed and tried; and sockets that systemd opened.
//!
//! `./test` runs `./release` before; by hand, `./release $(dpkg --print-architecture)` does.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod activation;
mod archive;
mod command_line;
mod debian;
mod released;
mod units;

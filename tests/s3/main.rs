//! Several nodes on one bucket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod kills;
mod nodes;
mod not_implemented;
mod requests;

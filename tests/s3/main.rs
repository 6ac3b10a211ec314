//! Several nodes on one bucket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod collection;
mod kills;
mod lease_model;
mod nodes;
mod not_implemented;
mod requests;
mod turns;

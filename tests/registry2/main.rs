//! Stores that move between wharf and registry:2, both ways, with nothing converted.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod leftovers;
mod turns;

//! Stores that move between wharf, registry:2 and registry:3, every way, with nothing converted.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod leftovers;
mod turns;

//! Retention over a real store and by the real command, while a server runs on it and while none does.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../durability/disk.rs"]
mod disk;

mod kills;
mod many;
mod pulls;
mod rules;
mod wharf;

//! Notifications: envelopes beside those of registry:2 and registry:3, and what is reported whatever happens to the
//! endpoint or to wharf.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../durability/disk.rs"]
mod disk;

mod bounds;
mod command;
mod consumers;
mod crashes;
mod endpoint;
mod full_disk;
mod metrics;
mod outages;
mod side_by_side;

//! Pull-through: the rows that a mirror has to hold, beside an upstream that acts as Docker Hub does and fails on demand.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../durability/disk.rs"]
mod disk;

mod blobs;
mod clients;
mod crashes;
mod evictions;
mod failures;
mod hub;
mod log;
mod mirror;
mod names;
mod outages;
mod peers;
mod relays;
mod rights;
mod space;
mod tags;
mod tls;

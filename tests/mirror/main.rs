//! Pull-through: the rows that a mirror has to hold, beside an upstream that acts as Docker Hub does and fails on demand.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod blobs;
mod clients;
mod failures;
mod hub;
mod mirror;
mod names;
mod outages;
mod rights;
mod space;
mod tags;

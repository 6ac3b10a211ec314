//! The listener of `http.debug`: metrics beside those of registry:2 and registry:3, and health checks.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod checks;
mod counts;
mod prometheus;
mod scrape;
mod side_by_side;

//! The commands, as a shell sees them: what they print, and their exit codes.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod check_and_serve;
mod config_check;
mod config_show;
mod healthcheck;
mod htpasswd;
mod run;
mod stuck_log;
mod usage;
mod wharf;

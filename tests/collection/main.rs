//! Garbage collection over a real store and by the real command, while a server runs on it and while none does.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod ages;
mod command;
mod complaints;
mod incomplete;
mod kept;
mod many;
mod racing;
mod stopped;
mod unexplained;
mod untagged;
mod wharf;

//! The check of a whole store by the real command, while a server runs on it and while none does; and reads of what is
//! damaged.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod busy;
mod content;
mod links;
mod reads;
mod referrers_tags;
mod symbolic_links;
mod wharf;

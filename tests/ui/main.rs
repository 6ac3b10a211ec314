//! The page: over plain HTTP what it shows, takes and refuses; in a browser without scripts what a person sees.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "it is shared with the tests of authentication")]
#[path = "../authentication/client.rs"]
mod client;
#[allow(dead_code, reason = "it is shared with the tests of authentication")]
#[path = "../authentication/site.rs"]
mod site;

mod account;
mod content;
mod visitor;

mod attacks;
mod browser;

mod deletes;
mod modes;
mod pages;
mod walk;

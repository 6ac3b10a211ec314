//! The HTTP surface of an open registry, tested from outside: a server in this process, a real socket, requests and
//! answers.
//!
//! Tests of a catalogue of failures that registries have had carry its id in their names: `f1_…`. Of the rows D, E, F,
//! G, H and J these are not here:
//!
//! - D1 and D5 (another user's blobs and sessions): an open registry has no users. What holds without them, that
//!   nothing is readable in a repository that did not get it, is in `mounts`.
//! - D6 (state that the client holds): there is none, a session is a UUID and nothing else (`sessions::d6_…`).
//! - D12 (policies and quarantine): there are none.
//! - F6 (a collection over a deep graph): collection does not run over HTTP; pushing and deleting such a graph is in
//!   `bounds`.
//! - F9 (no outgoing connection): seen from outside the process only; here, that a layer's `urls` are never asked
//!   (`bounds::f9_…`).
//! - G2 (5 GiB through little memory), G5 (metrics: there are none), G7's purge by age (a clock), G9 and G10 (TLS):
//!   elsewhere, or not yet there.
//! - H2 (bare line feeds), H4 (chunk extensions), H6 and H7 (what a parser does before a handler is asked): of the HTTP
//!   library; a test pins what it does where that matters (`framing`).
//! - J1 (secrets in logs): an open registry is given none; J4's `private`: the same.
//! - I5 (redirects to a store): nothing is ever redirected (`headers::a17_…`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod content;
mod registry;

mod blobs;
mod bounds;
mod catalog;
mod clients;
mod conditions;
mod deletes;
mod docker;
mod downloads;
mod drop_in;
mod errors;
mod framing;
mod headers;
mod health;
mod hints;
mod hostile;
mod interrupted;
mod limits;
mod location;
mod log;
mod manifests;
mod media_types;
mod model;
mod mounts;
mod names;
mod paths;
mod ranges;
mod referrers;
mod sessions;
mod several_ranges;
mod tags;
mod unparsed;
mod uploads;
mod version;
mod whole_lists;

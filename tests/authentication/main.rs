//! Authentication over HTTP, seen from outside: a server in this process, real sockets, what a client sends and what it
//! gets.
//!
//! Tests named `row_NN_…` are the exchanges of the article that `tests/article` plays with docker itself; those with a
//! letter and a number (`a13_…`) are rows of a catalogue of failures that registries have had. What a unit test of
//! `auth` shows wholly (keys, claims, hashes, the arithmetic of the throttle) is here once for each kind, to see that
//! the answer over HTTP is the right one. Of the rows A, B and C these are not here:
//!
//! - A10: tokens that live long are revoked with the command line only, and nobody lists them over HTTP.
//! - B9, B10: keys of an issuer come from files; none is ever fetched.
//! - B15, B16's file modes, B21: of sources and files (`auth::secret`, `auth::private_file`).
//! - B17: the life of a token, 60 seconds to an hour, is checked with the settings (`config`); that it dies, in
//!   `auth::token::tests`.
//! - B19: the state of an upload is a random number and nothing that could be signed.
//! - C6's and C9's timing: hashes are counted in `auth::passwords`.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/issuer.rs"]
mod issuer;

mod client;
mod raw;
mod site;

mod basic;
mod bearer;
mod browser;
mod catalog;
mod channels;
mod external;
mod forged;
mod headers;
mod htpasswd;
mod identity;
mod leaks;
mod long_tokens;
mod modes;
mod mounts;
mod paths;
mod prefix;
mod private;
mod reload;
mod rights;
mod rights_of_everybody;
mod throttle;
mod tls;
mod token_endpoint;

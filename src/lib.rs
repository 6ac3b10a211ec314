//! wharf is an OCI container registry in one small binary, for the place of registry:2: the same port, the same volume, the same settings.
//!
//! This page is the map of the house. Each module's own page goes on from here.
//!
//! # The house
//!
//! ```text
//! main -> cli -> server -> { api, ops, web } -> http -> { registry, auth }      registry -> storage
//! auth, server and cli -> files                        cli, notify -> client; server -> notify -> registry
//! config is read by cli and server                     every module may use oci; oci uses none
//! ```
//!
//! | module | what it is about | what it never does |
//! |---|---|---|
//! | [`oci`] | the nouns of the specifications: digests, names, references, manifests, ranges, scopes | I/O of any kind |
//! | [`storage`] | bytes under keys, on a filesystem or in memory, and that they survive | know what a key means |
//! | [`registry`] | the verbs on the nouns, the rules, and the events | mention HTTP, or a path on a disk |
//! | [`auth`] | who sent a request, and what the sender may do | see a request or a response |
//! | [`http`] | the way of every request, whichever door it came through | know what a path means |
//! | [`api`] | the door of the distribution API: one file a resource, one table of routes | touch the store but through the registry |
//! | [`ops`] | the door of operators: health | tell anything about content |
//! | [`web`] | the door of people with a browser: the page | show or do more than the API would for the same user |
//! | [`server`] | from the settings to sockets that answer | decide anything about a request |
//! | [`client`] | the HTTP requests that wharf itself makes | decide what is asked for |
//! | [`notify`] | reports what happens to endpoints, from an outbox | delay a request |
//! | [`files`] | files that are watched, files that are private | know what is in a file |
//! | [`config`] | the settings, each with where it came from | act on them |
//! | [`cli`] | one file a command | anything that a library user would miss |
//!
//! The direction of the arrows, and who may name `actix_web`, `std::fs` or a password's hash, is checked by `tests/architecture.rs`.
//!
//! # How data flows
//!
//! *A push of a blob*, `PUT <session>?digest=…`: [`http::serve`] checks the head, decodes the path once, finds the resource behind a [`Router`](http::Router), and asks the
//! [`Authenticator`](auth::Authenticator) who is there. The resource needs the [`Right`](http::Right) to push, and an [`Authorized`](http::Authorized) is the only way to a
//! [`Repository`](registry::Repository). The body goes through a bounded channel to a task that belongs to no request; there
//! [`Staging`](storage::Staging) writes and hashes in one pass. Only what [`verifies`](storage::Staged::verify) can be given a name:
//! sync, rename, sync of the directory, then the link that makes the blob the repository's, then 201. Bytes and link are one
//! [`commit`](storage::Storage::commit): what is independent in it is synced at the same time, and nothing can be seen before all that it relies on
//! is durable.
//!
//! *A pull of a manifest*: the tag's link, the manifest's bytes, compared with what was verified lately or hashed once more, before they go out as
//! they came in. What the kernel has in memory is looked at on the worker's own thread; where that would have to wait, another one looks. What was
//! read within the last tenth of a second, and has not been changed by anybody here since, is not looked at again (`storage/filesystem/read_cache.rs`).
//!
//! *A pull of a blob*: the repository's link, and the file is open. A large one is sent by the kernel, from the file to the socket, over plain TCP
//! (`http/outlet.rs`, `server/tcp_connection.rs`, `storage/delivery.rs`); over TLS, and where a filesystem can't say what it would have to wait for, it goes
//! through this process in pieces.
//!
//! *A collection* ([`Registry::collect`](registry::Registry::collect)): mark from the disk, then take each thing alone, look once more, and remove links before
//! bytes. Whoever relies on content pins it (`registry/content/pins.rs`) from the look until the last link; a collection never takes what is pinned.
//!
//! *A command on a store that is served* (`wharf gc`, `wharf fsck`) asks its server through a socket in the store (`server/control.rs`); without a
//! server it opens the store itself.
//!
//! # What holds everywhere
//!
//! 1. [`oci`] does no I/O, so all of it is tested with strings.
//! 2. [`registry`] never mentions HTTP; [`http`] and [`api`] never mention a path on disk.
//! 3. Content that was not hashed can't be stored: [`Storage::promote`](storage::Storage::promote) takes
//!    [`Verified`](storage::Verified), and nothing else makes a blob.
//! 4. Every key comes from one file (`registry/layout.rs`), every status from two tables (`http/error.rs` for what any
//!    request can meet, `api/error.rs` for the rest), which have no row for "anything else".
//! 5. A manifest's bytes are never serialised again.
//! 6. Nothing blocks an async worker: passwords are hashed and files are written on other threads, and read there unless they are in memory.
//! 7. A commit or a delete is one owned task that runs to its end: a client that goes away ends its handler, never a write half-way.
//! 8. Links and realms come from settings, never from a request's head (but for an absolute `Location` that the operator
//!    asked for). Of `X-Forwarded-*`, only what a named proxy says is looked at.
//!
//! # What a change touches
//!
//! Beside its tests and its row in `tests/architecture.rs`:
//!
//! | change | files |
//! |---|---|
//! | an object store | a new `storage/s3/`; its variant in `storage/operations.rs` and `batch.rs`; `config/storage.rs`; `server/open.rs` |
//! | `/metrics` | `ops/`: a resource, a [`RequestListener`](http::RequestListener), an [`Observer`](storage::Observer); `config/http.rs`; rows in `server.rs` |
//! | certificates by ACME | `server/tls.rs`; `config/tls.rs` |
//! | another body of errors | `http/error_body.rs` |
//! | another password hash | `auth/password_hash/`: one file and one row |
//! | retention | a new file in `registry/`, run as `registry/expiry.rs` is; `config/storage.rs`; one file in `cli/` |
//! | HTTP/2 | `server/connection.rs`; `http/outlet.rs` |
//! | an upstream registry | a new `mirror/`: an [`Upstream`](registry::Upstream); its settings in `config/`; its row in `server/open.rs` |
//!
//! # Where this differs from what one might expect
//!
//! - Referrers are indexed in memory, from the manifests themselves, at the first use after a start. Nothing of the index is stored, so
//!   nothing can be stale when another registry had the volume in between.
//! - An upload session is one file under `wharf/uploads/<repository>`, so that the path alone says whose it is, and a session of one repository
//!   can't be reached through another.
//! - The catalog lists repositories that hold a manifest. One that only holds blobs is there for pushes and mounts, and unlisted.
//! - The server is put together from `actix-server` and `actix-http`, not by `HttpServer`: the first byte of a connection is looked at, and a
//!   certificate may change while connections live.
//!
//! # Using it from a test
//!
//! A registry that lives as long as a value, on a free port:
//!
//! ```
//! use wharf::{config::{Address, Config, Listen, Store}, server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::default();
//! config.storage.store = Store::Memory;
//! config.http.listen = Listen::Tcp(vec![Address::parse("127.0.0.1:0")?]);
//! let registry = server::start(config)?;
//! let url = format!("http://127.0.0.1:{}/v2/", registry.port());
//! # assert!(url.len() > 20);
//! # Ok(())
//! # }
//! ```

pub mod api;
pub mod auth;
pub mod cli;
pub mod client;
pub mod config;
pub mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod http;

pub mod notify;
pub mod oci;
pub mod ops;
pub mod registry;
pub mod server;
pub mod storage;
pub mod web;

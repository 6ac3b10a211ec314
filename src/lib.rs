//! wharf is an OCI container registry in one small binary, for the place of registry:2: the same port, the same volume,
//! the same settings.
//!
//! This page is the map of the house. Each module's own page goes on from here.
//!
//! # The house
//!
//! ```text
//! main -> cli -> server -> { api, ops, web } -> http -> { registry, auth }      registry -> storage -> client
//! auth, server and cli -> files                   ops, notify, mirror, server and cli -> client
//! server -> { notify, mirror } -> registry
//! cli and server -> archive -> registry
//! config is read by cli and server, and has the types of settings of storage, registry, auth and http
//! every module may use oci; oci uses none
//! ```
//!
//! | module | what it is about | what it never does |
//! |---|---|---|
//! | [`oci`] | the nouns of the specifications: digests, names, references, manifests, ranges, scopes | I/O of any kind |
//! | [`storage`] | bytes under keys, on a filesystem, in a bucket or in memory, and that they survive | know what a key means |
//! | [`registry`] | the verbs on the nouns, the rules, and the events | mention HTTP, or a path on a disk |
//! | [`auth`] | who sent a request, and what the sender may do | see a request or a response |
//! | [`http`] | the way of every request, whichever router has its path | know what a path means |
//! | [`api`] | the router of the distribution API: one file a resource, one table of routes | touch the store but through the registry |
//! | [`ops`] | the routers of operators: health, metrics | tell anything about content |
//! | [`web`] | the router of people with a browser: the page | show or do more than the API would for the same user |
//! | [`archive`] | images from OCI layouts and archives, put into a registry before it serves | speak HTTP |
//! | [`server`] | from the settings to sockets that answer | decide anything about a request |
//! | [`client`] | the HTTP requests that wharf itself makes | decide what is asked for |
//! | [`notify`] | reports what happens to endpoints, from an outbox | delay a request |
//! | [`mirror`] | the upstream registries: what is missing is fetched from them | store anything but through the registry |
//! | [`files`] | files that are watched, files that are private | know what is in a file |
//! | [`config`] | the settings, each with where it came from | act on them |
//! | [`cli`] | one file a command | anything that a library user would miss |
//!
//! `tests/architecture.rs` checks the direction of the arrows, and which modules may name `actix_web`, `std::fs` or a
//! password's hash.
//!
//! # How data flows
//!
//! *A push of a blob*, `PUT <session>?digest=…`. [`http::serve`] checks the head of the request, decodes the path once,
//! and finds the resource behind a [`Router`](http::Router). The [`Authenticator`](auth::Authenticator) says who the
//! sender is. The resource needs the [`Right`](http::Right) to push; an [`Authorized`](http::Authorized) is the only way
//! to a [`Repository`](registry::Repository). The body goes through a bounded channel to a task that belongs to no
//! request. There a [`Staging`](storage::Staging) writes and hashes it in one pass. Only content that
//! [`verifies`](storage::Staged::verify) can be given a name. The bytes and the link that makes the blob the
//! repository's are one [`commit`](storage::Storage::commit): files are synced, then named, then their directories are
//! synced, then the link becomes visible. The answer 201 follows.
//!
//! *A pull of a manifest*. The link of the tag is read, then the bytes of the manifest. The bytes are compared with those
//! that were verified lately, or hashed; then they are sent as they were pushed. Files that the kernel has in memory are
//! read on the worker's own thread, others on another thread. Files that were read within the last tenth of a second,
//! and that this process has not changed since, are not read again (`storage/filesystem/read_cache.rs`).
//!
//! *A pull of a blob*. The link of the repository is read, and the file is opened. Over plain TCP the kernel sends a large
//! file from the disk to the socket (`http/sendfile.rs`, `server/tcp_connection.rs`, `storage/sendfile.rs`). Over TLS,
//! and on filesystems that can't say whether a read would wait, the bytes go through this process.
//!
//! *A pull of what is not stored*, where an [`Upstream`](registry::Upstream) fills the repository. A tag is compared with
//! the upstream's by one HEAD (`mirror/manifests.rs`). A blob is fetched by one task, which writes it as a push does
//! (`mirror/blobs.rs`). Clients read the file while it grows (`registry/fetched_blob.rs`).
//!
//! *A bucket that several processes serve* ([`Storage::shared`](storage::Storage::shared)). Locks in memory exclude nothing
//! there, and lists in memory may be stale. So tags are changed by conditional writes, and lists are read for each request
//! (`registry/shared_manifests.rs`, `registry/index/shared_catalog.rs`). A collection has the bucket alone: each process
//! has a lease, which the store enforces (`storage/s3/entries.rs`).
//!
//! *A collection* ([`Registry::collect`](registry::Registry::collect)) marks what manifests refer to, as it is on the
//! disk. Then it takes each unmarked thing alone, checks it once more, and removes links before bytes. A push pins the
//! content that it refers to, from the existence check until its last link is durable (`registry/content/pins.rs`). A
//! collection never takes pinned content.
//!
//! *A command on a store that is served* (`wharf gc`, `wharf fsck`) asks the server through a socket in the store
//! (`server/control_socket.rs`). Without a server it opens the store itself.
//!
//! # What holds everywhere
//!
//! 1. [`oci`] does no I/O, so all of it is tested with strings.
//! 2. [`registry`] never mentions HTTP; [`http`] and [`api`] never mention a path on disk.
//! 3. Content that was not hashed can't be stored: [`Storage::promote`](storage::Storage::promote) takes
//!    [`Verified`](storage::Verified), and nothing else makes a blob.
//! 4. Every key comes from one file (`registry/layout.rs`). Every status comes from two tables: `http/error.rs` for what
//!    any request can meet, `api/error.rs` for the rest. Neither has a row for "anything else".
//! 5. The bytes of a manifest are never serialised again.
//! 6. Nothing blocks an async worker. Other threads hash passwords and write files; they also read files that are not
//!    in memory.
//! 7. A commit or a delete is one owned task that runs to its end. If its client goes away, the handler ends, and never
//!    a write half-way.
//! 8. Links and realms come from settings, never from the head of a request (except for an absolute `Location` that the
//!    operator asked for). Of `X-Forwarded-*`, only what a named proxy says is used.
//!
//! # What a change touches
//!
//! Beside its tests and its row in `tests/architecture.rs`:
//!
//! | change | files |
//! |---|---|
//! | another object store | a back end in `storage/`; its settings in `config/storage.rs`; `server/components.rs` |
//! | a metric | `ops/metrics/`; or, where another part counts, a [`MetricSource`](ops::MetricSource) in `server/metrics.rs` |
//! | a health check | `ops/checks.rs`, `config/health.rs`, `server/health_checks.rs` |
//! | another page | `web/`: a page and its row in `web/routes.rs` |
//! | an option of a webhook's endpoint | `config/notifications.rs`; `notify/settings.rs` and `delivery.rs` |
//! | another field of a webhook's events | `registry/events.rs`; `notify/record.rs` and `envelope.rs` |
//! | an option of an upstream | `config/upstreams.rs`; `mirror/settings.rs`; `server/upstreams.rs` |
//! | certificates by ACME | `server/tls.rs`; `config/tls.rs` |
//! | another body of errors | `http/error_body.rs` |
//! | another password hash | one file in `auth/password_hash/`, and its row in `auth/password_hash.rs` |
//! | another condition of retention | `registry/retention/mod.rs` and `plan.rs`; `config/retention.rs` |
//! | HTTP/2 | `server/connection.rs` and `tls.rs`; `http/sendfile.rs` |
//! | another source than registries | an [`Upstream`](registry::Upstream) beside `mirror/`; its settings in `config/`; its place in `server/upstreams.rs` |
//!
//! # Where this differs from what one might expect
//!
//! - Referrers are indexed in memory, from the manifests themselves, at the first use after a start. Nothing of the
//!   index is stored, so nothing can be stale when another registry had the volume in between.
//! - An upload session is one file under `wharf/uploads/<repository>`, so that the path alone says whose it is, and a
//!   session of one repository can't be reached through another.
//! - The catalog lists repositories that hold a manifest. One that only holds blobs is there for pushes and mounts, and
//!   unlisted.
//! - The server is put together from `actix-server` and `actix-http`, not by `HttpServer`: the first byte of a
//!   connection is looked at, and a certificate may change while connections live.
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
pub mod archive;
pub mod auth;
pub mod cli;
pub mod client;
pub mod config;
pub mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod http;
pub mod mirror;
pub mod notify;
pub mod oci;
pub mod ops;
pub mod registry;
pub mod server;
pub mod storage;
pub mod web;

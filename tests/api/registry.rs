//! A registry that a test has started, and requests to it.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use tempfile::TempDir;
use wharf::{
    config::{Address, Config, Listen, Store},
    server::{self, Server},
    storage::{Credentials, S3Settings},
};

use crate::support::{answer::Answer, wait::holds_within};

/// A running registry; it stops, and its store goes, when it is dropped.
pub(crate) struct TestRegistry {
    server: Option<Server>,
    config: Config,
    directory: Option<TempDir>,
    client: Client,
}

impl From<&TestRegistry> for SocketAddr {
    fn from(registry: &TestRegistry) -> Self {
        registry.address()
    }
}

impl TestRegistry {
    /// One with its store in memory.
    pub(crate) fn memory() -> Self {
        Self::with(|_| {})
    }

    /// One with its store in a directory of its own.
    pub(crate) fn filesystem() -> Self {
        Self::filesystem_with(|_| {})
    }

    /// One of each kind, for what must hold whatever the store is.
    pub(crate) fn each() -> [Self; 2] {
        [Self::memory(), Self::filesystem()]
    }

    /// One with its store in memory and settings of the test's own; in a bucket, if `WHARF_TEST_BUCKET` names one: see
    /// `./test`.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = settings(bucket().unwrap_or(Store::Memory));
        change(&mut config);
        Self::start(config, None)
    }

    /// One with its store in a directory and settings of the test's own.
    pub(crate) fn filesystem_with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = settings(Store::Filesystem { root: directory.path().to_owned() });
        change(&mut config);
        Self::start(config, Some(directory))
    }

    fn start(config: Config, directory: Option<TempDir>) -> Self {
        let server = server::start(config.clone()).unwrap();
        // Connections are not kept, so that a stop has none to wait for; nothing is followed that a registry should not
        // send.
        let client = Client::builder().pool_max_idle_per_host(0).redirect(Policy::none()).no_proxy().build().unwrap();
        Self { server: Some(server), config, directory, client }
    }

    /// Whether its store is a bucket.
    pub(crate) fn is_in_bucket(&self) -> bool {
        matches!(self.config.storage.store, Store::S3(_))
    }

    /// Stops it, letting what is under way end, and starts it again on the same store.
    pub(crate) fn restart(&mut self) {
        self.server.take().unwrap().stop();
        self.server = Some(server::start(self.config.clone()).unwrap());
    }

    /// The same, after `change` to its settings.
    pub(crate) fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.restart();
    }

    /// What its store is.
    pub(crate) fn store(&self) -> &Store {
        &self.config.storage.store
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addresses()[0]
    }

    /// Where its store is.
    pub(crate) fn root(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }

    /// Every file of the store, and every directory of its repositories and blobs, to see that a refusal left nothing.
    /// The empty directories of uploads that ended go in the background.
    ///
    /// A start writes a note in the background: what is still being written is waited for.
    pub(crate) fn tree(&self) -> BTreeSet<PathBuf> {
        let temporary = self.root().join("wharf/tmp");
        let mut found = BTreeSet::new();
        holds_within(Duration::from_secs(5), || {
            found = self.tree_now();
            !found.iter().any(|path| path.starts_with(&temporary))
        });
        found
    }

    fn tree_now(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut unread = vec![self.root().to_owned()];
        while let Some(directory) = unread.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let is_directory = path.is_dir();
                if is_directory {
                    unread.push(path.clone());
                }
                if !is_directory || path.starts_with(self.root().join("docker")) {
                    found.insert(path);
                }
            }
        }
        found
    }

    /// The URL of a path, or of a relative `Location`.
    pub(crate) fn url(&self, path: &str) -> String {
        assert!(path.starts_with('/'), "not a path: {path}");
        format!("http://{}{path}", self.address())
    }

    /// A request that is still to be sent.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Answer {
        Answer::of(self.request(method, path)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path).await
    }

    /// A request with bytes of a known length.
    pub(crate) async fn with_body(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request(method, path).body(body)).await
    }

    pub(crate) async fn put_manifest(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request(Method::PUT, path).header("Content-Type", content_type).body(body)).await
    }
}

/// A part of its own of the bucket `bucket` at the endpoint that a variable names.
fn bucket() -> Option<Store> {
    let endpoint = std::env::var("WHARF_TEST_BUCKET").ok()?.parse().unwrap();
    let (access_key, secret_key) = ("id".to_owned(), "key".to_owned());
    let credentials = Some(Credentials { access_key, secret_key, session_token: None });
    let root = uuid::Uuid::new_v4().to_string();
    Some(Store::S3(Box::new(S3Settings { root, credentials, ..S3Settings::new("bucket", endpoint) })))
}

fn settings(store: Store) -> Config {
    let mut config = Config::default();
    config.storage.store = store;
    config.http.listen = Listen::Tcp(vec![Address::parse("127.0.0.1:0").unwrap()]);
    config
}

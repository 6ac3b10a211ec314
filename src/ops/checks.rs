//! The checks of `health`: while one fails, every request is refused, as in registry:2.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_web::{HttpResponse, http::Method};
use futures_util::future::{LocalBoxFuture, join_all};
use tokio::{net::TcpStream, time::MissedTickBehavior};

use crate::{
    client::{Client, Request},
    http::{ErrorAnswer, Exchange, Granted, HttpError, Path, Query, Resource, Right, Route, Router},
    registry::Registry,
};

/// A check.
#[derive(Clone, Debug)]
pub struct Check {
    /// What `/debug/health` calls it.
    pub name: String,
    /// The target of the check.
    pub probe: Probe,
    /// The time between two checks.
    pub interval: Duration,
    /// How many checks must fail one after the other.
    pub threshold: u32,
}

/// The target of the check.
#[derive(Clone, Debug)]
pub enum Probe {
    /// The store can be read.
    Store,
    /// A file is not there.
    NoFile(PathBuf),
    /// A TCP connection to an address, `host:port`, can be made in time.
    Connection(String, Duration),
    /// A server answers a HEAD with a status.
    Http(Box<HttpProbe>),
}

/// A HEAD to a server.
#[derive(Clone)]
pub struct HttpProbe {
    /// The client that sends it. Its timeouts are those of the check.
    pub client: Client,
    /// The request.
    pub request: Request,
    /// The status that the answer must have.
    pub status: u16,
}

impl fmt::Debug for HttpProbe {
    /// Without the headers, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProbe").field("url", &self.request.url.as_str()).finish_non_exhaustive()
    }
}

/// The checks of a server, and those that fail.
#[derive(Debug, Default)]
pub struct Checks {
    all: Vec<Check>,
    /// By the name of the check, the error.
    failing: Mutex<BTreeMap<String, String>>,
    is_failing: AtomicBool,
}

impl Checks {
    /// Checks that are all taken for passed, until [`follow`](Self::follow) has made them.
    #[must_use]
    pub fn new(checks: Vec<Check>) -> Self {
        Self { all: checks, ..Self::default() }
    }

    /// Makes the checks, each in its interval, for ever.
    pub async fn follow(self: Arc<Self>, registry: Registry) {
        join_all(self.all.iter().map(|check| self.repeat(check, &registry))).await;
    }

    /// The checks that fail, with their errors.
    pub(super) fn failing(&self) -> BTreeMap<String, String> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn repeat(&self, check: &Check, registry: &Registry) {
        let mut failures = 0;
        let mut ticks = tokio::time::interval(check.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match check.probe.run(registry).await {
                Ok(()) => {
                    failures = 0;
                    self.set(&check.name, None);
                }
                Err(error) => {
                    failures += 1;
                    if failures >= check.threshold {
                        self.set(&check.name, Some(error));
                    }
                }
            }
        }
    }

    fn set(&self, name: &str, error: Option<String>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = error {
            if failing.get(name) != Some(&error) {
                tracing::error!(check = name, error, "a health check fails: every request is refused");
                failing.insert(name.to_owned(), error);
            }
        } else if failing.remove(name).is_some() {
            tracing::info!(check = name, "a health check passes again");
        }
        self.is_failing.store(!failing.is_empty(), Relaxed);
    }
}

impl Probe {
    async fn run(&self, registry: &Registry) -> Result<(), String> {
        match self {
            Self::Store => registry.probe_reads().await.map_err(|error| {
                tracing::error!(%error, "the store can't be read");
                "the store can't be read".to_owned()
            }),
            Self::NoFile(path) => {
                let path = path.clone();
                let found = tokio::task::spawn_blocking(move || path.try_exists()).await;
                match found.unwrap_or_else(|error| Err(io::Error::other(error))) {
                    Ok(false) => Ok(()),
                    Ok(true) => Err("file exists".to_owned()),
                    Err(error) => Err(format!("the file can't be looked for: {error}")),
                }
            }
            Self::Connection(address, timeout) => {
                let connecting = TcpStream::connect(address.as_str());
                match tokio::time::timeout(*timeout, connecting).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(format!("connection to {address} failed: {error}")),
                    Err(_) => Err(format!("connection to {address} timed out")),
                }
            }
            Self::Http(http) => match http.client.send(http.request.clone()).await {
                Ok(response) if response.status.as_u16() == http.status => Ok(()),
                Ok(response) => {
                    Err(format!("downstream service returned unexpected status: {}", response.status.as_u16()))
                }
                Err(error) => Err(format!("error while checking: {error}")),
            },
        }
    }
}

/// The answer to every request while a check fails.
const UNAVAILABLE: Route = Route {
    template: "unavailable",
    methods: &[Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE],
};

/// Stands before all other routers, and has every path while a check fails.
#[derive(Debug)]
pub struct Unhealthy(pub Arc<Checks>);

impl Router for Unhealthy {
    fn find(&self, _: &Path) -> Option<Result<Box<dyn Resource>, ErrorAnswer>> {
        self.0.is_failing.load(Relaxed).then(|| Ok(Box::new(Unavailable) as Box<dyn Resource>))
    }
}

#[derive(Debug)]
struct Unavailable;

impl Resource for Unavailable {
    fn route(&self) -> Route {
        UNAVAILABLE
    }

    fn right(&self, _: &Method, _: &Query) -> Right {
        Right::Open
    }

    fn answer<'a>(&'a self, _: Exchange<'a>, _: Granted) -> LocalBoxFuture<'a, Result<HttpResponse, ErrorAnswer>> {
        let answer = ErrorAnswer::from(HttpError::Unavailable).cause_is_logged();
        Box::pin(async { Err(answer.with_details(vec!["a health check fails: see /debug/health".into()])) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::{registry::Rules, storage::Storage};

    fn check(probe: Probe, threshold: u32) -> Check {
        Check { name: "it".to_owned(), probe, interval: Duration::from_secs(10), threshold }
    }

    async fn eventually(checks: &Checks, is_failing: bool) {
        while checks.is_failing.load(Relaxed) != is_failing {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_appears_fails_and_passes_again_without_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("down");
        let checks = Arc::new(Checks::new(vec![check(Probe::NoFile(path.clone()), 3)]));
        let registry = Registry::at_rest(Storage::memory(), Rules::default(), crate::registry::Extensions::default());
        let following = tokio::spawn(Arc::clone(&checks).follow(registry));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(checks.failing().is_empty());
        std::fs::write(&path, "").unwrap();
        let begun = tokio::time::Instant::now();
        eventually(&checks, true).await;
        assert!(begun.elapsed() >= Duration::from_secs(20), "three checks have to fail");
        assert_eq!(checks.failing()["it"], "file exists");
        std::fs::remove_file(&path).unwrap();
        eventually(&checks, false).await;
        following.abort();
    }

    #[tokio::test]
    async fn a_connection_and_the_store_are_checked() {
        let registry = Registry::at_rest(Storage::memory(), Rules::default(), crate::registry::Extensions::default());
        assert_eq!(Probe::Store.run(&registry).await, Ok(()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let probe = Probe::Connection(format!("localhost:{port}"), Duration::from_secs(10));
        assert_eq!(probe.run(&registry).await, Ok(()));
        drop(listener);
        let error = probe.run(&registry).await.unwrap_err();
        assert!(error.starts_with(&format!("connection to localhost:{port} failed")), "{error}");
    }
}

//! The counters of each endpoint, for metrics.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::Notifier;
use crate::client::StatusCode;

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) events: AtomicU64,
    pub(super) successes: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) errors: AtomicU64,
    lost: AtomicU64,
    /// How often each status was answered. There are fewer than a thousand.
    statuses: Mutex<BTreeMap<u16, u64>>,
}

/// The counters of an endpoint, in the words of registry:3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointCounts {
    /// The endpoint's name.
    pub endpoint: String,
    /// Events that were to be sent.
    pub events: u64,
    /// Events that the endpoint accepted.
    pub successes: u64,
    /// Attempts that it answered with a status that is not 2xx or 3xx.
    pub failures: u64,
    /// Attempts that it did not answer.
    pub errors: u64,
    /// Events that were given up.
    pub lost: u64,
    /// How often each status was answered, as `200 OK`.
    pub statuses: Vec<(String, u64)>,
    /// Changes and pulls that wait to be sent.
    pub pending: usize,
}

impl Counters {
    /// Counts an answer with a status; how many there were.
    pub(super) fn status(&self, status: u16) -> u64 {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = statuses.entry(status).or_default();
        *count += 1;
        *count
    }

    fn statuses(&self) -> Vec<(String, u64)> {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |status: u16| match StatusCode::from_u16(status) {
            Ok(status) => format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()),
            Err(_) => status.to_string(),
        };
        statuses.iter().map(|(status, count)| (text(*status).trim_end().to_owned(), *count)).collect()
    }

    pub(super) fn lost(&self, count: u64) {
        self.lost.fetch_add(count, Relaxed);
    }
}

impl Notifier {
    /// The counters of each endpoint, in the order of the settings.
    #[must_use]
    pub fn counts(&self) -> Vec<EndpointCounts> {
        let endpoints = self.settings.endpoints.iter().zip(&self.endpoints).enumerate();
        let counts = endpoints.map(|(index, (endpoint, state))| EndpointCounts {
            endpoint: endpoint.name.clone(),
            events: state.counters.events.load(Relaxed),
            successes: state.counters.successes.load(Relaxed),
            failures: state.counters.failures.load(Relaxed),
            errors: state.counters.errors.load(Relaxed),
            lost: state.counters.lost.load(Relaxed),
            statuses: state.counters.statuses(),
            pending: self.queue.waiting(index).count,
        });
        counts.collect()
    }
}

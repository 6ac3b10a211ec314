//! The events that wait for each endpoint, and the commands of an operator about them.

use std::{
    sync::PoisonError,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{Notifier, start::stored_state};
use crate::registry::{Registry, StorageError};

/// A command of an operator about notifications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsRequest {
    /// The action.
    pub action: EventsAction,
    /// The endpoint that it is done for; `None`: for all.
    pub endpoint: Option<String>,
}

/// An action on waiting events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventsAction {
    /// Nothing: it is only listed.
    List,
    /// It is given up.
    Drop,
    /// It is sent now.
    Retry,
}

impl EventsRequest {
    fn names(&self, endpoint: &str) -> bool {
        self.endpoint.as_ref().is_none_or(|name| name == endpoint)
    }

    /// # Errors
    /// [`EventsError::NoEndpoint`] if none of `names` is the one that is asked for.
    fn must_be_among<'a>(&self, mut names: impl Iterator<Item = &'a String>) -> Result<(), EventsError> {
        match &self.endpoint {
            Some(name) if !names.any(|other| other == name) => Err(EventsError::NoEndpoint(name.clone())),
            _ => Ok(()),
        }
    }
}

/// The waiting events, after the action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReport {
    /// One for each endpoint.
    pub endpoints: Vec<EndpointStatus>,
}

/// The waiting events of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// The endpoint's name.
    pub name: String,
    /// How many changes and pulls wait.
    pub waiting: usize,
    /// Since when the oldest waits, in seconds since 1970.
    pub oldest: Option<u64>,
    /// Why the last attempt failed; `None` if it did not.
    pub last_error: Option<String>,
    /// How many were given up now.
    pub dropped: usize,
}

/// Why it can't be done.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// No endpoint has this name.
    #[error("there is no endpoint `{0}` (notifications.endpoints)")]
    NoEndpoint(String),
    /// The error of the store.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Notifier {
    /// Does what an operator asks for, while the registry is served.
    ///
    /// # Errors
    /// [`EventsError::NoEndpoint`].
    pub fn answer(&self, request: &EventsRequest) -> Result<EventsReport, EventsError> {
        let names = self.settings.endpoints.iter().map(|endpoint| &endpoint.name);
        request.must_be_among(names.clone())?;
        let mut report = EventsReport::default();
        for (index, name) in names.enumerate().filter(|(_, name)| request.names(name)) {
            let state = &self.endpoints[index];
            let mut dropped = 0;
            if request.action == EventsAction::Drop {
                dropped = self.queue.give_up(index);
                state.counters.lost(dropped as u64);
                tracing::warn!(endpoint = name, dropped, "notifications were given up, as a command asked for");
            }
            if request.action != EventsAction::List {
                state.retry.notify_one();
            }
            let waiting = self.queue.waiting(index);
            report.endpoints.push(EndpointStatus {
                name: name.clone(),
                waiting: waiting.count,
                oldest: waiting.oldest.map(seconds),
                last_error: state.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                dropped,
            });
        }
        Ok(report)
    }
}

/// Does what an operator asks for on a store that no server has open. Nothing is sent: what waits is sent at the next
/// start.
///
/// # Errors
/// [`EventsError`].
pub async fn answer_at_rest(registry: &Registry, request: &EventsRequest) -> Result<EventsReport, EventsError> {
    let mut state = stored_state(registry).await?;
    request.must_be_among(state.endpoints.keys())?;
    let records = registry.outbox_records().await?;
    let last = records.last().map_or(0, |record| record.number);
    let mut report = EventsReport::default();
    for (name, cursor) in state.endpoints.iter_mut().filter(|(name, _)| request.names(name)) {
        let mut waiting: Vec<_> = records.iter().filter(|record| record.number > *cursor).collect();
        let mut dropped = 0;
        if request.action == EventsAction::Drop {
            (dropped, *cursor) = (waiting.len(), last.max(*cursor));
            waiting.clear();
        }
        report.endpoints.push(EndpointStatus {
            name: name.clone(),
            waiting: waiting.len(),
            oldest: waiting.first().map(|record| seconds(record.stored)),
            last_error: None,
            dropped,
        });
    }
    if request.action == EventsAction::Drop
        && let Ok(content) = serde_json::to_vec(&state)
    {
        registry.set_outbox_state(content.into()).await?;
    }
    Ok(report)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

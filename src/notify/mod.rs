//! Notifications: what happens in the registry is reported to endpoints, by a POST for each event, with the envelopes
//! of registry:2 and registry:3.
//!
//! A [`Notifier`] listens to the events of the registry. A push, a mount or a delete has a record in the registry's
//! outbox: it is stored in one commit with the change, before the change can be seen, so a change that was made is
//! reported, also after a crash. Pulls wait in memory. `queue.rs` holds the order of all of them, and how
//! far each endpoint is: a task for each endpoint (`delivery.rs`) sends the next event until the endpoint accepts it.
//! No request waits for an endpoint.
//!
//! After a crash, a record may be there whose change was not made. `start.rs` judges those that were not confirmed
//! before by what the repository is like. What is delivered to all endpoints is removed by `upkeep.rs`, which also
//! bounds the outbox.

mod counters;
mod delivery;
mod envelope;
mod listener;
mod queue;
mod record;
mod settings;
mod start;
mod state;
mod status;
mod upkeep;

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use tokio::sync::Notify;

use self::{counters::Counters, queue::Queue};
pub use self::{
    counters::EndpointCounts,
    settings::{Endpoint, EnvelopeVersion, Ignore, Settings, Signature},
    start::remove_all,
    status::{EndpointStatus, EventsAction, EventsError, EventsReport, EventsRequest, answer_at_rest},
};

/// Reports what happens in a registry.
#[derive(Debug)]
pub struct Notifier {
    settings: Settings,
    queue: Queue,
    /// One for each endpoint, in the order of the settings.
    endpoints: Vec<EndpointState>,
    /// Whether the store takes no writes, so that there is no outbox.
    is_read_only: AtomicBool,
}

/// The state of an endpoint in this run.
#[derive(Debug, Default)]
struct EndpointState {
    counters: Counters,
    /// Ends the wait for the next attempt.
    retry: Notify,
    /// Why the last attempt failed, if it did.
    last_error: Mutex<Option<String>>,
}

impl Notifier {
    /// A notifier that listens from now on, and sends nothing before it is started.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        let endpoints = settings.endpoints.iter().map(|_| EndpointState::default()).collect::<Vec<_>>();
        let queue = Queue::new(endpoints.len());
        Arc::new(Self { settings, queue, endpoints, is_read_only: AtomicBool::new(false) })
    }
}

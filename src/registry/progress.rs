//! Long work: how far it is, and its listener.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

use super::Registry;

/// How far long work is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Progress<P> {
    /// The phase.
    pub phase: P,
    /// How much of that it has done.
    pub done: u64,
    /// Out of how much.
    pub of: u64,
}

impl<P> Progress<P> {
    pub(super) fn new(phase: P, done: usize, of: usize) -> Self {
        Self { phase, done: done as u64, of: of as u64 }
    }
}

/// Tells a listener what long work does: a collection, a check.
pub(super) struct Reporter<E> {
    registry: Registry,
    events: Sender<E>,
}

impl<E> Reporter<E> {
    pub(super) fn new(registry: &Registry, events: Sender<E>) -> Self {
        Self { registry: registry.clone(), events }
    }

    /// Whether the work is to end: its listener has gone, or the server stops.
    pub(super) fn is_over(&self) -> bool {
        self.events.is_closed() || self.registry.0.locks.is_finishing()
    }

    /// Tells an event, unless the listener is slow.
    pub(super) fn offer(&self, event: E) {
        let _ = self.events.try_send(event);
    }

    /// Tells an event. That the listener has gone is noticed by [`Reporter::is_over`].
    pub(super) async fn tell(&self, event: E) {
        let _ = self.events.send(event).await;
    }
}

impl Registry {
    /// Runs long work to its end, even if the caller is dropped; `died` if it panicked.
    pub(super) async fn run<T: Send + 'static, X: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, X>> + Send + 'static,
        died: X,
    ) -> Result<T, X> {
        self.0.locks.own(async { Ok(work.await) }).await.unwrap_or(Err(died))
    }
}

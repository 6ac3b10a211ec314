//! Delivery: for each endpoint, a task that sends what is next until the endpoint accepts it.

use std::{
    mem,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use tokio::time;

use super::{Endpoint, EndpointState, Notifier, queue::Next, record::Record};
use crate::{
    client::{
        ClientError, Method, Request,
        header::{CONTENT_TYPE, HeaderName, HeaderValue},
    },
    registry::{Registry, StorageError},
};

/// The wait after a failure below the threshold.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest wait between two attempts, unless the setting is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// How long is waited after an error of the store.
const STORE: Duration = Duration::from_secs(1);

/// How much of an answer's body is read, and for how long, so that its connection can be used again.
const ANSWER: u64 = 64 * 1024;
const ANSWER_TIME: Duration = Duration::from_millis(100);

/// Why an endpoint did not accept an event.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it answered {0}")]
    Status(u16),
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Notifier {
    /// Sends what waits for an endpoint, for as long as the registry is served.
    pub(super) async fn deliver(self: Arc<Self>, index: usize, registry: Registry) {
        let (mut failures, mut is_unreadable) = (0, false);
        let endpoint = &self.settings.endpoints[index].name;
        loop {
            let next = self.queue.next(index).await;
            match self.load(&registry, &next).await {
                Ok(Some(record)) => self.send(index, next.number, &record, &mut failures).await,
                Ok(None) => {}
                Err(error) => {
                    if !mem::replace(&mut is_unreadable, true) {
                        tracing::error!(endpoint, %error, "a record of the outbox can't be read; it is tried again");
                    }
                    time::sleep(STORE).await;
                    continue;
                }
            }
            if mem::take(&mut is_unreadable) {
                tracing::info!(endpoint, "the outbox can be read again");
            }
            self.queue.done(index, next.number);
        }
    }

    /// The record that is next; `None` if there is nothing to report.
    async fn load(&self, registry: &Registry, next: &Next) -> Result<Option<Arc<Record>>, StorageError> {
        let record = if let Some(record) = &next.record {
            Arc::clone(record)
        } else {
            let Some(content) = registry.outbox_record(next.number).await? else { return Ok(None) };
            let Ok(record) = serde_json::from_slice::<Record>(&content) else {
                tracing::error!(number = next.number, "a record of the outbox makes no sense; it is given up");
                return Ok(None);
            };
            Arc::new(record)
        };
        let was_made = !next.is_doubtful || self.was_made(registry, &record).await?;
        Ok(was_made.then_some(record))
    }

    /// Sends the events of a record, until the endpoint accepts them or they are given up.
    async fn send(&self, index: usize, number: u64, record: &Record, failures: &mut u32) {
        let (endpoint, state) = (&self.settings.endpoints[index], &self.endpoints[index]);
        if endpoint.ignore.covers(record) {
            return;
        }
        for envelope in record.envelopes(&self.settings, endpoint.version) {
            let body = Bytes::from(envelope);
            while let Err(error) = self.attempt(index, body.clone()).await {
                *failures = failures.saturating_add(1);
                if *failures == endpoint.threshold.max(1) {
                    tracing::warn!(endpoint = endpoint.name, %error, "notifications are not accepted; they wait");
                }
                *state.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                let wait = wait(endpoint.threshold, endpoint.backoff, *failures, rand::random());
                let _ = time::timeout(wait, state.retry.notified()).await;
                if !self.queue.has(index, number) {
                    return;
                }
            }
            if *failures >= endpoint.threshold.max(1) {
                tracing::info!(endpoint = endpoint.name, "notifications are accepted again");
            }
            *failures = 0;
        }
    }

    async fn attempt(&self, index: usize, body: Bytes) -> Result<(), Refused> {
        let (endpoint, EndpointState { counters, last_error, .. }) =
            (&self.settings.endpoints[index], &self.endpoints[index]);
        match post(endpoint, body).await {
            Ok(status) => {
                if counters.status(status) == 1 && (300..400).contains(&status) {
                    tracing::warn!(
                        endpoint = endpoint.name,
                        status,
                        "the endpoint redirects: this accepts an event and is not followed; set its url to the target"
                    );
                }
                if (200..400).contains(&status) {
                    counters.successes.fetch_add(1, Relaxed);
                    *last_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    return Ok(());
                }
                counters.failures.fetch_add(1, Relaxed);
                Err(Refused::Status(status))
            }
            Err(error) => {
                counters.errors.fetch_add(1, Relaxed);
                Err(error.into())
            }
        }
    }
}

/// Posts an envelope; the status of the answer.
async fn post(endpoint: &Endpoint, body: Bytes) -> Result<u16, ClientError> {
    const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
    let mut request = Request::new(Method::POST, endpoint.url.clone());
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(endpoint.version.content_type()));
    if let Some(signature) = &endpoint.signature
        && let Ok(value) = HeaderValue::from_str(&signature.sign(&body))
    {
        request.headers.insert(SIGNATURE, value);
    }
    for (name, value) in &endpoint.headers {
        request.headers.append(name, value.clone());
    }
    let answered = time::timeout(endpoint.timeout, endpoint.client.send(request.body(body))).await;
    let mut response = answered.map_err(|_| ClientError::Timeout)??;
    // The status accepts or refuses the event, even if the body after it never ends.
    let _ = time::timeout(ANSWER_TIME, response.bytes(ANSWER)).await;
    Ok(response.status.as_u16())
}

/// How long the next attempt waits after so many failures. As in registry:2, those below the threshold are followed at
/// once, with a short pause so that no processor is kept busy. Then the wait is the backoff, doubled each time, with a
/// quarter more or less by chance.
fn wait(threshold: u32, backoff: Duration, failures: u32, chance: f64) -> Duration {
    if failures < threshold {
        return PAUSE;
    }
    let doublings = (failures - threshold).min(16);
    let wait = backoff.saturating_mul(1 << doublings).min(LONGEST.max(backoff));
    wait.mul_f64(0.75 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_wait_from_the_threshold_on() {
        let rows = [
            (1, 0.5, PAUSE),
            (2, 0.5, PAUSE),
            (3, 0.5, Duration::from_secs(1)),
            (4, 0.5, Duration::from_secs(2)),
            (4, 0.0, Duration::from_millis(1500)),
            (4, 1.0, Duration::from_millis(2500)),
            (8, 0.5, Duration::from_secs(32)),
            (9, 0.5, LONGEST),
            (u32::MAX, 0.5, LONGEST),
        ];
        for (failures, chance, expected) in rows {
            assert_eq!(wait(3, Duration::from_secs(1), failures, chance), expected, "{failures} {chance}");
        }
        // A setting that is longer than the longest wait holds.
        assert_eq!(wait(1, Duration::from_secs(600), 5, 0.5), Duration::from_secs(600));
    }
}

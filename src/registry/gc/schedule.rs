//! Collections that begin by themselves.

use std::{sync::Weak, time::Duration};

use tokio::sync::mpsc;

use super::{Collection, CollectionError, Report};
use crate::registry::{Inner, Registry, periodic::repeat};

/// Collects again and again.
pub(in crate::registry) async fn run(registry: Weak<Inner>, interval: Duration) {
    repeat(registry, interval, |registry| async move { collect(&registry, interval).await }).await;
}

/// Collects, and returns the time to the next collection.
async fn collect(registry: &Registry, interval: Duration) -> Duration {
    let untagged = registry.0.rules.gc.untagged;
    let (events, mut unheard) = mpsc::channel(16);
    let collected = registry.collect(Collection { untagged, ..Collection::default() }, events);
    let listening = async { while unheard.recv().await.is_some() {} };
    match tokio::join!(collected, listening).0 {
        Ok(report) => {
            log(&report);
            // As soon as it is possible, and not a whole interval later.
            if let Some(seconds) = report.settles_in {
                return interval.min(Duration::from_secs(seconds + 1));
            }
        }
        Err(CollectionError::BrokenOff) => {}
        Err(error @ CollectionError::UnderWay) => tracing::warn!("a collection that was due is left out: {error}"),
        Err(error) => tracing::error!("no collection: {error}"),
    }
    interval
}

/// One line for each collection.
fn log(report: &Report) {
    let Report {
        contents,
        bytes,
        links,
        manifests,
        repositories,
        uploads,
        histories,
        waiting,
        waiting_bytes,
        seconds,
        ..
    } = report;
    if report.is_incomplete() {
        tracing::warn!(manifests, uploads, seconds, "no blob was collected: an error before this says what stopped it");
        return;
    }
    tracing::info!(
        contents,
        bytes,
        links,
        manifests,
        repositories,
        uploads,
        histories,
        waiting,
        waiting_bytes,
        seconds,
        "collected what nothing refers to"
    );
}

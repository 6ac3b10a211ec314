//! `/healthz`: whether the store takes writes.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use actix_web::HttpResponse;
use tokio::sync::Mutex;

use crate::{
    http::{ErrorAnswer, HttpError},
    registry::Registry,
};

/// The probes of the store: one at a time, which is everybody's who asked before it began.
#[derive(Debug, Default)]
pub(super) struct Probes {
    begun: AtomicU64,
    last: Mutex<bool>,
}

impl Probes {
    /// 503 if the store is not writable any more. A store that never was is served read-only, as it was meant to be.
    pub(super) async fn health(&self, registry: &Registry) -> Result<HttpResponse, ErrorAnswer> {
        if registry.is_read_only() || self.is_well(registry).await {
            Ok(HttpResponse::Ok().finish())
        } else {
            Err(HttpError::Unavailable.into())
        }
    }

    /// Whether the store takes writes.
    pub(super) async fn is_well(&self, registry: &Registry) -> bool {
        let asked = self.begun.load(SeqCst);
        let mut last = self.last.lock().await;
        if self.begun.load(SeqCst) > asked {
            // One began since, so it is no older than the question.
            return *last;
        }
        self.begun.fetch_add(1, SeqCst);
        let probed = registry.probe().await;
        if let Err(error) = &probed {
            tracing::error!(%error, "the store takes no writes");
        }
        *last = probed.is_ok();
        *last
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::{registry::Rules, storage::Storage};

    #[tokio::test]
    async fn many_questions_at_once_are_one_or_two_probes() {
        let (registry, probes) = (Registry::new(Storage::memory(), Rules::default()), Probes::default());
        for round in 1..=3 {
            let busy = probes.last.lock().await;
            let asked = join_all((0..100).map(|_| probes.is_well(&registry)));
            // All of them wait before the first can begin.
            let (answers, ()) = tokio::join!(asked, async { drop(busy) });
            assert!(answers.into_iter().all(|is_well| is_well));
            assert!(probes.begun.load(SeqCst) <= 2 * round);
        }
    }
}

//! Metrics in the text format of Prometheus: registry:2's and registry:3's names, labels and buckets, and wharf's own.
//!
//! Every label has a closed set of values, so no client can add series. What each request counts is counted by
//! thread, and added up by a scrape.

mod content;
mod count;
mod histogram;
mod process;
mod requests;
mod storage;
mod text;

use std::{fmt::Debug, sync::Arc, time::Duration};

pub use self::text::{Kind, Text};
use self::{content::Content, count::PerThread, requests::Requests, storage::Actions};
use crate::{
    http::{RequestListener, RequestRecord, Route},
    registry::{
        Registry,
        events::{Event, Listener},
    },
    storage::{Action, Observer, StorageError},
};

/// The media type of the text format.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The counters of a server. They are told of requests, of the registry's events and of the store's actions.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: PerThread<Requests>,
    actions: PerThread<Actions>,
    content: Content,
}

/// Metrics that another part of the server counts.
pub trait MetricSource: Debug + Send + Sync {
    /// Writes the families of this source, at each scrape.
    fn write(&self, text: &mut Text);
}

impl Metrics {
    /// The text of a scrape. `is_writable` says whether the store takes writes at this moment.
    pub(super) async fn scrape(
        &self,
        registry: &Registry,
        is_writable: bool,
        others: &[Arc<dyn MetricSource>],
    ) -> String {
        let mut text = Text::default();
        self.requests.total().write(&mut text);
        self.actions.total().write(&mut text, registry.storage_driver());
        let cache = registry.cache_counts();
        let (name, help) = ("registry_storage_cache_total", "The number of cache request received");
        text.family(name, Kind::Counter, help);
        for (kind, count) in [("Request", cache.requests), ("Hit", cache.hits), ("Miss", cache.requests - cache.hits)] {
            text.series(name, &[("type", kind)], count);
        }
        text.single("registry_storage_cache_requests_total", Kind::Counter, help, cache.requests);
        text.single("registry_storage_cache_hits_total", Kind::Counter, help, cache.hits);
        // The cache is in this process: a request to it can't fail.
        text.single("registry_storage_cache_errors_total", Kind::Counter, "The number of cache request errors", 0);
        self.content.write(&mut text, registry);
        write_store(&mut text, registry, is_writable).await;
        let (name, help) = ("wharf_build_info", "1, with the version of wharf.");
        text.family(name, Kind::Gauge, help);
        text.series(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        for source in others {
            source.write(&mut text);
        }
        process::write(&mut text);
        text.finish()
    }
}

async fn write_store(text: &mut Text, registry: &Registry, is_writable: bool) {
    let (name, help) = ("wharf_store_writable", "1 if the store takes writes, else 0.");
    text.single(name, Kind::Gauge, help, u8::from(is_writable));
    // A store in memory has no bound that the system knows.
    if let Ok(Some(free)) = registry.free_space().await {
        text.single("wharf_store_free_bytes", Kind::Gauge, "Bytes that can still be written.", free.bytes);
        if let Some(inodes) = free.inodes {
            text.single("wharf_store_free_inodes", Kind::Gauge, "Files that can still be made.", inodes);
        }
    }
}

impl RequestListener for Metrics {
    fn begun(&self, route: Route) {
        self.requests.own().begun(route);
    }

    fn ended(&self, record: &RequestRecord) {
        self.requests.own().ended(record);
    }
}

impl Listener for Metrics {
    fn happened(&self, event: &Event<'_>) {
        self.content.happened(event);
    }

    fn needs_source(&self) -> bool {
        false
    }
}

impl Observer for Metrics {
    fn action(&self, action: Action, took: Duration, outcome: Result<(), &StorageError>) {
        self.actions.own().count(action, took, outcome);
    }
}

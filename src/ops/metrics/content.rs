//! Counters of events of content: uploads, collections, damage.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

use super::text::{Kind, Text};
use crate::registry::{
    CollectionReport, Registry,
    events::{Action, Event},
};

/// The counters of the registry's events.
#[derive(Debug, Default)]
pub(super) struct Content {
    uploads_begun: AtomicU64,
    uploads_cancelled: AtomicU64,
    uploads_expired: AtomicU64,
    damaged: AtomicU64,
    collections: AtomicU64,
    collected_bytes: AtomicU64,
    /// When the last collection ended, in seconds since 1970; 0 before the first.
    collected_at: AtomicU64,
    /// How long it took, in milliseconds.
    collected_in: AtomicU64,
}

impl Content {
    /// An event of the registry.
    pub(super) fn happened(&self, event: &Event<'_>) {
        match event {
            Event::Repository(event) => match event.action {
                Action::UploadBegun(_) => add(&self.uploads_begun, 1),
                Action::UploadCancelled(_) => add(&self.uploads_cancelled, 1),
                _ => {}
            },
            Event::Collected(report) if !report.dry_run => self.collected(report),
            Event::Collected(_) => {}
            Event::Damaged(_) => add(&self.damaged, 1),
            Event::UploadExpired => add(&self.uploads_expired, 1),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time is not negative, and not that long"
    )]
    fn collected(&self, report: &CollectionReport) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        add(&self.collections, 1);
        add(&self.collected_bytes, report.bytes);
        self.collected_at.store(now, Relaxed);
        self.collected_in.store((report.seconds * 1000.0) as u64, Relaxed);
    }

    /// Writes all families.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of one collection")]
    pub(super) fn write(&self, text: &mut Text, registry: &Registry) {
        let open = registry.open_uploads();
        text.single("wharf_uploads_open", Kind::Gauge, "Upload sessions that were used and have not ended.", open);
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let counters = [
            ("wharf_uploads_begun_total", "Upload sessions that began.", get(&self.uploads_begun)),
            ("wharf_uploads_cancelled_total", "Upload sessions that a client cancelled.", get(&self.uploads_cancelled)),
            (
                "wharf_uploads_expired_total",
                "Unfinished uploads that were removed for their age.",
                get(&self.uploads_expired),
            ),
            ("wharf_damaged_contents_total", "Stored contents that did not have their digest.", get(&self.damaged)),
            ("wharf_gc_collections_total", "Garbage collections that came to their end.", get(&self.collections)),
            ("wharf_gc_freed_bytes_total", "Bytes that collections freed.", get(&self.collected_bytes)),
        ];
        for (name, help, count) in counters {
            text.single(name, Kind::Counter, help, count);
        }
        let (name, help) =
            ("wharf_gc_last_end_timestamp_seconds", "When the last collection ended; 0 before the first.");
        text.single(name, Kind::Gauge, help, get(&self.collected_at));
        let (name, help) = ("wharf_gc_last_duration_seconds", "How long the last collection took.");
        text.single(name, Kind::Gauge, help, get(&self.collected_in) as f64 / 1000.0);
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Relaxed);
}

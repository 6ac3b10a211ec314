//! The notifier as a listener of the registry.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::{Notifier, queue::Progress, record::Record};
use crate::registry::{
    Key, Registry, Step,
    events::{ChangeEnd, Event, Listener},
};

impl Listener for Notifier {
    fn happened(&self, event: &Event<'_>) {
        // A change has its record already.
        if let Some(record) = self.record(event).filter(|record| !record.is_change()) {
            self.count(&record);
            let lost = self.queue.add(record);
            for (endpoint, lost) in self.endpoints.iter().zip(lost) {
                endpoint.counters.lost(lost);
            }
        }
    }

    fn prepare(&self, event: &Event<'_>) -> Vec<Step> {
        let Some(record) = self.record(event).filter(Record::is_change) else { return Vec::new() };
        let Ok(content) = serde_json::to_vec(&record) else { return Vec::new() };
        self.count(&record);
        let number = self.queue.begin(record, content.len());
        vec![Registry::outbox_step(number, Bytes::from(content))]
    }

    fn ended(&self, keys: &[Key], end: ChangeEnd) {
        for number in keys.iter().filter_map(Registry::outbox_number) {
            self.queue.end(
                number,
                match end {
                    ChangeEnd::Made => Some(Progress::Made),
                    ChangeEnd::Failed => None,
                    ChangeEnd::Unknown => Some(Progress::Doubtful),
                },
            );
        }
    }
}

impl Notifier {
    /// The record of an event that some endpoint wants.
    fn record(&self, event: &Event<'_>) -> Option<Record> {
        let Event::Repository(event) = event else { return None };
        let record = Record::of(event, self.settings.include_references)?;
        self.settings.endpoints.iter().any(|endpoint| !endpoint.ignore.covers(&record)).then_some(record)
    }

    fn count(&self, record: &Record) {
        for (state, endpoint) in self.endpoints.iter().zip(&self.settings.endpoints) {
            if !endpoint.ignore.covers(record) {
                state.counters.events.fetch_add(record.what.events() as u64, Relaxed);
            }
        }
    }
}

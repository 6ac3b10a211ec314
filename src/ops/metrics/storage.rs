//! Actions of the store, as registry:2 counts them.

use std::time::Duration;

use super::{
    count::{Count, Counts},
    histogram::{ACTIONS, Histogram, nanoseconds},
    text::{Kind, Text},
};
use crate::storage::{Action, StorageError};

/// The actions, each with the values of its label in registry:2 and registry:3.
const NAMES: [(Action, &[&str]); 8] = [
    (Action::GetContent, &["GetContent"]),
    (Action::PutContent, &["PutContent"]),
    // Where they ask the store for an address to send the client to, wharf opens the content.
    (Action::Reader, &["Reader", "URLFor", "RedirectURL"]),
    (Action::Writer, &["Writer"]),
    (Action::Stat, &["Stat"]),
    (Action::List, &["List"]),
    (Action::Move, &["Move"]),
    (Action::Delete, &["Delete"]),
];

/// The counters of the store's actions.
#[derive(Debug, Default)]
pub(super) struct Actions {
    by_action: [Histogram; NAMES.len()],
    syncs: Histogram,
    errors: Count,
}

impl Actions {
    /// An action has ended.
    pub(super) fn count(&self, action: Action, took: Duration, outcome: Result<(), &StorageError>) {
        let took = nanoseconds(took);
        match NAMES.iter().position(|(named, _)| *named == action) {
            Some(at) => self.by_action[at].observe(&ACTIONS, took),
            None => self.syncs.observe(&ACTIONS, took),
        }
        if outcome.is_err() {
            self.errors.add(1);
        }
    }

    /// Writes the family of registry:2, with its name of the store, and wharf's own.
    pub(super) fn write(&self, text: &mut Text, driver: &str) {
        let name = "registry_storage_action_seconds";
        text.histograms(name, "The number of seconds that the storage action takes");
        for ((_, actions), counted) in NAMES.iter().zip(&self.by_action) {
            for action in *actions {
                text.histogram(name, &[("action", action), ("driver", driver)], &ACTIONS, counted);
            }
        }
        let name = "wharf_storage_sync_seconds";
        text.histograms(name, "The seconds that each sync of a file or a directory took.");
        text.histogram(name, &[], &ACTIONS, &self.syncs);
        let help = "Actions of the store that failed.";
        text.single("wharf_storage_errors_total", Kind::Counter, help, self.errors.get());
    }
}

impl Counts for Actions {
    fn add(&self, other: &Self) {
        self.by_action.iter().zip(&other.by_action).for_each(|(counted, other)| counted.add(other));
        self.syncs.add(&other.syncs);
        self.errors.add(other.errors.get());
    }
}

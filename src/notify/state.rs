//! How far the endpoints are, as it is stored beside the records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The stored state. It may be older than the records: then some events are sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// For each endpoint, by name, the last number that it is done with.
    pub(super) endpoints: BTreeMap<String, u64>,
    /// The last number before which all changes have ended: those whose records are there were made.
    pub(super) confirmed: u64,
}

//! A run of retention: what is asked for, its messages, and its report.

use serde::{Deserialize, Serialize};

use crate::{
    oci::{Digest, RepositoryName, Tag},
    storage::StorageError,
};

/// What a run shall do.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct RetentionRun {
    /// Whether it only says what it would remove.
    pub dry_run: bool,
}

/// A message of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetentionEvent {
    /// A tag was removed, or would be.
    Removed(RemovedTag),
}

/// A tag that was removed, or that a dry run would remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedTag {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What it named.
    pub digest: Digest,
    /// When it was pushed, in seconds since 1970.
    pub pushed: u64,
    /// The number of the rule that decided about it, from 1.
    pub rule: usize,
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RetentionReport {
    /// Whether all of it is still there.
    pub dry_run: bool,
    /// How many tags it looked at.
    pub seen: u64,
    /// How many tags it removed.
    pub tags: u64,
    /// How many tags it left for the next run, because it had removed as many as one run may.
    pub left: u64,
    /// How many tags stay because their pulls are not recorded for long enough.
    pub unrecorded: u64,
    /// How long it took.
    pub seconds: f64,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The settings have no rule.
    #[error("the settings have neither [[retention]] nor [tag_ttl]: no tag is to be removed")]
    NoRules,
    /// Another run is under way.
    #[error("another run of retention is under way")]
    UnderWay,
    /// The store takes no writes.
    #[error("the store is read-only")]
    ReadOnly,
    /// Several processes may serve the store.
    #[error("tags of a bucket are removed by `wharf retention`, while no node serves it")]
    Shared,
    /// A part of the store can't be seen.
    #[error("no tag is removed while a part of the store can't be seen: {0}")]
    Gap(String),
    /// The listener has gone, or the server stops.
    #[error("it was broken off")]
    BrokenOff,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

//! Retention: which tags are removed after a time. The manifests that no tag names then are left to the collection.
//!
//! A run makes a plan of one repository at a time (`plan`), and then carries it out. A dry run is the same without the
//! removal. Just before a tag is removed, it is compared with the plan under the lock of its repository. A tag that was
//! pushed or pulled since stays.

mod plan;
mod pulls;
mod report;
mod run;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use self::pulls::Pulls;
pub use self::report::{RemovedTag, RetentionError, RetentionEvent, RetentionReport, RetentionRun};
pub(super) use self::{
    pulls::{forget as forget_pulls, keep as keep_pulls},
    run::run,
};
use super::events::{Action, Event, Listener};
use crate::oci::{Glob, RepositoryName, Tag, TagGlob};

/// Which tags are removed, and when.
#[derive(Debug)]
pub struct Retention {
    rules: Vec<RetentionRule>,
    /// How often a run begins by itself; `None`: never.
    interval: Option<Duration>,
    /// How many tags one run removes at most.
    ceiling: usize,
    pulls: Pulls,
    removed: AtomicU64,
}

/// A rule about the tags that match its patterns. The first rule that matches a tag decides about it. A tag stays if one
/// of the conditions holds for it. Tags that no rule matches stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionRule {
    /// The repositories.
    pub repositories: Vec<Glob>,
    /// The tags; empty: all.
    pub tags: Vec<TagGlob>,
    /// The tags that stay in any case.
    pub protect: Vec<TagGlob>,
    /// So many of a repository's tags that the rule decides about stay, those that were pushed last.
    pub keep_newest: Option<usize>,
    /// Tags stay that were pushed within this time.
    pub pushed_within: Option<Duration>,
    /// Tags stay that were pulled within this time.
    pub pulled_within: Option<Duration>,
}

impl RetentionRule {
    fn matches(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        self.repositories.iter().any(|pattern| pattern.matches(repository))
            && (self.tags.is_empty() || self.tags.iter().any(|pattern| pattern.matches(tag)))
    }
}

impl Retention {
    /// Retention by these rules.
    #[must_use]
    pub fn new(rules: Vec<RetentionRule>, interval: Option<Duration>, ceiling: usize) -> Self {
        Self { rules, interval, ceiling, pulls: Pulls::default(), removed: AtomicU64::new(0) }
    }

    /// Whether a rule needs to know when tags were pulled. The retention has to be a listener then.
    #[must_use]
    pub fn needs_pulls(&self) -> bool {
        self.window().is_some()
    }

    pub(super) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// How many tags it has removed since the start.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.removed.load(Relaxed)
    }

    /// The longest time within which a pull keeps a tag.
    fn window(&self) -> Option<Duration> {
        self.rules.iter().filter_map(|rule| rule.pulled_within).max()
    }
}

impl Listener for Retention {
    fn happened(&self, event: &Event<'_>) {
        if let Event::Repository(event) = event
            && let Action::ManifestPulled(manifest) = event.action
        {
            self.pulls.note(event.repository, manifest.digest, manifest.tags);
        }
    }

    fn needs_source(&self) -> bool {
        false
    }
}

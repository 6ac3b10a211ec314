//! The messages of a collection while it runs, and its report at the end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    oci::{Digest, RepositoryName},
    registry::{Progress, progress::Reporter},
};

/// How many obstacles are told one by one.
const OBSTACLES: usize = 100;

/// A message of a running collection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// How far it is.
    Progress(Progress<Phase>),
    /// Something went, or would go.
    Removed(Removal),
}

/// The phases of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It takes away manifests without a tag, repository by repository.
    Untag,
    /// It reads manifests, repository by repository.
    Mark,
    /// It takes away links to blobs, repository by repository.
    Links,
    /// It takes away content, by the 512 parts of the store.
    Contents,
}

/// Something that went, or that a dry run would take.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Removal {
    /// Its kind.
    pub kind: Removed,
    /// Out of which repository; `None` for content, which belongs to none any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repository: Option<RepositoryName>,
    /// Which one; `None` for a repository.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// How many bytes of the disk that frees.
    pub bytes: u64,
}

/// The kinds of things that go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Removed {
    /// A manifest without a tag, out of its repository.
    Manifest,
    /// A repository's link to a blob that none of its manifests refers to.
    Link,
    /// The bytes of a blob or a manifest that is in no repository.
    Content,
    /// A repository that has nothing.
    Repository,
}

/// The result of a collection, or of a dry run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whether all of it is still there.
    pub dry_run: bool,
    /// How many blobs and manifests went from the disk.
    pub contents: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// How many links to blobs went.
    pub links: u64,
    /// How many manifests without a tag went out of their repositories.
    pub manifests: u64,
    /// How many repositories went, because nothing was left in them.
    pub repositories: u64,
    /// How many uploads went that nobody had ended.
    pub uploads: u64,
    /// How many entries of tags' histories went, of manifests that are gone.
    #[serde(default)]
    pub histories: u64,
    /// How many blobs and manifests nothing refers to that may not go yet.
    #[serde(default)]
    pub waiting: u64,
    /// How many bytes they have.
    #[serde(default)]
    pub waiting_bytes: u64,
    /// How many manifests without a tag may not go yet; 0 if these were not asked for.
    #[serde(default)]
    pub waiting_manifests: u64,
    /// In how many seconds the first of what waits can go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_in: Option<u64>,
    /// In how many seconds the last of what waits can go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_in: Option<u64>,
    /// For how many seconds all content waits, because what clients were told in an earlier run of the system may be
    /// lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles_in: Option<u64>,
    /// How many looks found a date in the future.
    #[serde(default)]
    pub future: u64,
    /// How long it took.
    pub seconds: f64,
    /// Why no links and no content were taken, if none were: each says what is to be done.
    pub obstacles: Vec<String>,
}

impl Report {
    /// Whether something stopped it from taking all that should go.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        !self.obstacles.is_empty()
    }
}

/// Whole seconds, rounded up.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Counts, and tells.
pub(super) struct ReportBuilder {
    report: Report,
    pub(super) reporter: Reporter<Event>,
}

impl ReportBuilder {
    pub(super) fn new(reporter: Reporter<Event>) -> Self {
        Self { report: Report::default(), reporter }
    }

    pub(super) fn uploads(&mut self, count: usize) {
        self.report.uploads += count as u64;
    }

    pub(super) fn settles_in(&mut self, wait: Duration) {
        self.report.settles_in = Some(wait).filter(|wait| !wait.is_zero()).map(seconds);
    }

    pub(super) fn histories(&mut self, count: usize) {
        self.report.histories += count as u64;
    }

    pub(super) fn dated_in_the_future(&mut self) {
        if self.report.future == 0 {
            tracing::warn!("content of the store is dated in the future: it counts as new; look at the clock");
        }
        self.report.future += 1;
    }

    /// Counts content that has to wait.
    pub(super) fn waits(&mut self, bytes: u64, wait: Duration) {
        self.report.waiting += 1;
        self.report.waiting_bytes += bytes;
        self.note_wait(wait);
    }

    /// Counts a manifest without a tag that has to wait.
    pub(super) fn manifest_waits(&mut self, wait: Duration) {
        self.report.waiting_manifests += 1;
        self.note_wait(wait);
    }

    fn note_wait(&mut self, wait: Duration) {
        let wait = seconds(wait);
        self.report.first_in = Some(self.report.first_in.map_or(wait, |first| first.min(wait)));
        self.report.last_in = self.report.last_in.max(Some(wait));
    }

    pub(super) fn progress(&self, phase: Phase, done: usize, of: usize) {
        self.reporter.offer(Event::Progress(Progress::new(phase, done, of)));
    }

    pub(super) async fn removed(&mut self, removal: Removal) {
        let report = &mut self.report;
        report.bytes += removal.bytes;
        *match removal.kind {
            Removed::Manifest => &mut report.manifests,
            Removed::Link => &mut report.links,
            Removed::Content => &mut report.contents,
            Removed::Repository => &mut report.repositories,
        } += 1;
        tracing::debug!(kind = ?removal.kind, repository = ?removal.repository, digest = ?removal.digest, "collected");
        self.reporter.tell(Event::Removed(removal)).await;
    }

    /// Notes what stops the sweep.
    pub(super) fn obstacle(&mut self, what: String) {
        tracing::error!("{what}; no blob is collected until then");
        if self.report.obstacles.len() < OBSTACLES && !self.report.obstacles.contains(&what) {
            self.report.obstacles.push(what);
        }
    }

    pub(super) fn has_obstacles(&self) -> bool {
        self.report.is_incomplete()
    }

    pub(super) fn close(self, dry_run: bool, took: Duration) -> Report {
        Report { dry_run, seconds: took.as_secs_f64(), ..self.report }
    }
}

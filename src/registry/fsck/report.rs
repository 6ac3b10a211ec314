//! The messages of a check while it runs, and its report at the end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::registry::{Progress, progress::Reporter};

/// A message of a running check.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// How far it is.
    Progress(Progress<Phase>),
    /// Something is not as it should be.
    Finding(Finding),
}

/// The phases of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It reads all content, by the 512 parts of the store.
    Contents,
    /// It follows links, repository by repository.
    Repositories,
    /// It writes indexes of referrers, repository by repository.
    Referrers,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where: content by its digest, a manifest as `name@digest`, a tag as `name:tag`.
    pub place: String,
    /// The problem.
    pub what: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The repair, or the remedy for the operator; empty if none is needed.
    pub advice: String,
}

/// The outcome of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It harms nobody here, and is worth knowing.
    Note,
    /// It was wrong, and is right now.
    Mended,
    /// It is wrong.
    Problem,
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FsckReport {
    /// How many blobs and manifests were read.
    pub contents: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many repositories there are.
    pub repositories: u64,
    /// How many manifests are in them.
    pub manifests: u64,
    /// How many tags are in them.
    pub tags: u64,
    /// How many indexes of referrers were written.
    pub referrers_tags: u64,
    /// How many findings are notes.
    pub notes: u64,
    /// How many were mended.
    pub mended: u64,
    /// How many are left that are wrong.
    pub problems: u64,
    /// How long it took.
    pub seconds: f64,
}

/// Counts, and tells.
pub(super) struct ReportBuilder {
    pub(super) figures: FsckReport,
    pub(super) reporter: Reporter<Event>,
}

impl ReportBuilder {
    pub(super) fn new(reporter: Reporter<Event>) -> Self {
        Self { figures: FsckReport::default(), reporter }
    }

    pub(super) fn progress(&self, phase: Phase, done: usize, of: usize) {
        self.reporter.offer(Event::Progress(Progress::new(phase, done, of)));
    }

    pub(super) async fn note(&mut self, place: impl ToString, what: impl ToString) {
        self.found(place.to_string(), what.to_string(), Outcome::Note, "").await;
    }

    pub(super) async fn mended(&mut self, place: impl ToString, what: impl ToString, done: &str) {
        self.found(place.to_string(), what.to_string(), Outcome::Mended, done).await;
    }

    pub(super) async fn problem(&mut self, place: impl ToString, what: impl ToString, todo: &str) {
        self.found(place.to_string(), what.to_string(), Outcome::Problem, todo).await;
    }

    async fn found(&mut self, place: String, what: String, outcome: Outcome, advice: &str) {
        *match outcome {
            Outcome::Note => &mut self.figures.notes,
            Outcome::Mended => &mut self.figures.mended,
            Outcome::Problem => &mut self.figures.problems,
        } += 1;
        if outcome != Outcome::Note {
            tracing::warn!(%place, %what, ?outcome, "a check of the store found something");
        }
        self.reporter.tell(Event::Finding(Finding { place, what, outcome, advice: advice.to_owned() })).await;
    }

    pub(super) fn close(self, took: Duration) -> FsckReport {
        FsckReport { seconds: took.as_secs_f64(), ..self.figures }
    }
}

//! Garbage collection, while serving.
//!
//! *Mark*: everything that a manifest refers to, read from the disk. *Sweep*: what is not marked, older than the grace
//! time, and relied on by nobody; it is taken alone and looked at once more before it goes, the links to it first and
//! its bytes last. Manifests go only when that is asked for, in a pass of its own before the mark. What can't be read
//! stops all of it: then nobody knows what it refers to.

mod evict;
mod graph;
mod held;
mod mark;
mod report;
mod schedule;
mod sweep;
mod tags;
mod untagged;

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc::Sender, time::Instant};

use self::{mark::Marks, report::ReportBuilder};
use super::{
    Registry,
    completeness::Forget,
    content::{Fingerprints, Run},
    events,
    progress::Reporter,
};
use crate::{
    oci::{Digest, RepositoryName},
    storage::StorageError,
};

pub use evict::Eviction;
pub use report::{Event, Phase, Removal, Removed, Report};
pub(super) use schedule::run;

/// The options of a collection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Only say what would go.
    #[serde(default)]
    pub dry_run: bool,
    /// Take manifests without a tag as well, but for children of an index and referrers of something that stay with
    /// those.
    #[serde(default)]
    pub untagged: bool,
    /// Repositories that are recorded and missing, because they were removed on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forget: Vec<RepositoryName>,
    /// Content that no repository explained when the store was first seen belongs to nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forget_unexplained: bool,
}

/// Why there was no collection, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// There is another one.
    #[error("a collection is under way already")]
    UnderWay,
    /// The store can't be written.
    #[error("the store is read-only")]
    ReadOnly,
    /// Several processes may serve the store.
    #[error("a bucket is collected by `wharf gc`, while no node serves it")]
    Shared,
    /// There is nothing to forget.
    #[error("{0} is not a repository that is missing: there is nothing to forget")]
    NotMissing(RepositoryName),
    /// Somebody else's uploads are younger than this process.
    #[error("another registry writes to {0} at this moment: nothing is collected; stop one of the two registries")]
    AnotherWriter(RepositoryName),
    /// A part of the store can't be seen, so nobody knows what refers to its content.
    #[error("a part of the store can't be seen: an error before this says which")]
    Unseen,
    /// The caller has gone, or the server stops.
    #[error("the collection was broken off")]
    BrokenOff,
    /// A part of the store can't be read or written.
    #[error("the store failed: {0}")]
    Storage(#[from] StorageError),
    /// A repository could not be changed.
    #[error(transparent)]
    Registry(#[from] super::RegistryError),
    /// The collection met a mistake in wharf.
    #[error("the collection died; the log says why")]
    Died,
}

impl Registry {
    /// Takes away what nothing refers to, and says so to `events`. If nobody listens there any more, the collection
    /// ends where that is safe.
    ///
    /// # Errors
    /// [`CollectionError`]. The removals before the error were right.
    pub async fn collect(&self, collection: Collection, events: Sender<Event>) -> Result<Report, CollectionError> {
        let only_looks = collection.dry_run && self.storage().is_shared();
        if self.is_read_only() && !only_looks {
            return Err(CollectionError::ReadOnly);
        }
        if !self.storage().is_alone() && !only_looks {
            return Err(CollectionError::Shared);
        }
        let run = {
            // An eviction is soon over, and another collection is not.
            let _evicting = self.0.evicting.lock().await;
            self.0.locks.pins().begin().ok_or(CollectionError::UnderWay)?
        };
        let this = self.clone();
        let collector = Collector::new(this, run, collection, ReportBuilder::new(Reporter::new(self, events)));
        let registry = self.clone();
        let work = async move {
            let done = collector.run().await;
            if let Ok(report) = &done {
                registry.remember_collection(report);
                registry.notify(&events::Event::Collected(report));
            }
            done
        };
        self.run(Box::pin(work), CollectionError::Died).await
    }
}

/// A date further in the future than this is reported.
const SKEW: Duration = Duration::from_secs(60);

/// One collection, from its beginning to its end.
struct Collector {
    registry: Registry,
    run: Run,
    collection: Collection,
    account: ReportBuilder,
    marks: Marks,
    /// The manifests that a dry run would have removed by now, with their repositories.
    gone: HashSet<(RepositoryName, Digest)>,
    /// How long all content has still to wait.
    settles_in: Duration,
    /// The content that is counted as waiting already.
    waiting: Fingerprints,
}

impl Collector {
    fn new(registry: Registry, run: Run, collection: Collection, account: ReportBuilder) -> Self {
        Self {
            registry,
            run,
            collection,
            account,
            marks: Marks::default(),
            gone: HashSet::new(),
            settles_in: Duration::ZERO,
            waiting: Fingerprints::default(),
        }
    }

    async fn run(mut self) -> Result<Report, CollectionError> {
        let begun = Instant::now();
        self.registry.storage().clear_cache();
        self.settles_in = self.registry.settles_in().await?;
        self.account.settles_in(self.settles_in);
        if let Err(error) = self.registry.begin_record().await {
            tracing::warn!(%error, "the record of repositories can't be begun");
        }
        self.forget_missing().await?;
        let Some(names) = self.names().await? else {
            return Ok(self.account.close(self.collection.dry_run, begun.elapsed()));
        };
        self.refuse_other_writers(&names).await?;
        self.check_tags(&names).await?;
        if self.account.has_obstacles() {
            return Ok(self.account.close(self.collection.dry_run, begun.elapsed()));
        }
        let expired = self.registry.expire_uploads_of(&names, self.collection.dry_run).await?;
        self.account.uploads(expired);
        if self.collection.untagged {
            self.remove_untagged(&names).await?;
        }
        self.mark(&names).await?;
        if !self.account.has_obstacles() {
            // Not before everything is marked, and not if somebody else came meanwhile.
            self.refuse_other_writers(&names).await?;
            self.sweep_links(&names).await?;
            self.sweep_contents().await?;
            self.sweep_histories(&names).await?;
        }
        Ok(self.account.close(self.collection.dry_run, begun.elapsed()))
    }

    /// All repositories; `None` if there may be more than can be seen.
    async fn names(&mut self) -> Result<Option<Vec<RepositoryName>>, CollectionError> {
        let mut survey = self.registry.survey().await?;
        // A dry run left the records as they are.
        survey.gaps.retain(|gap| !gap.word.as_ref().is_some_and(|word| self.is_forgotten(word)));
        for gap in &survey.gaps {
            self.account.obstacle(gap.to_string());
        }
        if !survey.gaps.is_empty() {
            return Ok(None);
        }
        // Also in a dry run: it removes nothing, and what was seen once is missed later.
        self.registry.record(survey.unrecorded).await?;
        Ok(Some(survey.names))
    }

    /// Takes the operator's word that repositories were removed on purpose.
    async fn forget_missing(&self) -> Result<(), CollectionError> {
        for name in &self.collection.forget {
            let repository = self.registry.repository(name.clone());
            if !repository.forget_if_missing(self.collection.dry_run).await? {
                return Err(CollectionError::NotMissing(name.clone()));
            }
        }
        if self.collection.forget_unexplained && !self.collection.dry_run {
            self.registry.lift_unexplained().await?;
        }
        Ok(())
    }

    fn is_forgotten(&self, word: &Forget) -> bool {
        match word {
            Forget::Forget(name) => self.collection.dry_run && self.collection.forget.contains(name),
            Forget::ForgetUnexplained => self.collection.dry_run && self.collection.forget_unexplained,
        }
    }

    async fn refuse_other_writers(&self, names: &[RepositoryName]) -> Result<(), CollectionError> {
        for name in names {
            self.go_on()?;
            if self.registry.has_another_writer(name).await? {
                return Err(CollectionError::AnotherWriter(name.clone()));
            }
        }
        Ok(())
    }

    /// To be asked wherever it is safe to end.
    fn go_on(&self) -> Result<(), CollectionError> {
        if self.account.reporter.is_over() {
            return Err(CollectionError::BrokenOff);
        }
        Ok(())
    }

    /// How long content of this date has still to wait; `None` if it may go. Content that is dated in the future counts
    /// as new.
    fn wait(&mut self, date: SystemTime) -> Option<Duration> {
        let grace = self.registry.0.rules.gc.grace;
        let left = match date.elapsed() {
            Ok(age) => grace.saturating_sub(age),
            Err(future) => {
                // Clocks of two machines, or of a disk, differ by a little.
                if future.duration() > SKEW {
                    self.account.dated_in_the_future();
                }
                grace + future.duration()
            }
        };
        Some(left.max(self.settles_in)).filter(|wait| !wait.is_zero())
    }
}

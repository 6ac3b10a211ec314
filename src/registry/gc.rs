//! Garbage collection, while serving.
//!
//! *Mark*: everything that a manifest refers to, read from the disk. *Sweep*: what is not marked, older than the grace time, and relied on by nobody;
//! it is taken alone and looked at once more before it goes, the links to it first and its bytes last. Manifests go only when that is asked
//! for, in a pass of its own before the mark. What can't be read stops all of it: then nobody knows what it refers to.

mod account;
mod graph;
mod mark;
mod schedule;
mod sweep;
mod untagged;

use std::{collections::HashSet, time::SystemTime};

use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc::Sender, time::Instant};

use self::{account::Account, mark::Marks};
use super::{Registry, pins::Run};
use crate::{
    oci::{Digest, RepositoryName},
    storage::StorageError,
};

pub use account::{Event, Phase, Removal, Removed, Report};
pub(super) use schedule::run;

/// What a collection shall do.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Only say what would go.
    #[serde(default)]
    pub dry_run: bool,
    /// Take manifests without a tag as well, but for children of an index and referrers of something that stay with those.
    #[serde(default)]
    pub untagged: bool,
}

/// Why there was no collection, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// There is another one.
    #[error("a collection is under way already")]
    UnderWay,
    /// Clients may rely on what they were told before the start, which nobody remembers.
    #[error(
        "the grace time ({grace} seconds) has not passed since the start, so nobody knows what clients were told before it; the first collection \
         is possible in {wait} seconds"
    )]
    TooEarly {
        /// How long content is young.
        grace: u64,
        /// How many seconds from now on.
        wait: u64,
    },
    /// The store can't be written.
    #[error("the store is read-only")]
    ReadOnly,
    /// Somebody else's uploads are younger than this process.
    #[error("another registry writes to {0} at this moment: nothing is collected; stop one of the two registries")]
    AnotherWriter(RepositoryName),
    /// Whoever asked for it has gone, or the server stops.
    #[error("the collection was broken off")]
    BrokenOff,
    /// A part of the store can't be read or written.
    #[error("the store failed: {0}")]
    Storage(#[from] StorageError),
    /// The collection met a mistake in wharf.
    #[error("the collection died; the log says why")]
    Died,
}

impl Registry {
    /// Takes away what nothing refers to, and says so to `events`. If nobody listens there any more, the collection ends where that is safe.
    ///
    /// # Errors
    /// [`CollectionError`]. What was taken away by then was rightly so.
    pub async fn collect(&self, collection: Collection, events: Sender<Event>) -> Result<Report, CollectionError> {
        self.may_collect()?;
        let run = self.0.coordinator.pins().begin().ok_or(CollectionError::UnderWay)?;
        let this = self.clone();
        let collector = Collector::new(this, run, collection, Account::new(events));
        let done = self.0.coordinator.own(async move { Ok(collector.run().await) }).await;
        done.unwrap_or(Err(CollectionError::Died))
    }

    fn may_collect(&self) -> Result<(), CollectionError> {
        if self.is_read_only() {
            return Err(CollectionError::ReadOnly);
        }
        let Some(since) = self.0.beginning.serving else { return Ok(()) };
        let grace = self.0.rules.gc.grace;
        let wait = grace.saturating_sub(since.elapsed());
        if wait.is_zero() {
            return Ok(());
        }
        Err(CollectionError::TooEarly { grace: grace.as_secs(), wait: wait.as_secs() + 1 })
    }
}

/// One collection, from its beginning to its end.
struct Collector {
    registry: Registry,
    run: Run,
    collection: Collection,
    account: Account,
    marks: Marks,
    /// What a dry run would have taken out of which repository by now.
    gone: HashSet<(RepositoryName, Digest)>,
}

impl Collector {
    fn new(registry: Registry, run: Run, collection: Collection, account: Account) -> Self {
        Self { registry, run, collection, account, marks: Marks::default(), gone: HashSet::new() }
    }

    async fn run(mut self) -> Result<Report, CollectionError> {
        let begun = Instant::now();
        self.registry.storage().look_afresh();
        let expired = self.registry.expire_uploads(self.collection.dry_run).await?;
        self.account.uploads(expired);
        let names = self.names().await?;
        self.refuse_other_writers(&names).await?;
        if self.collection.untagged {
            self.remove_untagged(&names).await?;
        }
        self.mark(&names).await?;
        if !self.account.has_obstacles() {
            // Not before everything is marked, and not if somebody else came meanwhile.
            self.refuse_other_writers(&names).await?;
            self.sweep_links(&names).await?;
            self.sweep_contents().await?;
        }
        Ok(self.account.close(self.collection.dry_run, begun.elapsed()))
    }

    async fn names(&mut self) -> Result<Vec<RepositoryName>, CollectionError> {
        let census = self.registry.census(Err).await?;
        for key in census.nameless {
            self.account
                .obstacle(format!("{key} looks like a repository and has no name that one can have: move it away"));
        }
        Ok(census.names)
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
        if self.account.is_closed() || self.registry.0.coordinator.is_finishing() {
            return Err(CollectionError::BrokenOff);
        }
        Ok(())
    }

    /// Whether content of this date is old enough to go. A clock that was set back makes nothing old.
    fn is_old(&self, date: SystemTime) -> bool {
        date.elapsed().is_ok_and(|age| age >= self.registry.0.rules.gc.grace)
    }
}

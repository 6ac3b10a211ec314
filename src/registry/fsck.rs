//! A check of the whole store: every byte against its digest, and every link against what it leads to.
//!
//! It runs while the registry serves. A finding is checked again under the exclusive lock of its repository, so that a
//! push or a delete that is under way is never taken for damage. Content that is not what its digest says is set aside
//! whether a repair was asked for or not: it must not be served.

mod contents;
mod manifests;
mod rate_limit;
mod referrers_tags;
mod report;
mod repositories;

use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc::Sender, time::Instant};

use self::report::ReportBuilder;
use super::{Registry, progress::Reporter};
use crate::{oci::RepositoryName, storage::StorageError};

pub(super) use rate_limit::RateLimit;
pub use report::{Event, Finding, FsckReport, Outcome, Phase};

/// The options of a check.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspection {
    /// Mend what can be mended.
    #[serde(default)]
    pub repair: bool,
    /// Write the image indexes of the referrers tag schema, for a way back to a registry that has no referrers.
    #[serde(default)]
    pub write_referrers_tags: bool,
    /// How many bytes a second are read at most.
    #[serde(default)]
    pub rate: Option<u64>,
}

/// Why a check did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// The caller has gone, or the server stops.
    #[error("the check was broken off")]
    BrokenOff,
    /// The request needs a store that can be written.
    #[error("the store is read-only: it can be checked, and not mended")]
    ReadOnly,
    /// Several processes may serve the store.
    #[error("a bucket is repaired by `wharf fsck`, while no node serves it")]
    Shared,
    /// A part of the store can't be read or written.
    #[error("the store failed: {0}")]
    Storage(#[from] StorageError),
    /// The check met a mistake in wharf.
    #[error("the check died; the log says why")]
    Died,
}

impl Registry {
    /// Checks the store, and tells `events` what is found. If nobody listens there any more, the check ends.
    ///
    /// # Errors
    /// [`FsckError`].
    pub async fn fsck(&self, inspection: Inspection, events: Sender<Event>) -> Result<FsckReport, FsckError> {
        let writes = inspection.repair || inspection.write_referrers_tags;
        if self.is_read_only() && writes {
            return Err(FsckError::ReadOnly);
        }
        if writes && !self.storage().is_alone() {
            return Err(FsckError::Shared);
        }
        let reporter = Reporter::new(self, events.clone());
        let pace = RateLimit::new(inspection.rate, move || reporter.is_over());
        let inspector = Inspector {
            registry: self.clone(),
            inspection,
            pace,
            account: ReportBuilder::new(Reporter::new(self, events)),
            is_complete: true,
            without_manifests: None,
        };
        self.run(Box::pin(inspector.run()), FsckError::Died).await
    }
}

/// One check, from its beginning to its end.
struct Inspector {
    registry: Registry,
    inspection: Inspection,
    pace: RateLimit,
    account: ReportBuilder,
    /// Whether all of the store can be seen. Else nothing is removed.
    is_complete: bool,
    /// The first repository that has no `_manifests`, and how many there are.
    without_manifests: Option<(RepositoryName, usize)>,
}

impl Inspector {
    async fn run(mut self) -> Result<FsckReport, FsckError> {
        let begun = Instant::now();
        self.registry.storage().clear_cache();
        self.check_contents().await?;
        let names = self.check_repositories().await?;
        if self.inspection.write_referrers_tags {
            self.write_referrers_tags(&names).await?;
        }
        Ok(self.account.close(begun.elapsed()))
    }

    /// Whether what leads nowhere may be removed: not while that may be because a part of the store can't be seen.
    fn may_remove(&self) -> bool {
        self.inspection.repair && self.is_complete
    }

    /// To be asked wherever it is safe to end.
    fn go_on(&self) -> Result<(), FsckError> {
        if self.account.reporter.is_over() {
            return Err(FsckError::BrokenOff);
        }
        Ok(())
    }
}

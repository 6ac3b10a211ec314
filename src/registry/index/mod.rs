//! Lists and figures of repositories that are kept in memory. Each is read from the store, and nothing of it is stored.

mod catalog_index;
mod holdings;
mod known;
mod push_times;
mod referrers_index;
mod shared_catalog;
mod tags_index;

pub use self::{catalog_index::Page, referrers_index::ReferrersPage};
pub(super) use self::{
    catalog_index::{Catalog, load},
    holdings::{Holds, digests},
    known::{Known, List},
    push_times::PushTimes,
    referrers_index::{ReferrerChange, ReferrersIndex},
    tags_index::{TagChange, TagIndex},
};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

/// The lists of one repository that were read from its store.
#[derive(Debug, Default)]
pub(super) struct RepositoryState {
    /// Its tags.
    pub(super) tags: Known<TagIndex>,
    /// When they were pushed.
    pub(super) push_times: Known<PushTimes>,
    /// Its referrers.
    pub(super) referrers: Known<ReferrersIndex>,
}

/// The shared lock of a repository: it loses no content, and stays, while something is added to it.
pub(super) type Shared = OwnedRwLockReadGuard<RepositoryState>;

/// The exclusive lock of a repository: nothing else changes its links.
pub(super) type Exclusive = OwnedRwLockWriteGuard<RepositoryState>;

impl RepositoryState {
    /// Notes a change of a tag that is in the store. The caller has the exclusive lock.
    pub(super) fn note_tag(&mut self, change: TagChange) {
        self.push_times.note(change.clone());
        self.tags.note(change);
    }
}

//! Lists and figures of repositories that are kept in memory. Each is read from the store, and nothing of it is stored.

mod catalog;
mod holdings;
mod known;
mod referrers;
mod tags;

pub use self::{catalog::Page, referrers::ReferrersPage};
pub(super) use self::{
    catalog::{Catalog, load},
    holdings::{Holds, digests},
    known::{Known, List},
    referrers::{ReferrerChange, ReferrersIndex},
    tags::{TagChange, TagIndex},
};

/// The lists of one repository that were read from its store.
#[derive(Debug, Default)]
pub(super) struct RepositoryState {
    /// Its tags.
    pub(super) tags: Known<TagIndex>,
    /// Its referrers.
    pub(super) referrers: Known<ReferrersIndex>,
}

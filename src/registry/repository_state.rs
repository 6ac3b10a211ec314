//! What is known of one repository, behind its lock.

use super::{known::Known, referrers_index::ReferrersIndex, tag_index::TagIndex};

/// What is known of one repository. All of it comes from the store, and can be read from there again.
#[derive(Debug, Default)]
pub(super) struct RepositoryState {
    /// Its tags, once they were needed.
    pub(super) tags: Known<TagIndex>,
    /// Its referrers, once they were needed.
    pub(super) referrers: Known<ReferrersIndex>,
}

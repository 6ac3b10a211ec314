//! What is known of one repository, behind its lock.

use std::collections::BTreeMap;

use super::referrers_index::ReferrersIndex;
use crate::oci::{Digest, Tag};

/// What each tag of a repository means, in byte order of the tags.
pub(super) type TagIndex = BTreeMap<Tag, Digest>;

/// What is known of one repository. All of it comes from the store, and can be read from there again.
#[derive(Debug, Default)]
pub(super) struct RepositoryState {
    /// Its tags, once they were needed.
    pub(super) tags: Option<TagIndex>,
    /// Its referrers, once they were needed.
    pub(super) referrers: Option<ReferrersIndex>,
}

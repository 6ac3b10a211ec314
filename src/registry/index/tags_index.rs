//! The digests of the tags of a repository, in memory.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use super::{Known, List, Page, RepositoryState};
use crate::{
    oci::{Digest, Tag},
    registry::{Repository, layout, out_of_reach::absent_if_out_of_reach, repository_walk::AT_A_TIME},
    storage::StorageError,
};

/// The digest of each tag of a repository, in byte order of the tags.
#[derive(Debug, Default)]
pub(in crate::registry) struct TagIndex(BTreeMap<Tag, Digest>);

/// A change of a tag.
#[derive(Clone, Debug)]
pub(in crate::registry) enum TagChange {
    Set(Tag, Digest),
    Removed(Tag),
}

impl TagIndex {
    /// The tags after `last`, `limit` at most.
    pub(in crate::registry) fn page(&self, last: Option<&str>, limit: usize) -> Page<Tag> {
        let after = last.map_or(Unbounded, Excluded);
        Page::of(self.0.range::<str, _>((after, Unbounded)).map(|(tag, _)| tag.clone()), limit)
    }

    /// All tags, each with what it means.
    pub(in crate::registry) fn iter(&self) -> impl Iterator<Item = (&Tag, &Digest)> {
        self.0.iter()
    }

    /// Whether there is this tag.
    pub(in crate::registry) fn contains(&self, tag: &Tag) -> bool {
        self.0.contains_key(tag)
    }

    /// The tags that mean `digest`.
    pub(in crate::registry) fn naming(&self, digest: &Digest) -> impl Iterator<Item = &Tag> {
        self.0.iter().filter(move |(_, target)| *target == digest).map(|(tag, _)| tag)
    }
}

impl List for TagIndex {
    type Change = TagChange;

    fn of(state: &mut RepositoryState) -> &mut Known<Self> {
        &mut state.tags
    }

    fn seen(state: &RepositoryState) -> Option<&Self> {
        state.tags.all()
    }

    async fn read(repository: &Repository, _: Option<Self>) -> Result<Self, StorageError> {
        let mut found = Vec::new();
        for tags in repository.tag_names().await?.chunks(AT_A_TIME) {
            let links: Vec<_> = tags.iter().map(|tag| layout::tag_current(&repository.name, tag)).collect();
            for (tag, target) in tags.iter().zip(repository.read_links(&links).await) {
                if let Some(digest) = absent_if_out_of_reach(target)? {
                    found.push((tag.clone(), digest));
                }
            }
        }
        // At once, which packs the nodes of the map: there may be very many.
        Ok(Self(found.into_iter().collect()))
    }

    fn apply(&mut self, change: TagChange) {
        match change {
            TagChange::Set(tag, digest) => drop(self.0.insert(tag, digest)),
            TagChange::Removed(tag) => drop(self.0.remove(&tag)),
        }
    }
}

//! The push times of the tags of a repository, in memory. They are read from the store at their first use, so a
//! registry that never needs them has no cost.

use std::{collections::HashMap, time::SystemTime};

use super::{Known, List, RepositoryState, TagChange};
use crate::{
    oci::Tag,
    registry::{Repository, layout, repository_walk::AT_A_TIME},
    storage::StorageError,
};

/// When each tag of a repository was pushed last.
#[derive(Debug, Default)]
pub(in crate::registry) struct PushTimes(HashMap<Tag, SystemTime>);

impl PushTimes {
    /// When a tag was pushed last.
    pub(in crate::registry) fn of(&self, tag: &Tag) -> Option<SystemTime> {
        self.0.get(tag).copied()
    }

    /// How many tags there are, and when the last of them was pushed.
    pub(in crate::registry) fn summary(&self) -> (usize, Option<SystemTime>) {
        (self.0.len(), self.0.values().max().copied())
    }
}

impl List for PushTimes {
    type Change = TagChange;

    fn of(state: &mut RepositoryState) -> &mut Known<Self> {
        &mut state.push_times
    }

    fn seen(state: &RepositoryState) -> Option<&Self> {
        state.push_times.all()
    }

    async fn read(repository: &Repository, _: Option<Self>) -> Result<Self, StorageError> {
        let mut times = HashMap::new();
        for tags in repository.tag_names().await?.chunks(AT_A_TIME) {
            let links: Vec<_> = tags.iter().map(|tag| layout::tag_current(&repository.name, tag)).collect();
            for (tag, stat) in tags.iter().zip(repository.storage().stat_all(&links).await) {
                match stat {
                    Ok(Some(stat)) => drop(times.insert(tag.clone(), stat.modified)),
                    Ok(None) => {}
                    Err(error) if error.leads_nowhere() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Self(times))
    }

    fn apply(&mut self, change: TagChange) {
        match change {
            TagChange::Set(tag, _) => drop(self.0.insert(tag, SystemTime::now())),
            TagChange::Removed(tag) => drop(self.0.remove(&tag)),
        }
    }
}

//! A walk over the repositories that says whether it is complete: what may be removed is worked out from nothing less.
//!
//! What is missing, can't be read or leads nowhere looks like what was never there. So everything that removes asks
//! here first, and removes nothing while a part of the store can't be seen.

use std::{collections::BTreeSet, sync::Mutex};

use super::{
    Registry, Repository, layout,
    layout::RepositoryRecord,
    repository_records::{ContentOrigin, RepositoryRecords},
    repository_walk::{AT_A_TIME, FoundRepositories},
};
use crate::{
    oci::RepositoryName,
    storage::{Child, Key, StorageError},
};

/// Why a walk is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Where.
    pub(super) place: String,
    /// The problem.
    pub(super) what: String,
    /// The remedy.
    pub(super) advice: String,
    /// The operator's word that closes it.
    pub(super) word: Option<Forget>,
}

/// The statement of the operator about a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Forget {
    /// The repository was removed on purpose.
    Forget(RepositoryName),
    /// The content belongs to nobody.
    ForgetUnexplained,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.place, self.what, self.advice)
    }
}

/// All repositories of a store, and what of them can't be seen.
#[derive(Debug, Default)]
pub(super) struct Completeness {
    /// The repositories that are there.
    pub(super) names: Vec<RepositoryName>,
    /// Those whose record says less than what is there.
    pub(super) unrecorded: Vec<(RepositoryName, RepositoryRecord)>,
    /// The parts that can't be seen. Nothing may be removed unless this is empty.
    pub(super) gaps: Vec<Gap>,
}

const LOOK: &str = "bring it back, or mount what belongs there";

impl Completeness {
    fn gap(&mut self, place: &impl ToString, what: impl Into<String>, advice: impl Into<String>) {
        self.gaps.push(Gap { place: place.to_string(), what: what.into(), advice: advice.into(), word: None });
    }

    /// A gap in a repository that may have been removed on purpose.
    fn missing(&mut self, name: &RepositoryName, what: &str) {
        let advice = format!("{LOOK}; if it was removed on purpose: wharf gc --forget {name}");
        self.gap(name, what, advice);
        self.takes(Forget::Forget(name.clone()));
    }

    fn takes(&mut self, word: Forget) {
        if let Some(gap) = self.gaps.last_mut() {
            gap.word = Some(word);
        }
    }
}

impl Registry {
    /// Every repository, and every reason to believe that these are not all.
    ///
    /// # Errors
    /// What the store met, where it can't be said which part is concerned.
    pub(super) async fn survey(&self) -> Result<Completeness, StorageError> {
        // Before the repositories are listed: one that is made meanwhile is there when its record is.
        let records = self.records().await?;
        let unlisted = Mutex::new(Vec::new());
        let found = self
            .find_repositories(|error| {
                unlisted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(error.to_string());
                Ok(())
            })
            .await?;
        let mut survey = Completeness::default();
        for error in unlisted.into_inner().unwrap_or_default() {
            survey.gap(&"a part of the store", format!("can't be read ({error})"), "give this process the right to it");
        }
        for key in &found.nameless {
            survey.gap(key, "looks like a repository, under a name that one can't have", "move it away");
        }
        if self.storage().is_shared() {
            // A bucket has no directories that could be somewhere else, and so no record of them.
            survey.names = found.names;
            return Ok(survey);
        }
        self.find_astray(&mut survey, &found).await?;
        self.find_missing(&mut survey, &found, &records).await?;
        self.find_unwhole(&mut survey, &found, &records).await?;
        self.find_lost_content(&mut survey, &found, &records).await?;
        survey.names = found.names;
        Ok(survey)
    }

    /// Links and other things in the place of a directory.
    async fn find_astray(&self, survey: &mut Completeness, found: &FoundRepositories) -> Result<(), StorageError> {
        for key in &found.astray {
            // A file in between is nobody's; in the place of a part of a repository it is in the way.
            if key.last().starts_with('_') || !self.is_object(key).await? {
                survey.gap(key, "leads nowhere, or is no directory", LOOK);
            }
        }
        Ok(())
    }

    /// Repositories that are recorded, and not there.
    async fn find_missing(
        &self,
        survey: &mut Completeness,
        found: &FoundRepositories,
        records: &RepositoryRecords,
    ) -> Result<(), StorageError> {
        let there: BTreeSet<&RepositoryName> = found.names.iter().collect();
        for name in records.repositories.keys().filter(|name| !there.contains(name)) {
            let repository = self.repository(name.clone());
            // Looked at again while nobody makes or removes it.
            let _alone = repository.locks().exclusive(name).await;
            // A part that can't be read was reported already.
            if repository.is_there().await.unwrap_or(true) || !repository.is_recorded().await? {
                continue;
            }
            survey.missing(name, "is a repository of this store, and is not there");
        }
        Ok(())
    }

    /// Repositories of which a part is missing that they had, or that can't be followed.
    async fn find_unwhole(
        &self,
        survey: &mut Completeness,
        found: &FoundRepositories,
        records: &RepositoryRecords,
    ) -> Result<(), StorageError> {
        for names in found.names.chunks(AT_A_TIME) {
            let prefixes: Vec<Key> = names.iter().map(layout::manifests).collect();
            let listed = self.storage().children_of(&prefixes, usize::MAX).await;
            for ((name, prefix), children) in names.iter().zip(prefixes).zip(listed) {
                let children = match children {
                    Ok(children) => children,
                    Err(error) => {
                        survey.gap(&prefix, format!("can't be read ({error})"), "give this process the right to it");
                        continue;
                    }
                };
                let is_dir = |child: &Child| child.is_prefix;
                for child in children.iter().filter(|child| !is_dir(child)) {
                    if matches!(child.name.as_str(), "revisions" | "tags") {
                        survey.gap(&prefix.join(&child.name), "leads nowhere, or is no directory", LOOK);
                    }
                }
                let recorded = records.repositories.get(name).copied();
                let has = |part| children.iter().any(|child| is_dir(child) && child.name == part);
                let seems_whole = has("revisions") && has("tags") && !found.without_layers.contains(name);
                let state = if seems_whole { RepositoryRecord::Whole } else { RepositoryRecord::Seen };
                if state == RepositoryRecord::Seen
                    && recorded == Some(RepositoryRecord::Whole)
                    && !self.is_whole_now(name).await?
                {
                    survey.missing(name, "had _layers, _manifests/revisions and _manifests/tags, and lacks one");
                } else if recorded < Some(state) {
                    survey.unrecorded.push((name.clone(), state));
                }
            }
        }
        Ok(())
    }

    /// Looks again while nobody makes or removes it: one that is gone has nothing missing.
    async fn is_whole_now(&self, name: &RepositoryName) -> Result<bool, StorageError> {
        let repository = self.repository(name.clone());
        let _alone = repository.locks().exclusive(name).await;
        Ok(!repository.is_there().await? || repository.is_whole().await?)
    }

    /// Content without any repository, and repositories without any content.
    async fn find_lost_content(
        &self,
        survey: &mut Completeness,
        found: &FoundRepositories,
        records: &RepositoryRecords,
    ) -> Result<(), StorageError> {
        let mut has_content = false;
        for algorithm in self.storage().children(&layout::all_contents()).await? {
            let key = layout::all_contents().then(&algorithm.name);
            if !algorithm.is_prefix {
                survey.gap(&key, "leads nowhere, or is no directory", LOOK);
                continue;
            }
            for part in self.storage().children(&key).await? {
                let below = key.join(&part.name);
                if part.is_prefix {
                    has_content = has_content || !self.storage().children(&below).await?.is_empty();
                } else if !self.is_object(&below).await? {
                    survey.gap(&below, "leads nowhere", LOOK);
                }
            }
        }
        let is_unexplained = match records.origin {
            ContentOrigin::Unknown => found.names.is_empty(),
            // Repositories that are recorded and not there are told of one by one.
            ContentOrigin::Explained => false,
            ContentOrigin::Unexplained => true,
        };
        if has_content && is_unexplained {
            let what = "held no repository when wharf first saw the content of the store";
            let word = "then, or if all of them were removed on purpose: wharf gc --forget-unexplained";
            survey.gap(&layout::repositories(), what, format!("{LOOK}; {word}"));
            survey.takes(Forget::ForgetUnexplained);
        } else if !has_content {
            for name in &found.names {
                if self.repository(name.clone()).has_any_link().await? {
                    let what = format!("holds nothing, and the repository {name} has links to content");
                    survey.gap(&layout::all_contents(), what, LOOK);
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Repository {
    /// Whether there is a record of it.
    async fn is_recorded(&self) -> Result<bool, StorageError> {
        let children = self.storage().children(&layout::records_of(&self.name)).await?;
        Ok(children.iter().any(|child| child.name.starts_with('_')))
    }

    /// Whether it has a link to content.
    pub(super) async fn has_any_link(&self) -> Result<bool, StorageError> {
        Ok(self.any_link_below(&layout::revisions(&self.name)).await?
            || self.any_link_below(&layout::layers(&self.name)).await?)
    }

    /// Forgets that the repository is missing, or a part of it; `false` if it is not recorded, or nothing is missing. A
    /// dry run only looks.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn forget_if_missing(&self, dry_run: bool) -> Result<bool, StorageError> {
        let _alone = self.locks().exclusive(&self.name).await;
        if !self.is_recorded().await? || (self.is_there().await? && self.is_whole().await?) {
            return Ok(false);
        }
        if !dry_run {
            self.remove_record().await?;
        }
        Ok(true)
    }
}

//! Repositories: that all parts of one are there, and where their links lead.

use super::{FsckError, Inspector, Phase};
use crate::{
    oci::{Digest, RepositoryName, Tag},
    registry::{Repository, index::RepositoryState, layout},
    storage::StorageError,
};

/// The remedy for something that is there and can't be read.
pub(super) const LOOK: &str = "look at the disk, and at where a symbolic link leads; nothing is taken away";

/// That something can't be seen, which is not that it is not there.
pub(super) fn unseen(error: &StorageError) -> String {
    format!("can't be read: {error}")
}

/// The problem of a link, checked under the exclusive lock of its repository.
enum Fault {
    /// The link names no digest.
    Unreadable,
    /// Its target is missing.
    Dead(Digest),
}

impl Inspector {
    /// Follows every link of every repository.
    pub(super) async fn check_repositories(&mut self) -> Result<Vec<RepositoryName>, FsckError> {
        let survey = self.registry.survey().await?;
        for gap in survey.gaps {
            let todo = format!("{}; until then no garbage is collected, and no repair removes anything", gap.advice);
            self.account.problem(gap.place, gap.what, &todo).await;
            self.is_complete = false;
        }
        for (done, name) in survey.names.iter().enumerate() {
            self.go_on()?;
            self.account.progress(Phase::Repositories, done, survey.names.len());
            let repository = self.registry.repository(name.clone());
            self.check_skeleton(&repository).await?;
            self.check_astray(&repository).await?;
            self.check_layers(&repository).await?;
            self.check_manifests(&repository).await?;
            self.check_tags(&repository).await?;
            self.account.figures.repositories += 1;
        }
        if let Some((name, count)) = self.without_manifests.take() {
            let what =
                format!("and {} others have blobs and no manifest: registry:2 leaves such repositories", count - 1);
            self.account.note(name, what).await;
        }
        Ok(survey.names)
    }

    /// Names what stands where a directory belongs, and can't be followed.
    async fn check_astray(&mut self, repository: &Repository) -> Result<(), FsckError> {
        let todo = "bring it back: until then no garbage is collected, and no repair removes anything";
        for key in repository.astray().await? {
            self.is_complete = false;
            self.account.problem(key, "leads nowhere, or is no directory", todo).await;
        }
        Ok(())
    }

    async fn check_skeleton(&mut self, repository: &Repository) -> Result<(), FsckError> {
        let uploads = self.registry.storage().children(&layout::foreign_uploads(&repository.name)).await?.len();
        if uploads > 0 {
            let what = format!("has {uploads} uploads that another registry began; they are purged in time");
            self.account.note(&repository.name, what).await;
        }
        // A bucket has no directories that other registries could miss.
        if self.registry.storage().is_shared() || repository.is_whole().await? {
            return Ok(());
        }
        let alone = repository.locks().exclusive(&repository.name).await;
        if repository.is_whole().await? || !repository.is_there().await? {
            return Ok(());
        }
        if !repository.has_part("_manifests").await? {
            // registry:2 makes none before the first manifest, and lives with that.
            if self.may_remove() {
                repository.make().await?;
            }
            self.without_manifests.get_or_insert_with(|| (repository.name.clone(), 0)).1 += 1;
            return Ok(());
        }
        let what = "lacks _layers, _manifests/revisions or _manifests/tags: registry:2 and registry:3 stop collecting at it, or delete it";
        if self.may_remove() {
            repository.make().await?;
            drop(alone);
            self.account.mended(&repository.name, what, "made them").await;
        } else {
            drop(alone);
            self.account.problem(&repository.name, what, "--repair makes them").await;
        }
        Ok(())
    }

    async fn check_layers(&mut self, repository: &Repository) -> Result<(), FsckError> {
        for digest in repository.linked_below(&layout::layers(&repository.name)).await? {
            self.go_on()?;
            if matches!(repository.layer_fault(&digest).await, Ok(None)) {
                continue;
            }
            let alone = repository.locks().exclusive(&repository.name).await;
            let place = format!("{}@{digest}", repository.name);
            let fault = match repository.layer_fault(&digest).await {
                Ok(None) => continue,
                Ok(Some(fault)) => fault,
                Err(error) => {
                    drop(alone);
                    self.account.problem(place, unseen(&error), LOOK).await;
                    continue;
                }
            };
            let what = match fault {
                Fault::Unreadable => "has a link to a blob that names none".to_owned(),
                Fault::Dead(target) => format!("has a link to the blob {target}, which is not in the store"),
            };
            if self.may_remove() {
                self.registry.storage().delete_tree(&layout::layer(&repository.name, &digest)).await?;
                drop(alone);
                self.account.mended(place, what, "removed the link").await;
            } else {
                drop(alone);
                self.account.problem(place, what, "push the blob again; --repair removes the link").await;
            }
        }
        Ok(())
    }

    async fn check_tags(&mut self, repository: &Repository) -> Result<(), FsckError> {
        for tag in repository.tag_names().await? {
            self.go_on()?;
            let current = layout::tag_current(&repository.name, &tag);
            let place = format!("{}:{tag}", repository.name);
            match self.registry.storage().stat(&current).await {
                Ok(Some(_)) => self.account.figures.tags += 1,
                Ok(None) => {
                    self.check_rest_of_tag(repository, &tag).await?;
                    continue;
                }
                Err(error) => {
                    self.account.problem(place, unseen(&error), LOOK).await;
                    continue;
                }
            }
            match repository.tag_fault(&tag).await {
                Ok(None) => {}
                Ok(Some(_)) => self.check_tag_again(repository, &tag).await?,
                Err(error) => self.account.problem(place, unseen(&error), LOOK).await,
            }
        }
        Ok(())
    }

    /// Looks again while nobody takes the tag away.
    async fn check_rest_of_tag(&mut self, repository: &Repository, tag: &Tag) -> Result<(), FsckError> {
        let alone = repository.locks().exclusive(&repository.name).await;
        let is_rest = repository.resolve(tag).await?.is_none() && repository.tag_names().await?.contains(tag);
        drop(alone);
        if is_rest {
            self.account.note(format!("{}:{tag}", repository.name), "is left of a tag, and is none").await;
        }
        Ok(())
    }

    async fn check_tag_again(&mut self, repository: &Repository, tag: &Tag) -> Result<(), FsckError> {
        let mut state = repository.locks().exclusive(&repository.name).await;
        let Some(fault) = repository.tag_fault(tag).await? else { return Ok(()) };
        let lacks_link = repository.lacks_link_of(tag).await?;
        let what = match fault {
            Fault::Unreadable => "names no manifest".to_owned(),
            Fault::Dead(digest) => format!("leads to {digest}, which the repository does not have"),
        };
        let place = format!("{}:{tag}", repository.name);
        if self.may_remove() && !lacks_link {
            let removed = repository.remove_tag(&mut state, tag).await;
            if removed.is_err() {
                // Whether it is gone is not known here: the next one who asks reads it from the store.
                *state = RepositoryState::default();
            }
            drop(state);
            removed?;
            self.account.mended(place, what, "removed the tag").await;
        } else {
            drop(state);
            let todo = if lacks_link {
                "its content is in the store: bring the link back, push the image again, or delete the tag; until then no garbage is collected"
            } else {
                "push it again; --repair removes the tag"
            };
            self.account.problem(place, what, todo).await;
        }
        Ok(())
    }
}

impl Repository {
    async fn layer_fault(&self, digest: &Digest) -> Result<Option<Fault>, StorageError> {
        let link = layout::link(&layout::layer(&self.name, digest));
        match self.read_link(&link).await? {
            Some(target) if self.registry.stat_data(&target).await?.is_some() => Ok(None),
            Some(target) => Ok(Some(Fault::Dead(target))),
            // Others leave the directory when they remove the link.
            None => Ok(self.storage().stat(&link).await?.map(|_| Fault::Unreadable)),
        }
    }

    async fn tag_fault(&self, tag: &Tag) -> Result<Option<Fault>, StorageError> {
        match self.resolve(tag).await? {
            Some(digest) if self.has_manifest(&digest).await? => Ok(None),
            Some(digest) => Ok(Some(Fault::Dead(digest))),
            None => {
                let is_there = self.storage().stat(&layout::tag_current(&self.name, tag)).await?.is_some();
                Ok(is_there.then_some(Fault::Unreadable))
            }
        }
    }
}

//! Repositories: that all parts of one are there, and where their links lead.

use super::{FsckError, Inspector, Phase};
use crate::{
    oci::{Digest, RepositoryName, Tag},
    registry::{Repository, layout, repository_state::RepositoryState},
    storage::StorageError,
};

/// What is wrong with a link, as it stands when its repository is held alone.
enum Fault {
    /// The link names no digest.
    Unreadable,
    /// What it leads to is not here.
    Dead(Digest),
}

impl Inspector {
    /// Follows every link of every repository.
    pub(super) async fn check_repositories(&mut self) -> Result<Vec<RepositoryName>, FsckError> {
        let census = self.registry.census(Err).await?;
        for key in census.nameless {
            let todo = "move it away: it stops garbage collection";
            self.account.problem(key, "looks like a repository, under a name that one can't have", todo).await;
        }
        for (done, name) in census.names.iter().enumerate() {
            self.go_on()?;
            self.account.progress(Phase::Repositories, done, census.names.len());
            let repository = self.registry.repository(name.clone());
            self.check_skeleton(&repository).await?;
            self.check_layers(&repository).await?;
            self.check_manifests(&repository).await?;
            self.check_tags(&repository).await?;
            self.account.figures.repositories += 1;
        }
        Ok(census.names)
    }

    async fn check_skeleton(&mut self, repository: &Repository) -> Result<(), FsckError> {
        let uploads = self.registry.storage().children(&layout::foreign_uploads(&repository.name)).await?.len();
        if uploads > 0 {
            let what = format!("has {uploads} uploads that another registry began; they are purged in time");
            self.account.note(&repository.name, what).await;
        }
        if repository.is_whole().await? {
            return Ok(());
        }
        let alone = repository.coordinator().exclusive(&repository.name).await;
        if repository.is_whole().await? || !repository.is_there().await? {
            return Ok(());
        }
        let what = "lacks _layers, _manifests/revisions or _manifests/tags: registry:2 and registry:3 stop collecting at it, or delete it";
        if self.inspection.repair {
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
            if repository.layer_fault(&digest).await?.is_none() {
                continue;
            }
            let alone = repository.coordinator().exclusive(&repository.name).await;
            let Some(fault) = repository.layer_fault(&digest).await? else { continue };
            let what = match fault {
                Fault::Unreadable => "has a link to a blob that names none".to_owned(),
                Fault::Dead(target) => format!("has a link to the blob {target}, which is not in the store"),
            };
            let place = format!("{}@{digest}", repository.name);
            if self.inspection.repair {
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
            if self.registry.storage().stat(&current).await?.is_none() {
                self.check_rest_of_tag(repository, &tag).await?;
                continue;
            }
            self.account.figures.tags += 1;
            if repository.tag_fault(&tag).await?.is_some() {
                self.check_tag_again(repository, &tag).await?;
            }
        }
        Ok(())
    }

    /// Looks again while nobody takes the tag away.
    async fn check_rest_of_tag(&mut self, repository: &Repository, tag: &Tag) -> Result<(), FsckError> {
        let alone = repository.coordinator().exclusive(&repository.name).await;
        let is_rest = repository.resolve(tag).await?.is_none() && repository.tag_names().await?.contains(tag);
        drop(alone);
        if is_rest {
            self.account.note(format!("{}:{tag}", repository.name), "is left of a tag, and is none").await;
        }
        Ok(())
    }

    async fn check_tag_again(&mut self, repository: &Repository, tag: &Tag) -> Result<(), FsckError> {
        let mut state = repository.coordinator().exclusive(&repository.name).await;
        let Some(fault) = repository.tag_fault(tag).await? else { return Ok(()) };
        let what = match fault {
            Fault::Unreadable => "names no manifest".to_owned(),
            Fault::Dead(digest) => format!("leads to {digest}, which the repository does not have"),
        };
        let place = format!("{}:{tag}", repository.name);
        if self.inspection.repair {
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
            self.account.problem(place, what, "push it again; --repair removes the tag").await;
        }
        Ok(())
    }
}

impl Repository {
    /// Whether the parts are there that other registries want of every repository.
    async fn is_whole(&self) -> Result<bool, StorageError> {
        let has = async |prefix, parts: &[&str]| {
            let children = self.storage().children(&prefix).await?;
            Ok::<_, StorageError>(parts.iter().all(|part| children.iter().any(|child| child.name == *part)))
        };
        Ok(has(layout::repository(&self.name), &["_layers", "_manifests"]).await?
            && has(layout::manifests(&self.name), &["revisions", "tags"]).await?)
    }

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

//! Tags of a repository.

use bytes::Bytes;

use super::{
    Page, RegistryError, Repository,
    events::Action,
    index::{RepositoryState, TagChange, TagIndex},
    layout,
    links::link_to,
    manifests::must_hold,
};
use crate::{
    oci::{Digest, Preconditions, Tag},
    storage::{Step, StorageError},
};

impl Repository {
    /// The tags after `last`, `limit` at most, in byte order ([distribution-spec, listing tags]).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`] if there is no such repository.
    ///
    /// [distribution-spec, listing tags]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
    pub async fn list_tags(&self, last: Option<&str>, limit: usize) -> Result<Page<Tag>, RegistryError> {
        if let Some(page) = self.upstream_tags(last, limit).await {
            return Ok(page);
        }
        if !self.is_there().await? {
            return Err(RegistryError::NameUnknown(self.name.clone()));
        }
        self.stored_tags(last, limit).await
    }

    /// As [`Repository::list_tags`]: how a list goes on. A repository that has gone meanwhile has no more tags.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn tags_after(&self, last: Option<&str>, limit: usize) -> Result<Page<Tag>, RegistryError> {
        match self.upstream_tags(last, limit).await {
            Some(page) => Ok(page),
            None => self.stored_tags(last, limit).await,
        }
    }

    async fn upstream_tags(&self, last: Option<&str>, limit: usize) -> Option<Page<Tag>> {
        let (upstream, filled) = self.upstream()?;
        upstream.tags(&filled, last, limit).await
    }

    async fn stored_tags(&self, last: Option<&str>, limit: usize) -> Result<Page<Tag>, RegistryError> {
        if self.storage().is_shared() {
            // Each name has a current link: see `shared_manifests`.
            let tags = self.tag_names().await?;
            return Ok(Page::of(tags.into_iter().filter(|tag| last.is_none_or(|last| tag.as_str() > last)), limit));
        }
        let state = self.with::<TagIndex>().await?;
        Ok(state.tags.all().map_or_else(|| Page::of(std::iter::empty(), limit), |tags| tags.page(last, limit)))
    }

    /// Takes away one tag; what it named, and its other tags, stay ([distribution-spec, deleting tags]).
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`] if there is no such tag; [`RegistryError::DeleteDisabled`];
    /// [`RegistryError::PreconditionFailed`].
    ///
    /// [distribution-spec, deleting tags]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-tags
    pub async fn delete_tag(&self, tag: &Tag, conditions: Preconditions) -> Result<(), RegistryError> {
        self.refuse_if_deletes_are_off()?;
        self.take_tag(tag, conditions).await
    }

    /// Takes back a tag that a change added which failed later, also where deletes are off.
    pub(crate) async fn withdraw_tag(&self, tag: &Tag) -> Result<(), RegistryError> {
        self.take_tag(tag, Preconditions::default()).await
    }

    async fn take_tag(&self, tag: &Tag, conditions: Preconditions) -> Result<(), RegistryError> {
        let (this, tag) = (self.clone(), tag.clone());
        self.locks()
            .own(async move {
                let mut state = this.locks().exclusive(&this.name).await;
                let current = match this.resolve(&tag).await {
                    // A symbolic link that leads nowhere can be taken away, though nobody can say what it named.
                    Err(error) if error.leads_nowhere() => None,
                    Ok(None) => return Err(RegistryError::ManifestUnknown(tag.to_string())),
                    other => other?,
                };
                must_hold(&conditions, current.as_ref())?;
                let removed = this.remove_tag(&mut state, &tag).await;
                this.settle(&mut state, removed).await
            })
            .await
    }

    /// The digest of a tag. A tag that another registry left without its current link has none.
    pub(super) async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StorageError> {
        self.read_link(&layout::tag_current(&self.name, tag)).await
    }

    /// The steps that make `tag` mean `digest`. The caller has the repository alone, and `digest` is one of its
    /// manifests by then.
    pub(super) async fn tag_steps(&self, tag: &Tag, digest: &Digest) -> Result<Vec<Step>, StorageError> {
        let (current, index) = (layout::tag_current(&self.name, tag), layout::tag_index(&self.name, tag, digest));
        match self.storage().stat(&current).await {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(self.move_tag(tag, digest).into()),
            // A symbolic link that leads nowhere is no tag, and is in the way of one.
            Err(error) if error.leads_nowhere() => {
                self.storage().delete_tree(&layout::tag(&self.name, tag)).await?;
            }
            Err(error) => return Err(error),
        }
        // A tag that is new appears whole: others list it as soon as they see its prefix.
        let link = Bytes::from(digest.to_string());
        Ok(vec![Step::PutTree(layout::tag(&self.name, tag), vec![(current, link.clone()), (index, link)])])
    }

    /// Takes a tag away, durably. The caller has the repository alone.
    pub(super) async fn remove_tag(&self, state: &mut RepositoryState, tag: &Tag) -> Result<(), StorageError> {
        self.remove(Action::TagDeleted(tag), self.remove_tag_link(state, tag, None)).await
    }

    /// [`Repository::remove_tag`], as a part of a greater change that takes away what means `digest`.
    pub(super) async fn remove_tag_link(
        &self,
        state: &mut RepositoryState,
        tag: &Tag,
        digest: Option<&Digest>,
    ) -> Result<(), StorageError> {
        match self.storage().shared() {
            Some(store) => self.remove_shared_tag(store, tag, digest).await?,
            None => drop(self.storage().delete_tree(&layout::tag(&self.name, tag)).await?),
        }
        state.note_tag(TagChange::Removed(tag.clone()));
        Ok(())
    }

    /// Makes `tag` mean `digest`, also where its prefix is there and its current link is not.
    pub(super) async fn set_tag(&self, tag: &Tag, digest: &Digest) -> Result<(), StorageError> {
        match self.storage().commit(self.tag_steps(tag, digest).await?).await {
            Err(StorageError::Exists) => self.storage().commit(self.move_tag(tag, digest).into()).await,
            other => other,
        }
    }

    /// The steps that make `tag`, whose prefix is there, mean `digest`: in its history first.
    fn move_tag(&self, tag: &Tag, digest: &Digest) -> [Step; 2] {
        let (current, index) = (layout::tag_current(&self.name, tag), layout::tag_index(&self.name, tag, digest));
        [link_to(index, digest), link_to(current, digest)]
    }

    /// The names that may be tags; whether each has a current link is not looked at.
    pub(super) async fn tag_names(&self) -> Result<Vec<Tag>, StorageError> {
        let children = self.storage().children(&layout::tags(&self.name)).await?;
        Ok(children.into_iter().filter_map(|child| child.name.parse().ok()).collect())
    }
}

//! Tags of a repository.

use std::ops::Bound::{Excluded, Unbounded};

use bytes::Bytes;

use super::{
    Page, RegistryError, Repository, layout,
    repository_state::{RepositoryState, TagIndex},
};
use crate::{
    oci::{Digest, Tag},
    storage::{Key, StorageError},
};

impl Repository {
    /// The tags after `last`, `limit` at most, in byte order ([distribution-spec, listing tags]).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`] if there is no such repository.
    ///
    /// [distribution-spec, listing tags]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
    pub async fn list_tags(&self, last: Option<&Tag>, limit: usize) -> Result<Page<Tag>, RegistryError> {
        if !self.is_there().await? {
            return Err(RegistryError::NameUnknown(self.name.clone()));
        }
        let state = self.coordinator().shared(&self.name).await;
        if let Some(tags) = &state.tags {
            return Ok(page_of(tags, last, limit));
        }
        drop(state);
        let mut state = self.coordinator().exclusive(&self.name).await;
        Ok(page_of(self.tag_index(&mut state).await?, last, limit))
    }

    /// Takes away one tag; what it named, and its other tags, stay ([distribution-spec, deleting tags]).
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`] if there is no such tag; [`RegistryError::DeleteDisabled`].
    ///
    /// [distribution-spec, deleting tags]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-tags
    pub async fn delete_tag(&self, tag: &Tag) -> Result<(), RegistryError> {
        self.refuse_if_deletes_are_off()?;
        let (this, tag) = (self.clone(), tag.clone());
        self.coordinator()
            .own(async move {
                let mut state = this.coordinator().exclusive(&this.name).await;
                if this.resolve(&tag).await?.is_none() {
                    return Err(RegistryError::ManifestUnknown(tag.to_string()));
                }
                let removed = this.remove_tag(&mut state, &tag).await;
                this.settle(&mut state, removed).await
            })
            .await
    }

    /// What a tag means. One that another registry left without its current link means nothing.
    pub(super) async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StorageError> {
        self.read_link(&layout::tag_current(&self.name, tag)).await
    }

    /// Makes `tag` mean `digest`, durably. The caller has the repository alone, and `digest` is one of its manifests.
    pub(super) async fn set_tag(
        &self,
        state: &mut RepositoryState,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<(), StorageError> {
        let (current, index) = (layout::tag_current(&self.name, tag), layout::tag_index(&self.name, tag, digest));
        let link = Bytes::from(digest.to_string());
        let known = self.storage().stat(&current).await?.is_some();
        // A tag that is new appears whole: others list it as soon as they see its prefix.
        let tree = vec![(current.clone(), link.clone()), (index.clone(), link)];
        if known {
            self.move_tag(&current, &index, digest).await?;
        } else if let Err(error) = self.storage().put_tree(&layout::tag(&self.name, tag), tree).await {
            // Another registry may have left the prefix without its current link.
            let StorageError::Exists = error else { return Err(error) };
            self.move_tag(&current, &index, digest).await?;
        }
        if let Some(tags) = &mut state.tags {
            tags.insert(tag.clone(), digest.clone());
        }
        Ok(())
    }

    /// Takes a tag away, durably. The caller has the repository alone.
    pub(super) async fn remove_tag(&self, state: &mut RepositoryState, tag: &Tag) -> Result<(), StorageError> {
        self.storage().delete_tree(&layout::tag(&self.name, tag)).await?;
        if let Some(tags) = &mut state.tags {
            tags.remove(tag);
        }
        Ok(())
    }

    /// All tags, read from the store at their first use. The caller has the repository alone.
    pub(super) async fn tag_index<'a>(&self, state: &'a mut RepositoryState) -> Result<&'a mut TagIndex, StorageError> {
        if state.tags.is_none() {
            state.tags = Some(self.read_tags().await?);
        }
        Ok(state.tags.get_or_insert_default())
    }

    /// Whether there is any tag.
    pub(super) async fn any_tag(&self) -> Result<bool, StorageError> {
        for tag in self.tag_names().await? {
            if self.resolve(&tag).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn move_tag(&self, current: &Key, index: &Key, digest: &Digest) -> Result<(), StorageError> {
        self.write_link(index, digest).await?;
        self.write_link(current, digest).await
    }

    async fn read_tags(&self) -> Result<TagIndex, StorageError> {
        let mut tags = TagIndex::new();
        for tag in self.tag_names().await? {
            if let Some(digest) = self.resolve(&tag).await? {
                tags.insert(tag, digest);
            }
        }
        Ok(tags)
    }

    /// The names that may be tags; whether each has a current link is not looked at.
    pub(super) async fn tag_names(&self) -> Result<Vec<Tag>, StorageError> {
        let children = self.storage().children(&layout::tags(&self.name)).await?;
        Ok(children.into_iter().filter_map(|child| child.name.parse().ok()).collect())
    }
}

fn page_of(tags: &TagIndex, last: Option<&Tag>, limit: usize) -> Page<Tag> {
    let after = last.map_or(Unbounded, Excluded);
    Page::of(tags.range::<Tag, _>((after, Unbounded)).map(|(tag, _)| tag.clone()), limit)
}

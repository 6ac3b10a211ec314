//! Tags: that what they lead to can be seen, and that their history names nothing that is gone.

use super::{CollectionError, Collector};
use crate::{
    oci::{Algorithm, Digest, RepositoryName, Tag},
    registry::{Repository, layout, out_of_reach::absent_if_out_of_reach, repository_walk::AT_A_TIME},
    storage::{Key, StorageError},
};

/// How many entries go while a repository is held alone.
const AT_ONCE: usize = 32;

impl Collector {
    /// Notes every tag that can't be followed, and every tag of a manifest whose bytes are in the store and whose link
    /// is not: the links of the repository may be somewhere else.
    pub(super) async fn check_tags(&mut self, names: &[RepositoryName]) -> Result<(), CollectionError> {
        for name in names {
            self.go_on()?;
            let repository = self.registry.repository(name.clone());
            self.check_links(&repository).await?;
            for gap in repository.astray_tags(self.collection.untagged).await? {
                self.account.obstacle(gap);
            }
        }
        Ok(())
    }

    /// Takes away the entries of tags' histories that name manifests that are gone from their repositories.
    pub(super) async fn sweep_histories(&mut self, names: &[RepositoryName]) -> Result<(), CollectionError> {
        for name in names {
            let repository = self.registry.repository(name.clone());
            for tags in repository.tag_names().await?.chunks(AT_A_TIME) {
                self.go_on()?;
                let dead = repository.dead_entries(tags).await?;
                for entries in dead.chunks(AT_ONCE) {
                    let removed = self.remove_entries(&repository, entries).await?;
                    self.account.histories(removed);
                }
            }
        }
        Ok(())
    }

    /// Notes every link, and every directory of links, that can't be followed.
    pub(super) async fn check_links(&mut self, repository: &Repository) -> Result<(), CollectionError> {
        for key in repository.astray().await? {
            self.account.obstacle(format!("{key} leads nowhere, or is no directory: bring it back, or remove it"));
        }
        Ok(())
    }

    async fn remove_entries(
        &self,
        repository: &Repository,
        entries: &[(Key, Digest)],
    ) -> Result<usize, CollectionError> {
        // A push of one of these manifests stores it and sets the tag under the same lock.
        let _alone = repository.locks().exclusive(&repository.name).await;
        let mut prefixes = Vec::with_capacity(entries.len());
        for (prefix, digest) in entries {
            if !repository.is_held(digest).await? {
                prefixes.push(prefix.clone());
            }
        }
        if !self.collection.dry_run {
            self.registry.storage().delete_trees(&prefixes, self.pace()).await?;
        }
        Ok(prefixes.len())
    }
}

impl Repository {
    /// The entries of the histories of some tags that name what the repository does not have.
    async fn dead_entries(&self, tags: &[Tag]) -> Result<Vec<(Key, Digest)>, StorageError> {
        let indexes = |algorithm: Algorithm| {
            tags.iter().map(move |tag| layout::tag_history(&self.name, tag).then(algorithm.as_str()))
        };
        let prefixes: Vec<Key> = Algorithm::ALL.into_iter().flat_map(indexes).collect();
        let listed = self.storage().children_of(&prefixes, usize::MAX).await;
        let mut entries = Vec::new();
        for (prefix, children) in prefixes.iter().zip(listed) {
            for child in children?.into_iter().filter(|child| child.is_prefix) {
                if let Ok(digest) = format!("{}:{}", prefix.last(), child.name).parse::<Digest>() {
                    entries.push((prefix.join(&child.name), digest));
                }
            }
        }
        let links: Vec<_> =
            entries.iter().map(|(_, digest)| layout::link(&layout::revision(&self.name, digest))).collect();
        let mut dead = Vec::new();
        for (entry, stat) in entries.into_iter().zip(self.storage().stat_all(&links).await) {
            if stat?.is_none() {
                dead.push(entry);
            }
        }
        Ok(dead)
    }

    /// Whether the repository has a link to a manifest, whatever is in it.
    async fn is_held(&self, digest: &Digest) -> Result<bool, StorageError> {
        Ok(self.storage().stat(&layout::link(&layout::revision(&self.name, digest))).await?.is_some())
    }

    /// In words, what is wrong with the tags of this repository. If manifests without a tag are to go, a tag that has a
    /// history and no meaning is wrong too.
    async fn astray_tags(&self, untagged: bool) -> Result<Vec<String>, StorageError> {
        let (mut gaps, prefix) = (Vec::new(), layout::tags(&self.name));
        let mut tags = Vec::new();
        for child in self.storage().children(&prefix).await? {
            if !child.is_prefix && !self.registry.is_object(&prefix.join(&child.name)).await? {
                gaps.push(format!("the tag {}:{} leads nowhere: bring it back, or delete it", self.name, child.name));
            } else if let Ok(tag) = child.name.parse() {
                tags.push(tag);
            }
        }
        for tags in tags.chunks(AT_A_TIME) {
            let links: Vec<_> = tags.iter().map(|tag| layout::tag_current(&self.name, tag)).collect();
            let targets = self.read_links(&links).await;
            let mut named = Vec::new();
            for (tag, target) in tags.iter().zip(targets) {
                match absent_if_out_of_reach(target)? {
                    Some(digest) => named.push((tag, digest)),
                    None if self.is_current_astray(tag).await? => {
                        gaps.push(format!(
                            "the tag {}:{tag} can't be followed: bring it back, or delete it",
                            self.name
                        ));
                    }
                    None if untagged && self.has_held_history(tag).await? => {
                        gaps.push(format!(
                            "the tag {}:{tag} has a history, and nobody knows what it means: push it again, or delete {}",
                            self.name,
                            layout::tag(&self.name, tag)
                        ));
                    }
                    None => {}
                }
            }
            let links: Vec<_> =
                named.iter().map(|(_, digest)| layout::link(&layout::revision(&self.name, digest))).collect();
            for ((tag, digest), stat) in named.into_iter().zip(self.storage().stat_all(&links).await) {
                if stat?.is_none() && self.is_tag_without_link(tag).await? {
                    gaps.push(format!(
                        "the tag {}:{tag} leads to {digest}, whose content is in the store and whose link is not in the repository: \
                         bring the link back, push the image again, or delete the tag",
                        self.name
                    ));
                }
            }
        }
        Ok(gaps)
    }

    /// Whether `current`, or the link in it, is there and is not what it should be. Others leave tags without either.
    async fn is_current_astray(&self, tag: &Tag) -> Result<bool, StorageError> {
        let current = layout::tag_current(&self.name, tag);
        let (Some(above), Some(top)) = (current.parent(), current.parent().and_then(|above| above.parent())) else {
            return Ok(false);
        };
        let children = self.storage().children(&top).await?;
        if children.iter().any(|child| child.name == above.last() && !child.is_prefix) {
            return Ok(true);
        }
        let is_link = self.storage().children(&above).await?.iter().any(|child| child.name == current.last());
        Ok(is_link && !self.registry.is_object(&current).await?)
    }

    /// Whether the history of a tag that means nothing names a manifest of this repository; looked at while nobody
    /// changes that.
    async fn has_held_history(&self, tag: &Tag) -> Result<bool, StorageError> {
        let _alone = self.locks().exclusive(&self.name).await;
        if self.resolve(tag).await?.is_some() {
            return Ok(false);
        }
        for algorithm in Algorithm::ALL {
            let prefix = layout::tag_history(&self.name, tag).then(algorithm.as_str());
            for child in self.storage().children(&prefix).await? {
                if let Ok(digest) = format!("{algorithm}:{}", child.name).parse()
                    && self.is_held(&digest).await?
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a tag leads to a manifest whose bytes are in the store and whose link is not in the repository; looked
    /// at while nobody changes that.
    pub(in crate::registry) async fn is_tag_without_link(&self, tag: &Tag) -> Result<bool, StorageError> {
        let _alone = self.locks().exclusive(&self.name).await;
        self.lacks_link_of(tag).await
    }

    /// [`Repository::is_tag_without_link`], for one who has the repository alone.
    pub(in crate::registry) async fn lacks_link_of(&self, tag: &Tag) -> Result<bool, StorageError> {
        let Some(digest) = self.resolve(tag).await? else { return Ok(false) };
        let link = layout::link(&layout::revision(&self.name, &digest));
        Ok(self.storage().stat(&link).await?.is_none() && self.storage().stat(&layout::data(&digest)).await?.is_some())
    }
}

//! Manifests without a tag.

use std::collections::HashSet;

use super::{CollectionError, Collector, Phase, Removal, Removed, graph::Graph};
use crate::{
    oci::{Digest, RepositoryName},
    registry::{Repository, layout, repository_state::RepositoryState},
};

/// How many manifests go while a repository is held alone: pushes wait for as long.
const AT_ONCE: usize = 32;

impl Collector {
    /// Takes manifests away that have no tag, are no child of one that stays, and no referrer of one.
    pub(super) async fn remove_untagged(&mut self, names: &[RepositoryName]) -> Result<(), CollectionError> {
        for (done, name) in names.iter().enumerate() {
            self.go_on()?;
            self.account.progress(Phase::Untag, done, names.len()).await;
            let repository = self.registry.repository(name.clone());
            let mut graph = Graph::default();
            // Most is read before others have to wait.
            if !self.read(&repository, &mut graph).await? {
                continue;
            }
            while self.remove_some(&repository, &mut graph).await? {
                self.go_on()?;
            }
        }
        Ok(())
    }

    /// Brings the graph to what the repository has; `false` if something can't be known, so that nothing may go.
    async fn read(&mut self, repository: &Repository, graph: &mut Graph) -> Result<bool, CollectionError> {
        let revisions = self.revisions(repository).await?;
        graph.retain(&revisions);
        let mut is_known = true;
        for digest in revisions {
            if graph.has(&digest) {
                continue;
            }
            match repository.ties(&digest).await? {
                Ok(ties) => graph.insert(digest, ties),
                Err(why) => {
                    is_known = false;
                    self.obstacle_of(repository, &digest, why).await?;
                }
            }
        }
        Ok(is_known)
    }

    /// Takes some away; whether there may be more.
    async fn remove_some(&mut self, repository: &Repository, graph: &mut Graph) -> Result<bool, CollectionError> {
        let mut state = repository.coordinator().exclusive(&repository.name).await;
        if !self.read(repository, graph).await? {
            return Ok(false);
        }
        let Some(tagged) = self.tagged(repository).await? else { return Ok(false) };
        let young = self.young(repository, graph, &tagged).await?;
        let dead =
            graph.dead(|digest| tagged.contains(digest) || young.contains(digest) || self.run.is_relied_on(digest));
        let more = dead.len() > AT_ONCE && !self.collection.dry_run;
        let taken = if self.collection.dry_run { dead.len() } else { AT_ONCE };
        let dead: Vec<Digest> = dead.into_iter().take(taken).cloned().collect();
        self.remove(repository, &mut state, &dead).await?;
        drop(state);
        for digest in dead {
            let name = repository.name.clone();
            if self.collection.dry_run {
                self.gone.insert((name.clone(), digest.clone()));
            }
            self.account
                .removed(Removal { kind: Removed::Manifest, repository: Some(name), digest: Some(digest), bytes: 0 })
                .await;
        }
        Ok(more)
    }

    async fn remove(
        &self,
        repository: &Repository,
        state: &mut RepositoryState,
        dead: &[Digest],
    ) -> Result<(), CollectionError> {
        if dead.is_empty() || self.collection.dry_run {
            return Ok(());
        }
        let mut removed = Ok(());
        for digest in dead {
            removed = repository.remove_manifest(state, digest).await;
            if removed.is_err() {
                break;
            }
        }
        match repository.settle(state, removed).await {
            Err(crate::registry::RegistryError::Storage(error)) => Err(error.into()),
            // Nothing but the store can fail here.
            _ => Ok(()),
        }
    }

    /// What the tags of a repository mean, as the disk says; `None` if one can't be read, so that it may mean anything.
    async fn tagged(&mut self, repository: &Repository) -> Result<Option<HashSet<Digest>>, CollectionError> {
        let mut tagged = HashSet::new();
        for tag in repository.tag_names().await? {
            let current = layout::tag_current(&repository.name, &tag);
            if self.registry.storage().stat(&current).await?.is_none() {
                continue;
            }
            let Some(digest) = repository.resolve(&tag).await? else {
                self.account.obstacle(format!(
                    "nobody knows what the tag {}:{tag} means: push it again, or delete it (wharf fsck tells more)",
                    repository.name
                ));
                return Ok(None);
            };
            tagged.insert(digest);
        }
        Ok(Some(tagged))
    }

    /// The manifests that were pushed lately.
    async fn young(
        &self,
        repository: &Repository,
        graph: &Graph,
        tagged: &HashSet<Digest>,
    ) -> Result<HashSet<Digest>, CollectionError> {
        let mut young = HashSet::new();
        for digest in graph.digests().filter(|digest| !tagged.contains(*digest)) {
            let link = layout::link(&layout::revision(&repository.name, digest));
            let stat = self.registry.storage().stat(&link).await?;
            if stat.is_none_or(|stat| !self.is_old(stat.modified)) {
                young.insert(digest.clone());
            }
        }
        Ok(young)
    }
}

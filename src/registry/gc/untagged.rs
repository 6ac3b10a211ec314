//! Manifests without a tag.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{CollectionError, Collector, Phase, Removal, Removed, graph::Graph};
use crate::{
    oci::{Digest, RepositoryName},
    registry::{
        Repository,
        content::Taken,
        index::{RepositoryState, TagIndex},
        layout,
    },
};

/// How many manifests go while a repository is held alone: pushes wait for as long.
const AT_ONCE: usize = 32;

/// How often it is worked out anew what may go, because somebody has come to rely on some of it meanwhile.
const ATTEMPTS: usize = 20;

/// Manifests that may go, parents before children. Nobody can come to rely on one of them for as long as this is held.
struct Dead {
    digests: Vec<Digest>,
    _taken: Vec<Taken>,
}

impl Collector {
    /// Takes manifests away that have no tag, are no child of one that stays, and no referrer of one.
    pub(super) async fn remove_untagged(&mut self, names: &[RepositoryName]) -> Result<(), CollectionError> {
        for (done, name) in names.iter().enumerate() {
            self.go_on()?;
            self.account.progress(Phase::Untag, done, names.len());
            if self.registry.filling(name).is_some() {
                // Clients pull children by their digests, and what nobody uses is evicted.
                continue;
            }
            let repository = self.registry.repository(name.clone());
            let mut graph = Graph::default();
            // Most is read before others have to wait.
            if !self.read(&repository, &mut graph).await? {
                continue;
            }
            if let Some(dead) = self.find_dead(&repository, &mut graph).await? {
                self.remove_dead(&repository, dead).await?;
            }
        }
        Ok(())
    }

    /// What may go, taken; `None` if that can't be known, or if others rely on some of it whenever it is tried.
    async fn find_dead(&mut self, repository: &Repository, graph: &mut Graph) -> Result<Option<Dead>, CollectionError> {
        for _ in 0..ATTEMPTS {
            // No tag changes and no manifest is added in between, and a push that waits for the lock has pinned what it
            // needs.
            let _alone = repository.locks().exclusive(&repository.name).await;
            if !self.read(repository, graph).await? {
                return Ok(None);
            }
            let Some(tagged) = self.tagged(repository).await? else { return Ok(None) };
            let young = self.young(repository, graph, &tagged).await?;
            let is_root = |digest: &Digest| {
                tagged.contains(digest) || young.contains_key(digest) || self.run.is_relied_on(digest)
            };
            let digests: Vec<Digest> = graph.dead(is_root).into_iter().cloned().collect();
            // All at once, or what one keeps could be taken after somebody has come to rely on that one.
            if let Some(taken) = self.run.take_all(&digests) {
                let now: HashSet<_> = digests.iter().collect();
                for digest in graph.dead(|digest| tagged.contains(digest)) {
                    if !now.contains(digest) {
                        let grace = self.registry.0.rules.gc.grace;
                        self.account.manifest_waits(young.get(digest).copied().unwrap_or(grace));
                    }
                }
                return Ok(Some(Dead { digests, _taken: taken }));
            }
        }
        Ok(None)
    }

    async fn remove_dead(&mut self, repository: &Repository, dead: Dead) -> Result<(), CollectionError> {
        for digests in dead.digests.chunks(AT_ONCE) {
            self.go_on()?;
            if !self.collection.dry_run {
                drop(repository.with::<TagIndex>().await?);
                let mut state = repository.locks().exclusive(&repository.name).await;
                self.remove(repository, &mut state, digests).await?;
            }
            for digest in digests {
                let name = repository.name.clone();
                if self.collection.dry_run {
                    self.gone.insert((name.clone(), digest.clone()));
                }
                let digest = Some(digest.clone());
                let removal = Removal { kind: Removed::Manifest, repository: Some(name), digest, bytes: 0 };
                self.account.removed(removal).await;
            }
        }
        Ok(())
    }

    /// Brings the graph to what the repository has; `false` if something can't be known, so that nothing may go.
    async fn read(&mut self, repository: &Repository, graph: &mut Graph) -> Result<bool, CollectionError> {
        let revisions = self.revisions(repository).await?;
        let mut is_known = true;
        let held: HashSet<_> = revisions.into_iter().collect();
        if graph.digests().any(|digest| !held.contains(digest)) {
            // The referrers of a manifest that is gone are found through it.
            *graph = Graph::default();
        }
        for digest in &held {
            if graph.has(digest) {
                continue;
            }
            match repository.ties_through(digest, &held).await? {
                Ok(ties) => graph.insert(digest.clone(), ties),
                Err(why) => {
                    is_known = false;
                    self.obstacle_of(repository, digest, why).await?;
                }
            }
        }
        Ok(is_known)
    }

    async fn remove(
        &self,
        repository: &Repository,
        state: &mut RepositoryState,
        dead: &[Digest],
    ) -> Result<(), CollectionError> {
        let mut removed = Ok(());
        for digest in dead {
            removed = repository.remove_manifest(state, digest).await;
            if removed.is_err() {
                break;
            }
        }
        match repository.settle(state, removed).await {
            Err(crate::registry::RegistryError::Storage(error)) => Err(error.into()),
            // Only the store can fail here.
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

    /// The manifests that were pushed lately, and how long each has still to wait.
    async fn young(
        &mut self,
        repository: &Repository,
        graph: &Graph,
        tagged: &HashSet<Digest>,
    ) -> Result<HashMap<Digest, Duration>, CollectionError> {
        let mut young = HashMap::new();
        for digest in graph.digests().filter(|digest| !tagged.contains(*digest)) {
            let link = layout::link(&layout::revision(&repository.name, digest));
            let stat = self.registry.storage().stat(&link).await?;
            let grace = self.registry.0.rules.gc.grace;
            if let Some(wait) = stat.map_or(Some(grace), |stat| self.wait(stat.modified)) {
                young.insert(digest.clone(), wait);
            }
        }
        Ok(young)
    }
}

//! Eviction by size: what clients have not used for the longest time leaves the repositories of an upstream until they
//! hold at most a number of bytes.
//!
//! It is a collection of these repositories alone. It removes manifests and links, and at once the bytes that no other
//! repository has: clients were promised nothing of what is cached, so there is no grace time. As in every collection,
//! nothing goes that another repository may need, or that is pinned: what is read, fetched, linked or pushed now. If
//! a part of the store can't be seen, nothing goes.

use std::{collections::HashSet, time::SystemTime};

use tokio::sync::mpsc;

use super::{Collection, CollectionError, Collector, ReportBuilder, Reporter, held::Held};
use crate::{
    oci::{Digest, RepositoryName},
    registry::{Registry, Repository, layout},
};

/// How many contents are removed at once.
const AT_ONCE: usize = 32;

/// The result of an eviction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eviction {
    /// The content that the repositories hold now.
    pub contents: HashSet<Digest>,
    /// How many bytes that has.
    pub bytes: u64,
    /// How many manifests went.
    pub manifests: usize,
    /// How many bytes of the store are free by that.
    pub freed: u64,
    /// The content that no repository has any more, and whose bytes could not be removed yet.
    pub left: Vec<(Digest, u64)>,
}

impl Registry {
    /// Removes the longest unused manifests, and the content that only they refer to, from the repositories that
    /// `is_meant` says and that an upstream fills, until these hold at most the bytes that `bound` says of the number
    /// that they hold. `last_use` is when a manifest was used, if that is known better than by the date of its link.
    /// `left` is what the last eviction left.
    ///
    /// # Errors
    /// [`CollectionError`]. Nothing is removed unless the whole store can be seen.
    pub async fn evict_down(
        &self,
        is_meant: impl Fn(&RepositoryName) -> bool,
        bound: impl FnOnce(u64) -> u64,
        last_use: impl Fn(&RepositoryName, &Digest) -> Option<SystemTime>,
        left: Vec<(Digest, u64)>,
    ) -> Result<Eviction, CollectionError> {
        let _evicting = self.0.evicting.lock().await;
        let run = self.0.locks.pins().begin().ok_or(CollectionError::UnderWay)?;
        let (events, _heard) = mpsc::channel(1);
        let account = ReportBuilder::new(Reporter::new(self, events));
        let mut collector = Collector::new(self.clone(), run, Collection::default(), account);
        let is_meant = |name: &RepositoryName| self.filling(name).is_some() && is_meant(name);
        let mut held = Held::default();
        // One that can't be seen is missed later, if something is to go.
        for name in self.find_repositories(|_| Ok(())).await?.names.into_iter().filter(&is_meant) {
            collector.go_on()?;
            let repository = self.repository(name);
            held.read(&repository, |manifest| last_use(&repository.name, manifest)).await?;
        }
        let (bytes, left_bytes) = (held.bytes(), left.iter().map(|(_, size)| size).sum::<u64>());
        let bound = bound(bytes + left_bytes);
        let mut eviction = Eviction { contents: held.contents().cloned().collect(), bytes, ..Eviction::default() };
        if bytes + left_bytes <= bound {
            eviction.left = left;
            return Ok(eviction);
        }
        collector.mark_all_but(is_meant).await?;
        let plan = held.plan(bound, |digest| self.0.locks.pins().is_pinned(digest));
        let mut kept = HashSet::new();
        for holder in plan.holders {
            collector.go_on()?;
            let repository = Repository { is_filled: true, ..self.repository(holder.repository) };
            let evicted = repository.evict_unused(holder.manifest, holder.dated, holder.blobs).await?;
            eviction.manifests += evicted.manifests;
            kept.extend(evicted.kept);
        }
        let mut unused = plan.contents;
        unused.retain(|(digest, _)| !kept.contains(digest));
        for (digest, size) in &unused {
            eviction.contents.remove(digest);
            eviction.bytes -= size;
        }
        unused.extend(left.into_iter().filter(|(digest, _)| !eviction.contents.contains(digest)));
        for unused in unused.chunks(AT_ONCE) {
            let (freed, left) = collector.remove_unused(unused).await?;
            eviction.freed += freed;
            eviction.left.extend(left);
        }
        Ok(eviction)
    }
}

impl Collector {
    /// Marks the content of all repositories but some.
    async fn mark_all_but(&mut self, is_meant: impl Fn(&RepositoryName) -> bool) -> Result<(), CollectionError> {
        self.registry.storage().clear_cache();
        let Some(mut names) = self.names().await? else { return Err(CollectionError::Unseen) };
        self.refuse_other_writers(&names).await?;
        names.retain(|name| !is_meant(name));
        self.mark(&names).await?;
        if self.account.has_obstacles() {
            return Err(CollectionError::Unseen);
        }
        for name in names {
            let repository = self.registry.repository(name);
            let linked = repository.linked_below(&layout::layers(&repository.name)).await?;
            self.keep(&repository, &linked).await?;
        }
        Ok(())
    }

    /// Removes the bytes of content that is not marked, and that nobody relies on now; how many bytes went, and what
    /// stays for now.
    async fn remove_unused(
        &mut self,
        contents: &[(Digest, u64)],
    ) -> Result<(u64, Vec<(Digest, u64)>), CollectionError> {
        let (mut taken, mut left, mut freed) = (Vec::new(), Vec::new(), 0);
        for (digest, size) in contents {
            if self.marks.contents.has(digest) {
                continue;
            }
            let alone = self.registry.0.locks.content(digest).await;
            match self.run.take_unpinned(digest) {
                Some(hold) => {
                    taken.push((layout::content(digest), hold, alone));
                    freed += size;
                }
                None => left.push((digest.clone(), *size)),
            }
        }
        let prefixes: Vec<_> = taken.iter().map(|(prefix, ..)| prefix.clone()).collect();
        self.registry.storage().delete_trees(&prefixes, self.pace()).await?;
        Ok((freed, left))
    }
}

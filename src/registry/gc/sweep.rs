//! The sweep: content without references is removed, links first and bytes last.

use std::{collections::HashSet, time::Duration};

use super::{CollectionError, Collector, Phase, Removal, Removed};
use crate::{
    oci::{Algorithm, Digest, RepositoryName},
    registry::{Repository, content::Taken, layout, repository_walk::AT_A_TIME},
    storage::{Key, Pace, Stat},
};

/// How many things are removed at once. The disk is waited for once for all of them, and a push that needs one of them
/// waits as long.
const AT_ONCE: usize = 32;

/// Something that may be removed. While this is held, no push can begin to rely on it.
struct Old {
    digest: Digest,
    /// Its metadata at both checks.
    seen: Stat,
    _taken: Taken,
}

/// Something that would go if it were not too young.
struct Young {
    digest: Digest,
    /// How many bytes its content has.
    bytes: u64,
    wait: Duration,
}

impl Collector {
    /// Takes away the links to blobs that no manifest of the same repository refers to, and the repositories that have
    /// nothing left.
    pub(super) async fn sweep_links(&mut self, names: &[RepositoryName]) -> Result<(), CollectionError> {
        for (done, name) in names.iter().enumerate() {
            self.go_on()?;
            self.account.progress(Phase::Links, done, names.len());
            let repository = self.registry.repository(name.clone());
            self.sweep_links_of(&repository).await?;
            self.remove_if_empty(&repository).await?;
        }
        Ok(())
    }

    async fn sweep_links_of(&mut self, repository: &Repository) -> Result<(), CollectionError> {
        // A client with an open upload may have been told long ago what is here.
        let grace = self.registry.0.rules.gc.grace;
        let is_busy =
            repository.has_uploads().await? || self.registry.has_foreign_uploads(&repository.name, grace).await?;
        let linked = repository.linked_below(&layout::layers(&repository.name)).await?;
        let (dead, mut kept): (Vec<_>, Vec<_>) =
            linked.into_iter().partition(|digest| !is_busy && !self.marks.links.has((&repository.name, digest)));
        for digests in dead.chunks(AT_ONCE) {
            let removed = self.remove_links(repository, digests).await?;
            for digest in digests {
                if !removed.contains(digest) {
                    kept.push(digest.clone());
                    continue;
                }
                let (repository, digest) = (Some(repository.name.clone()), Some(digest.clone()));
                self.account.removed(Removal { kind: Removed::Link, repository, digest, bytes: 0 }).await;
            }
        }
        self.keep(repository, &kept).await
    }

    /// Takes links away, but for those that are young or that somebody relies on; which went.
    async fn remove_links(
        &mut self,
        repository: &Repository,
        digests: &[Digest],
    ) -> Result<HashSet<Digest>, CollectionError> {
        let link = |digest: &Digest| layout::link(&layout::layer(&repository.name, digest));
        let (taken, young) = self.take_old(digests, link).await?;
        let data: Vec<_> = young.iter().map(|young| layout::data(&young.digest)).collect();
        for (young, stat) in young.into_iter().zip(self.registry.storage().stat_all(&data).await) {
            // Content that another repository needs stays anyway.
            if let Some(stat) = stat?.filter(|_| !self.marks.contents.has(&young.digest)) {
                self.count(&Young { bytes: stat.len, ..young });
            }
        }
        let prefixes: Vec<_> = taken.iter().map(|old| layout::layer(&repository.name, &old.digest)).collect();
        if !self.collection.dry_run {
            self.registry.storage().delete_trees(&prefixes, self.pace()).await?;
        }
        Ok(taken.into_iter().map(|old| old.digest).collect())
    }

    /// Takes alone what is old enough and relied on by nobody, by the object that `key` says; and looks at it once
    /// more, when nobody can come to rely on it. What is too young, or was told to a client lately, comes second.
    async fn take_old(
        &mut self,
        digests: &[Digest],
        key: impl Fn(&Digest) -> Key,
    ) -> Result<(Vec<Old>, Vec<Young>), CollectionError> {
        self.go_on()?;
        let keys: Vec<_> = digests.iter().map(&key).collect();
        let (mut taken, mut young) = (Vec::new(), Vec::new());
        for (digest, seen) in digests.iter().zip(self.registry.storage().stat_all(&keys).await) {
            let Some(seen) = seen? else { continue };
            let wait = self.wait(seen.modified);
            let hold = if wait.is_none() { self.run.take(digest) } else { None };
            let digest = digest.clone();
            if let Some(hold) = hold {
                taken.push(Old { digest, seen, _taken: hold });
                continue;
            }
            // Nobody knows for how long it is relied on; it is young for a grace time then.
            let wait = wait.unwrap_or(self.registry.0.rules.gc.grace);
            young.push(Young { digest, bytes: seen.len, wait });
        }
        let keys: Vec<_> = taken.iter().map(|old| key(&old.digest)).collect();
        let mut again =
            self.registry.storage().stat_all(&keys).await.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter();
        taken.retain(|old| again.next().flatten() == Some(old.seen));
        Ok((taken, young))
    }

    /// Counts what has to wait, once.
    fn count(&mut self, young: &Young) {
        if !self.waiting.has(&young.digest) {
            self.waiting.insert(&young.digest);
            self.account.waits(young.bytes, young.wait);
        }
    }

    /// Readers come first, if there are any.
    pub(super) fn pace(&self) -> Pace {
        if self.registry.0.beginning.serving.is_some() { Pace::Gentle } else { Pace::Full }
    }

    /// Content that a repository still has a link to stays.
    pub(super) async fn keep(&mut self, repository: &Repository, linked: &[Digest]) -> Result<(), CollectionError> {
        let link = |digest: &Digest| layout::link(&layout::layer(&repository.name, digest));
        for digests in linked.chunks(AT_A_TIME) {
            let links: Vec<_> = digests.iter().map(link).collect();
            for (digest, stat) in digests.iter().zip(self.registry.storage().stat_all(&links).await) {
                if stat?.is_some() {
                    self.marks.contents.insert(digest);
                }
            }
            // registry:2 keeps a sha512 blob under its sha256 name. Only there does the link say more than its path.
            for digest in digests.iter().filter(|digest| digest.algorithm() == Algorithm::Sha512) {
                if let Some(target) = repository.read_link(&link(digest)).await? {
                    self.marks.contents.insert(&target);
                }
            }
        }
        Ok(())
    }

    async fn remove_if_empty(&mut self, repository: &Repository) -> Result<(), CollectionError> {
        if self.collection.dry_run || !repository.is_there().await? {
            return Ok(());
        }
        if repository.remove_if_empty().await? {
            let repository = Some(repository.name.clone());
            self.account.removed(Removal { kind: Removed::Repository, repository, digest: None, bytes: 0 }).await;
        }
        Ok(())
    }

    /// Takes away the bytes of what is in no repository any more.
    pub(super) async fn sweep_contents(&mut self) -> Result<(), CollectionError> {
        const PARTS: usize = 512;
        let mut done = 0;
        for algorithm in Algorithm::ALL {
            let prefix = layout::contents(algorithm);
            for part in self.registry.storage().children(&prefix).await? {
                self.go_on()?;
                self.account.progress(Phase::Contents, done.min(PARTS), PARTS);
                done += 1;
                let names = self.registry.storage().children(&prefix.join(&part.name)).await?;
                let digests = names.into_iter().filter_map(|child| format!("{algorithm}:{}", child.name).parse().ok());
                self.sweep_contents_of(digests.collect()).await?;
            }
        }
        Ok(())
    }

    async fn sweep_contents_of(&mut self, digests: Vec<Digest>) -> Result<(), CollectionError> {
        let dead = digests.into_iter().filter(|digest| !self.marks.contents.has(digest));
        for digests in dead.collect::<Vec<_>>().chunks(AT_ONCE) {
            for (digest, bytes) in self.remove_contents(digests).await? {
                let digest = Some(digest);
                self.account.removed(Removal { kind: Removed::Content, repository: None, digest, bytes }).await;
            }
        }
        Ok(())
    }

    /// Takes blobs or manifests from the disk, but for those that are young or that somebody relies on; what went, and
    /// how many bytes of it.
    async fn remove_contents(&mut self, digests: &[Digest]) -> Result<Vec<(Digest, u64)>, CollectionError> {
        let mut alone = Vec::new();
        for digest in digests {
            alone.push(self.registry.0.locks.content(digest).await);
        }
        let (taken, young) = self.take_old(digests, layout::data).await?;
        for young in &young {
            self.count(young);
        }
        let prefixes: Vec<_> = taken.iter().map(|old| layout::content(&old.digest)).collect();
        if !self.collection.dry_run {
            self.registry.storage().delete_trees(&prefixes, self.pace()).await?;
        }
        // A push that waits for one of them does not wait until the removal has been reported.
        Ok(taken.into_iter().map(|old| (old.digest, old.seen.len)).collect())
    }
}

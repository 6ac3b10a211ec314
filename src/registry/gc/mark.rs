//! Marks the content that manifests refer to, read from the disk.

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};

use super::{CollectionError, Collector, Phase};
use crate::{
    oci::{Algorithm, Digest, RepositoryName, StoredReferences},
    registry::{Registry, Repository, content::Fingerprints, layout, repository_walk::AT_A_TIME},
    storage::StorageError,
};

/// How many manifests are read at a time.
const READS: usize = 4;

/// Why nobody knows what damaged content refers to.
const DAMAGED: &str = "is not what its digest says";

/// The content that must stay.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Content that some manifest is, or refers to.
    pub(super) contents: Fingerprints,
    /// Content that a manifest of the same repository refers to, with the repository.
    pub(super) links: Fingerprints,
}

impl Collector {
    /// Reads every manifest of every repository.
    pub(super) async fn mark(&mut self, names: &[RepositoryName]) -> Result<(), CollectionError> {
        for (done, name) in names.iter().enumerate() {
            self.go_on()?;
            self.account.progress(Phase::Mark, done, names.len());
            self.mark_repository(name).await?;
        }
        Ok(())
    }

    async fn mark_repository(&mut self, name: &RepositoryName) -> Result<(), CollectionError> {
        let repository = self.registry.repository(name.clone());
        self.check_links(&repository).await?;
        let mut revisions = self.revisions(&repository).await?;
        revisions.retain(|digest| !self.gone.contains(&(name.clone(), digest.clone())));
        let held: HashSet<_> = revisions.iter().cloned().collect();
        let mut read = stream::iter(revisions)
            .map(|digest| {
                let (repository, held) = (repository.clone(), &held);
                async move { (repository.ties_through(&digest, held).await, digest) }
            })
            .buffer_unordered(READS);
        let mut broken = Vec::new();
        while let Some((ties, digest)) = read.next().await {
            self.marks.contents.insert(&digest);
            match ties? {
                Ok(ties) => ties.references.iter().for_each(|reference| {
                    self.marks.contents.insert(reference);
                    self.marks.links.insert((name, reference));
                }),
                Err(why) => broken.push((digest, why)),
            }
        }
        drop(read);
        for (digest, why) in broken {
            self.obstacle_of(&repository, &digest, why).await?;
        }
        Ok(())
    }

    /// The manifests of a repository, by the paths of their links: what a link says does not matter. A kind of digest
    /// that is not known stops the sweep.
    pub(super) async fn revisions(&mut self, repository: &Repository) -> Result<Vec<Digest>, CollectionError> {
        let prefix = layout::revisions(&repository.name);
        for child in self.registry.storage().children(&prefix).await? {
            if child.name.parse::<Algorithm>().is_err() {
                self.account.obstacle(format!(
                    "{} has manifests under {}, an algorithm that is not known here: move them away",
                    repository.name, child.name
                ));
            }
        }
        let mut revisions = Vec::new();
        for digests in repository.linked_below(&prefix).await?.chunks(AT_A_TIME) {
            let links: Vec<_> =
                digests.iter().map(|digest| layout::link(&layout::revision(&repository.name, digest))).collect();
            for (digest, stat) in digests.iter().zip(self.registry.storage().stat_all(&links).await) {
                if stat?.is_some() {
                    revisions.push(digest.clone());
                }
            }
        }
        Ok(revisions)
    }

    /// Notes a manifest that can't be read, unless it has been taken out of its repository since.
    pub(super) async fn obstacle_of(
        &mut self,
        repository: &Repository,
        digest: &Digest,
        why: String,
    ) -> Result<(), CollectionError> {
        let link = layout::link(&layout::revision(&repository.name, digest));
        if self.registry.storage().stat(&link).await?.is_some() {
            let name = &repository.name;
            self.account.obstacle(format!(
                "the manifest {name}@{digest} {why}, so nobody knows what it refers to: push it again, or delete it (wharf fsck tells more)"
            ));
        }
        Ok(())
    }
}

impl Repository {
    /// [`Repository::ties`], and what its children keep that the repository has no link to: such a child may be pulled
    /// again once its link is back, so its bytes, where they are in the store, are followed. `held` are the manifests
    /// that the repository has links to.
    ///
    /// # Errors
    /// The error of the store.
    pub(in crate::registry) async fn ties_through(
        &self,
        digest: &Digest,
        held: &HashSet<Digest>,
    ) -> Result<Result<StoredReferences, String>, StorageError> {
        let mut ties = match self.ties(digest).await? {
            Ok(ties) => ties,
            Err(why) => return Ok(Err(why)),
        };
        let mut followed = HashSet::new();
        let mut unread = ties.children.clone();
        while let Some(child) = unread.pop() {
            if held.contains(&child) || !followed.insert(child.clone()) {
                continue;
            }
            match self.ties(&child).await? {
                Ok(kept) => {
                    unread.extend(kept.children);
                    ties.references.extend(kept.references);
                }
                Err(why) if why == DAMAGED => return Ok(Err(format!("refers to {child}, which {why}"))),
                // A child that is no manifest, or is not in the store, keeps nothing.
                Err(_) => {}
            }
        }
        Ok(Ok(ties))
    }

    /// The content that a manifest of this repository keeps; or, in words, why that is unknown.
    ///
    /// # Errors
    /// The error of the store.
    pub(in crate::registry) async fn ties(
        &self,
        digest: &Digest,
    ) -> Result<Result<StoredReferences, String>, StorageError> {
        let bytes = match self.storage().read(&layout::data(digest), Registry::MANIFEST_LIMIT).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Err("is not in the store".to_owned())),
            Err(StorageError::TooLarge) => return Ok(Err("is larger than a manifest may be".to_owned())),
            Err(error) => return Err(error),
        };
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            return Ok(Err(DAMAGED.to_owned()));
        }
        Ok(StoredReferences::of(&bytes).map_err(|error| format!("can't be read ({error})")))
    }
}

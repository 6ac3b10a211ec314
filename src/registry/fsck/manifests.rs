//! The manifests of a repository: that each can be read, and has what it refers to.

use super::{FsckError, Inspector};
use crate::{
    oci::{Digest, Manifest, MediaType},
    registry::{Registry, RegistryError, Repository, layout, links::link_to},
    storage::StorageError,
};

/// The problem of a manifest, checked under the exclusive lock of its repository.
enum Fault {
    /// The link says something else than its path.
    Link,
    /// The bytes are not here, or not right.
    Lost,
    /// The disk does not give them.
    Unreadable(String),
    /// Something that it refers to is not here, or not as long as it says.
    Missing(String),
}

/// The types that the collectors of registry:2 and registry:3 know.
const KNOWN_TO_OTHERS: [&str; 6] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

impl Inspector {
    pub(super) async fn check_manifests(&mut self, repository: &Repository) -> Result<(), FsckError> {
        for digest in repository.linked_below(&layout::revisions(&repository.name)).await? {
            self.go_on()?;
            let link = layout::link(&layout::revision(&repository.name, &digest));
            if self.registry.storage().stat(&link).await?.is_none() {
                // Others leave the directory when they remove the link.
                continue;
            }
            self.account.figures.manifests += 1;
            if repository.manifest_fault(&digest).await?.is_some() {
                self.check_manifest_again(repository, &digest).await?;
            }
            self.note_type(repository, &digest).await?;
        }
        Ok(())
    }

    async fn check_manifest_again(&mut self, repository: &Repository, digest: &Digest) -> Result<(), FsckError> {
        let mut state = repository.locks().exclusive(&repository.name).await;
        let Some(fault) = repository.manifest_fault(digest).await? else { return Ok(()) };
        let place = format!("{}@{digest}", repository.name);
        let repair = self.may_remove();
        match fault {
            Fault::Link if repair => {
                let link = layout::link(&layout::revision(&repository.name, digest));
                repository.storage().commit(vec![link_to(link, digest)]).await?;
                drop(state);
                self.account.mended(place, "has a link that does not name it", "wrote the link").await;
            }
            Fault::Link => {
                drop(state);
                self.account.problem(place, "has a link that does not name it", "--repair writes it").await;
            }
            Fault::Lost if repair => {
                let removed = repository.remove_manifest(&mut state, digest).await;
                match repository.settle(&mut state, removed).await {
                    Err(RegistryError::Storage(error)) => return Err(error.into()),
                    // Only the store can fail here.
                    _ => drop(state),
                }
                self.account.mended(place, "is a manifest whose bytes are lost", "removed it, and its tags").await;
            }
            Fault::Lost => {
                drop(state);
                let todo = "push it again; --repair removes it and its tags; until then no garbage is collected";
                self.account.problem(place, "is a manifest whose bytes are lost", todo).await;
            }
            Fault::Unreadable(why) => {
                drop(state);
                self.account
                    .problem(place, format!("is a manifest that can't be read: {why}"), "look at the disk")
                    .await;
            }
            Fault::Missing(what) => {
                drop(state);
                let todo = "push the image again; it may also be meant so (validation.manifests.missing = \"allow\")";
                self.account.problem(place, what, todo).await;
            }
        }
        Ok(())
    }

    async fn note_type(&mut self, repository: &Repository, digest: &Digest) -> Result<(), FsckError> {
        // Manifests that can't be read were reported before.
        let Ok(Some(bytes)) = repository.manifest_bytes(digest).await else { return Ok(()) };
        let media_type: MediaType = repository.media_type_of(digest, &bytes).await?;
        if !KNOWN_TO_OTHERS.contains(&media_type.as_str()) {
            let what =
                format!("is of the type {media_type}, at which garbage collection of registry:2 and registry:3 stops");
            self.account.note(format!("{}@{digest}", repository.name), what).await;
        }
        Ok(())
    }
}

impl Repository {
    async fn manifest_fault(&self, digest: &Digest) -> Result<Option<Fault>, StorageError> {
        let link = layout::link(&layout::revision(&self.name, digest));
        if self.storage().stat(&link).await?.is_none() {
            return Ok(None);
        }
        let bytes = match self.storage().read(&layout::data(digest), Registry::MANIFEST_LIMIT).await {
            Ok(bytes) => bytes.filter(|bytes| Digest::of(digest.algorithm(), bytes) == *digest),
            Err(StorageError::TooLarge) => None,
            Err(error) => return Ok(Some(Fault::Unreadable(error.to_string()))),
        };
        let Some(bytes) = bytes else { return Ok(Some(Fault::Lost)) };
        if !self.has_manifest(digest).await? {
            return Ok(Some(Fault::Link));
        }
        // One that another registry took and this one would not: what it refers to is found out where that matters.
        let Ok(manifest) = Manifest::parse(&bytes, None) else { return Ok(None) };
        if self.registry.filling(&self.name).is_some() {
            // What is missing is fetched when it is wanted.
            return Ok(None);
        }
        match self.missing_references(&manifest).await {
            Ok(missing) if missing.is_empty() => Ok(None),
            Ok(missing) => {
                let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
                Ok(Some(Fault::Missing(format!("refers to what the repository does not have: {}", missing.join(", ")))))
            }
            // A part that can't be read is not missing.
            Err(RegistryError::Storage(error)) => Ok(Some(Fault::Unreadable(error.to_string()))),
            Err(error) => Ok(Some(Fault::Missing(error.to_string()))),
        }
    }
}

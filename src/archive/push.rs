//! Stores the content of archives in a registry.

use std::io::{self, SeekFrom};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Archive, ArchiveError, Content, Extent, Manifest, Problem};
use crate::{
    oci::{Digest, MediaType, Preconditions, Reference, RepositoryName, Tag},
    registry::{self, BodySender, ManifestPush, Overwrite, Registry, RegistryError, Repository, StoredManifest},
};

/// How many bytes are read at a time.
const PIECE: usize = 256 * 1024;

/// Something visible that a load added.
enum Added<'a> {
    Manifest(Repository, &'a Digest),
    /// A tag, with the manifest that it named before.
    Tag(Repository, &'a Tag, Option<StoredManifest>),
}

impl Added<'_> {
    fn is_tag(&self, repository: &Repository, tag: &Tag) -> bool {
        matches!(self, Self::Tag(of, known, _) if *known == tag && of.name() == repository.name())
    }
}

/// Stores all archives: first their blobs, then their manifests, then their tags. If that fails, the manifests and tags
/// are taken back, and the next collection removes the blobs. The memory that it takes does not grow with the content.
///
/// # Errors
/// [`ArchiveError`]: a file changed or can't be read any more, or the store failed.
pub async fn load(archives: &[Archive], registry: &Registry) -> Result<(), ArchiveError> {
    for (archive, name, content) in contents(archives) {
        let repository = registry.repository(name.clone());
        for (digest, extent) in &content.blobs {
            push_blob(&repository, digest, extent).await.map_err(|problem| archive.error(problem))?;
        }
    }
    let mut added = Vec::new();
    let named = name_all(archives, registry, &mut added).await;
    if named.is_err() {
        take_back_all(&added).await;
    }
    named
}

/// Takes back what a load added, the last first. A store that is full may have room for the old meaning of a tag only
/// after that, so what fails is tried once more.
async fn take_back_all(added: &[Added<'_>]) {
    let mut failed = Vec::new();
    for added in added.iter().rev() {
        if take_back(added).await.is_err() {
            failed.push(added);
        }
    }
    for added in failed {
        if let Err(error) = take_back(added).await {
            tracing::error!("a part of an image that was not loaded stays: {error}");
        }
    }
}

/// The content of all archives, by archive and repository.
fn contents(archives: &[Archive]) -> impl Iterator<Item = (&Archive, &RepositoryName, &Content)> {
    archives.iter().flat_map(|archive| archive.repositories.iter().map(move |(name, content)| (archive, name, content)))
}

/// Stores the manifests and the tags, whose blobs are there. `added` gets everything that is new.
async fn name_all<'a>(
    archives: &'a [Archive],
    registry: &Registry,
    added: &mut Vec<Added<'a>>,
) -> Result<(), ArchiveError> {
    for (archive, name, content) in contents(archives) {
        let repository = registry.repository(name.clone());
        // A manifest that only has tags comes with them, so that its push is one event.
        for manifest in content.manifests.iter().filter(|manifest| manifest.is_child || manifest.tags.is_empty()) {
            let pushed = push_manifest(&repository, manifest, &[], added).await;
            pushed.map_err(|problem| archive.error(problem))?;
        }
    }
    for (archive, name, content) in contents(archives) {
        let repository = registry.repository(name.clone());
        for manifest in content.manifests.iter().filter(|manifest| !manifest.tags.is_empty()) {
            let pushed = push_manifest(&repository, manifest, &manifest.tags, added).await;
            pushed.map_err(|problem| archive.error(problem))?;
        }
        let tags: Vec<_> = content.manifests.iter().flat_map(|manifest| &manifest.tags).collect();
        tracing::info!(repository = %name, ?tags, "loaded {}", archive.file);
    }
    Ok(())
}

async fn push_manifest<'a>(
    repository: &Repository,
    manifest: &'a Manifest,
    tags: &'a [Tag],
    added: &mut Vec<Added<'a>>,
) -> Result<(), Problem> {
    if repository.browse_manifest(&Reference::Digest(manifest.digest.clone())).await?.is_none() {
        added.push(Added::Manifest(repository.clone(), &manifest.digest));
    }
    for tag in tags {
        // An earlier archive may have moved it.
        if added.iter().any(|added| added.is_tag(repository, tag)) {
            continue;
        }
        let before = repository.browse_manifest(&Reference::Tag(tag.clone())).await?;
        added.push(Added::Tag(repository.clone(), tag, before));
    }
    repository.put_manifest(manifest.push(tags.to_vec())).await?;
    Ok(())
}

async fn take_back(added: &Added<'_>) -> Result<(), RegistryError> {
    let taken = match added {
        Added::Manifest(repository, digest) => repository.withdraw_manifest(digest).await,
        Added::Tag(repository, tag, None) => repository.withdraw_tag(tag).await,
        Added::Tag(repository, tag, Some(StoredManifest { digest, media_type, bytes, .. })) => {
            let push = manifest_push(digest, media_type, bytes, vec![Tag::clone(tag)]);
            repository.put_manifest(push).await.map(drop)
        }
    };
    match taken {
        // The store failed before this one was there.
        Err(RegistryError::ManifestUnknown(_)) => Ok(()),
        taken => taken,
    }
}

impl Archive {
    fn error(&self, problem: Problem) -> ArchiveError {
        ArchiveError { file: self.file.clone(), problem }
    }
}

impl Manifest {
    fn push(&self, tags: Vec<Tag>) -> ManifestPush {
        manifest_push(&self.digest, &self.media_type, &self.bytes, tags)
    }
}

fn manifest_push(digest: &Digest, media_type: &MediaType, bytes: &Bytes, tags: Vec<Tag>) -> ManifestPush {
    ManifestPush {
        reference: Reference::Digest(digest.clone()),
        tags,
        content_type: Some(media_type.clone()),
        bytes: bytes.clone(),
        overwrite: Overwrite::Allowed,
        conditions: Preconditions::default(),
    }
}

async fn push_blob(repository: &Repository, digest: &Digest, extent: &Extent) -> Result<(), Problem> {
    let (sender, body) = registry::body();
    let (pushed, sent) = tokio::join!(repository.push_blob(digest, body), send(sender, extent));
    sent?;
    Ok(pushed?)
}

async fn send(sender: BodySender, extent: &Extent) -> io::Result<()> {
    let mut file = tokio::fs::File::open(&extent.path).await?;
    file.seek(SeekFrom::Start(extent.offset)).await?;
    let mut file = file.take(extent.len);
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        if file.read_buf(&mut piece).await? == 0 {
            sender.end();
            return Ok(());
        }
        if !sender.send(piece.freeze()).await {
            return Ok(());
        }
    }
}

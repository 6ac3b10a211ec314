//! Stores the content of an archive in a registry.

use std::io::{self, SeekFrom};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Archive, ArchiveError, Content, Extent, Problem};
use crate::{
    oci::{Digest, Preconditions, Reference},
    registry::{self, BodySender, ManifestPush, Overwrite, Registry, Repository},
};

/// How many bytes are read at a time.
const PIECE: usize = 256 * 1024;

impl Archive {
    /// Stores everything. The memory that it takes does not grow with the content.
    ///
    /// # Errors
    /// [`ArchiveError`]: a file changed or can't be read any more, or the store failed.
    pub async fn push(&self, registry: &Registry) -> Result<(), ArchiveError> {
        for (name, content) in &self.repositories {
            let repository = registry.repository(name.clone());
            let pushed = push(&repository, content).await;
            pushed.map_err(|problem| ArchiveError { file: self.file.clone(), problem })?;
            let tags: Vec<_> = content.manifests.iter().flat_map(|manifest| &manifest.tags).collect();
            tracing::info!(repository = %name, ?tags, "loaded {}", self.file);
        }
        Ok(())
    }
}

async fn push(repository: &Repository, content: &Content) -> Result<(), Problem> {
    for (digest, extent) in &content.blobs {
        push_blob(repository, digest, extent).await?;
    }
    for manifest in &content.manifests {
        let push = ManifestPush {
            reference: Reference::Digest(manifest.digest.clone()),
            tags: manifest.tags.clone(),
            content_type: Some(manifest.media_type.clone()),
            bytes: manifest.bytes.clone(),
            overwrite: Overwrite::Allowed,
            conditions: Preconditions::default(),
        };
        repository.put_manifest(push).await?;
    }
    Ok(())
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

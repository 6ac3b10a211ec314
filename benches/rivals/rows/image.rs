//! What is stored for the reads: some images of one repository, and a large blob.

use std::{fs, io, sync::Arc};

use crate::{
    blob::{Blob, SMALL},
    contestant::Contestant,
    server::Server,
};

/// The repository.
pub(super) const REPOSITORY: &str = "bench/image";

/// Some images.
#[derive(Debug)]
pub(super) struct Images {
    pub(super) manifests: Vec<Arc<Blob>>,
    pub(super) blobs: Vec<Arc<Blob>>,
}

impl Images {
    /// Images of four small layers, none of which is in another one.
    pub(super) fn random(count: usize) -> Self {
        let mut images = Self { manifests: Vec::new(), blobs: Vec::new() };
        for _ in 0..count {
            let blobs: Vec<_> = (0..4).map(|_| Blob::random(SMALL)).collect();
            images.manifests.push(Arc::new(Blob::manifest(&blobs[0], &blobs[1..])));
            images.blobs.extend(blobs.into_iter().map(Arc::new));
        }
        images
    }

    /// By tag or by digest.
    pub(super) fn manifest_paths(&self, by_tag: bool) -> Vec<(String, &Arc<Blob>)> {
        let reference =
            |(index, blob): (usize, &Arc<Blob>)| if by_tag { format!("t{index}") } else { blob.digest.clone() };
        let paths = self.manifests.iter().enumerate().map(|entry| (manifest_path(&reference(entry)), entry.1));
        paths.collect()
    }

    pub(super) fn blob_paths(&self) -> Vec<(String, &Arc<Blob>)> {
        self.blobs.iter().map(|blob| (blob_path(blob), blob)).collect()
    }

    /// Pushes all of it, or writes it where nginx finds it.
    pub(super) fn store(&self, server: &Server) -> io::Result<()> {
        if server.contestant == Contestant::Nginx {
            let paths = [self.manifest_paths(true), self.manifest_paths(false), self.blob_paths()].concat();
            return paths.iter().try_for_each(|(path, blob)| file(server, path, blob));
        }
        let mut client = server.client()?;
        self.blobs.iter().try_for_each(|blob| client.push(REPOSITORY, blob))?;
        let tagged = self.manifests.iter().enumerate();
        tagged
            .into_iter()
            .try_for_each(|(index, manifest)| client.push_manifest(REPOSITORY, &format!("t{index}"), manifest))
    }
}

pub(super) fn manifest_path(reference: &str) -> String {
    format!("/v2/{REPOSITORY}/manifests/{reference}")
}

pub(super) fn blob_path(blob: &Blob) -> String {
    format!("/v2/{REPOSITORY}/blobs/{}", blob.digest)
}

/// A file of nginx.
pub(super) fn file(server: &Server, path: &str, blob: &Blob) -> io::Result<()> {
    let path = server.folder.join("store").join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap_or(&path))?;
    fs::write(path, &blob.bytes)
}

//! Stores written straight to the disk, in the layout of CNCF Distribution: a hundred thousand pushes would take an
//! hour.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::blob::Blob;

/// The store under a root directory.
#[derive(Debug)]
pub(crate) struct Tree(PathBuf);

impl Tree {
    pub(crate) fn new(root: &Path) -> Self {
        Self(root.join("docker/registry/v2"))
    }

    /// The bytes of a blob or a manifest.
    pub(crate) fn data(&self, blob: &Blob) -> io::Result<()> {
        let folder = self.0.join("blobs/sha256").join(&blob.hex()[..2]).join(blob.hex());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("data"), &blob.bytes)
    }

    /// What has to be there before the first link.
    pub(crate) fn repository(&self, name: &str) -> io::Result<()> {
        fs::create_dir_all(self.of(name).join("_layers"))?;
        fs::create_dir_all(self.of(name).join("_manifests/tags"))
    }

    pub(crate) fn layer(&self, name: &str, blob: &Blob) -> io::Result<()> {
        link(&self.of(name).join("_layers/sha256").join(blob.hex()), blob)
    }

    pub(crate) fn revision(&self, name: &str, blob: &Blob) -> io::Result<()> {
        link(&self.of(name).join("_manifests/revisions/sha256").join(blob.hex()), blob)
    }

    pub(crate) fn tag(&self, name: &str, tag: &str, blob: &Blob) -> io::Result<()> {
        link(&self.of(name).join("_manifests/tags").join(tag).join("current"), blob)
    }

    /// A whole image.
    pub(crate) fn image(&self, name: &str, tag: &str, manifest: &Blob, blobs: &[&Blob]) -> io::Result<()> {
        self.repository(name)?;
        for blob in blobs {
            self.data(blob)?;
            self.layer(name, blob)?;
        }
        self.data(manifest)?;
        self.revision(name, manifest)?;
        self.tag(name, tag, manifest)
    }

    fn of(&self, name: &str) -> PathBuf {
        self.0.join("repositories").join(name)
    }
}

fn link(folder: &Path, blob: &Blob) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("link"), &blob.digest)
}

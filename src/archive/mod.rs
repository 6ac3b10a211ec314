//! Images from files: OCI layouts, as directories or tar archives, and archives of `docker save`.
//!
//! [`Archive::open`] reads and hashes everything that an archive has, so that a bad one is refused before anything of
//! it is stored. [`load`] stores the content of archives: all of it is visible in the end, or nothing.

mod docker_save;
mod error;
mod files;
mod image_name;
mod oci_layout;
mod push;

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;

pub use error::{ArchiveError, Problem};
pub use push::load;

use self::{
    files::{Extent, Files},
    image_name::Naming,
};
use crate::oci::{Digest, MediaType, RepositoryName, Tag};

/// The images of an archive, checked and not yet stored.
#[derive(Debug)]
pub struct Archive {
    /// The name in errors.
    file: String,
    repositories: BTreeMap<RepositoryName, Content>,
}

/// The content for one repository.
#[derive(Debug, Default)]
struct Content {
    blobs: BTreeMap<Digest, Extent>,
    /// Children come before the manifests that refer to them.
    manifests: Vec<Manifest>,
}

#[derive(Debug)]
struct Manifest {
    digest: Digest,
    media_type: MediaType,
    bytes: Bytes,
    tags: Vec<Tag>,
    /// Whether an index of the archive refers to it.
    is_child: bool,
}

impl Archive {
    /// Reads and checks `[oci:]PATH[=REPOSITORY]`: the directory of an OCI layout, or a tar archive. The repository
    /// replaces the names that the images have in the archive.
    ///
    /// # Errors
    /// [`ArchiveError`], with the name of the file.
    pub fn open(argument: &str) -> Result<Self, ArchiveError> {
        let text = argument.strip_prefix("oci:").unwrap_or(argument);
        let (path, repository) = match text.rsplit_once('=') {
            Some((path, repository)) if !Path::new(text).exists() => (path, Some(repository)),
            _ => (text, None),
        };
        let repositories = read(Path::new(path), repository);
        let repositories = repositories.map_err(|problem| ArchiveError { file: path.to_owned(), problem })?;
        Ok(Self { file: path.to_owned(), repositories })
    }
}

fn read(path: &Path, repository: Option<&str>) -> Result<BTreeMap<RepositoryName, Content>, Problem> {
    let naming = Naming::new(path, repository)?;
    let files = Files::open(path)?;
    // An archive of a recent `docker save` has both.
    if files.has("manifest.json") && !files.has("index.json") {
        docker_save::read(&files, &naming)
    } else {
        oci_layout::read(&files, &naming)
    }
}

impl Content {
    /// Adds a manifest, or its tags if the manifest is there.
    fn add(&mut self, manifest: Manifest) {
        match self.manifests.iter_mut().find(|known| known.digest == manifest.digest) {
            Some(known) => {
                known.tags.extend(manifest.tags);
                known.is_child |= manifest.is_child;
            }
            None => self.manifests.push(manifest),
        }
    }
}

#[cfg(test)]
mod tests;

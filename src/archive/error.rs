//! Errors of archives.

use std::io;

use crate::{
    oci::{Digest, InvalidManifest, InvalidName, InvalidTag},
    registry::RegistryError,
};

/// The reason why an archive was not loaded.
#[derive(Debug, thiserror::Error)]
#[error("--load {file}: {problem}")]
pub struct ArchiveError {
    /// The file or directory, as it was named.
    pub file: String,
    /// The reason.
    pub problem: Problem,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A file can't be read.
    #[error("can't read it: {0}")]
    Io(#[from] io::Error),
    /// It is compressed.
    #[error("it is compressed: decompress it first, for example with gunzip, unzstd or unxz")]
    Compressed,
    /// It is no tar archive.
    #[error("it is not a tar archive")]
    NotTar,
    /// A file of the archive has holes.
    #[error("{0} is stored with holes: make the archive without the option --sparse of tar")]
    Sparse(String),
    /// The archive ends within an entry or after it, before its end.
    #[error("it is cut off or damaged, in {0} or right after it")]
    CutOff(String),
    /// An entry is missing.
    #[error("it has no {0}")]
    Missing(String),
    /// An entry is larger than a manifest may be.
    #[error("{0} is too large")]
    TooLarge(String),
    /// An entry is not the JSON that it should be.
    #[error("{0}: {1}")]
    Json(&'static str, serde_json::Error),
    /// An entry does not have the digest of its name.
    #[error("it is damaged: the content of {0} has another digest")]
    Digest(Digest),
    /// A layer is not the one that the configuration of the image names.
    #[error("it is damaged: the layers do not match the configuration {0}")]
    Layers(String),
    /// A manifest is bad.
    #[error("the manifest {0} is invalid: {1}")]
    Manifest(Digest, InvalidManifest),
    /// Indexes are nested too deeply.
    #[error("its indexes are nested too deeply")]
    Nested,
    /// It has no image.
    #[error("it has no images")]
    Empty,
    /// The name of a repository is bad.
    #[error("`{0}` is not a repository's name: {1}; name one with --load PATH=REPOSITORY")]
    Repository(String, InvalidName),
    /// A tag is bad.
    #[error("`{0}` is not a tag: {1}")]
    Tag(String, InvalidTag),
    /// The registry refused it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

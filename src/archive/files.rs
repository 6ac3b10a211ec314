//! The files of an archive: those of a directory, or entries of a tar archive.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek as _, SeekFrom},
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;

use super::Problem;
use crate::oci::{Algorithm, Digest, Hasher};

/// The beginnings of files that gzip, zstd, xz and bzip2 make.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zX", b"BZh"];

/// The files of an archive, by their names.
pub(super) enum Files {
    Directory(PathBuf),
    Tar { entries: HashMap<PathBuf, Extent>, links: HashMap<PathBuf, PathBuf> },
}

/// The place of some content: a file, or a part of one.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    pub(super) path: PathBuf,
    /// The offset of its first byte.
    pub(super) offset: u64,
    /// Its length in bytes.
    pub(super) len: u64,
}

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        if path.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        let mut file = File::open(path)?;
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic)?;
        if COMPRESSED.iter().any(|beginning| magic.starts_with(beginning)) {
            return Err(Problem::Compressed);
        }
        file.rewind()?;
        list(path, file)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    pub(super) fn find(&self, name: &str) -> Result<Extent, Problem> {
        let missing = || Problem::Missing(name.to_owned());
        match self {
            Self::Directory(directory) => {
                let path = directory.join(normal(Path::new(name)));
                match fs::metadata(&path) {
                    Ok(metadata) if metadata.is_file() => Ok(Extent { path, offset: 0, len: metadata.len() }),
                    Ok(_) => Err(missing()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
                    Err(error) => Err(error.into()),
                }
            }
            Self::Tar { entries, links } => {
                let name = normal(Path::new(name));
                let name = links.get(&name).unwrap_or(&name);
                entries.get(name).cloned().ok_or_else(missing)
            }
        }
    }
}

/// Lists a tar archive. No content is read.
fn list(path: &Path, file: File) -> Result<Files, Problem> {
    let end = file.metadata()?.len();
    let (mut entries, mut links) = (HashMap::new(), HashMap::new());
    let mut last = None;
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek().map_err(|_| Problem::NotTar)? {
        let entry = entry.map_err(|_| last.take().map_or(Problem::NotTar, Problem::CutOff))?;
        let name = normal(&entry.path()?);
        last = Some(name.display().to_string());
        let kind = entry.header().entry_type();
        if let (true, Some(target)) = (kind.is_symlink() || kind.is_hard_link(), entry.link_name()?) {
            let base = name.parent().filter(|_| kind.is_symlink()).unwrap_or(Path::new(""));
            links.insert(name.clone(), normal(&base.join(target)));
        } else if kind.is_gnu_sparse() {
            return Err(Problem::Sparse(name.display().to_string()));
        } else if kind.is_file() {
            let extent = Extent { path: path.to_owned(), offset: entry.raw_file_position(), len: entry.size() };
            if extent.offset.checked_add(extent.len).is_none_or(|last| last > end) {
                return Err(Problem::CutOff(name.display().to_string()));
            }
            entries.insert(name, extent);
        }
    }
    Ok(Files::Tar { entries, links })
}

/// The path without `.`, `..` and a leading `/`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => drop(normal.pop()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    normal
}

impl Extent {
    fn open(&self) -> io::Result<io::Take<File>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file.take(self.len))
    }

    /// All bytes, at most `limit`.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Bytes, Problem> {
        if self.len > limit {
            return Err(Problem::TooLarge(name.to_owned()));
        }
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    /// The digest of the content, in memory that does not grow with it.
    pub(super) fn digest(&self, algorithm: Algorithm) -> io::Result<Digest> {
        let (mut file, mut hasher, mut buffer) = (self.open()?, Hasher::new(algorithm), vec![0; 256 * 1024]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                len => hasher.update(&buffer[..len]),
            }
        }
    }
}

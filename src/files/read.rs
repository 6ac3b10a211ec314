//! Reads files, and judges their modes.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{FileError, FileFault};

/// The kind of content of a file. It decides which modes the file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Users, or keys that sign tokens. The file is refused where everybody may write to it.
    Credentials,
    /// A private key. There is a warning where others than its owner may read it or write to it.
    PrivateKey,
    /// Certificates and public keys. There is a warning where others than its owner may write to it.
    Public,
}

/// Files, each with what it holds.
pub(crate) type Files = Vec<(PathBuf, Content)>;

/// A file as it was when it was read.
#[derive(PartialEq, Eq)]
pub(crate) struct Snapshot {
    path: PathBuf,
    content: Result<Vec<u8>, FileFault>,
}

impl Snapshot {
    /// Reads a file.
    pub(crate) fn read(path: &Path, content: Content) -> Self {
        let read = || {
            let bytes = fs::read(path)?;
            Ok((bytes, fs::metadata(path)?.permissions().mode() & 0o7777))
        };
        let content = match read() {
            Err(error) => Err(unreadable(&error)),
            Ok((_, mode)) if content == Content::Credentials && mode & 0o002 != 0 => {
                Err(FileFault::WritableByEverybody(mode))
            }
            Ok((bytes, _)) => Ok(bytes),
        };
        Self { path: path.to_owned(), content }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The content.
    ///
    /// # Errors
    /// The file could not be read, or its mode is refused.
    pub(crate) fn bytes(&self) -> Result<&[u8], FileError> {
        let content = self.content.as_deref();
        content.map_err(|fault| FileError { path: self.path.clone(), fault: fault.clone() })
    }

    /// An error about the content.
    pub(crate) fn error(&self, problem: &(impl ToString + ?Sized)) -> FileError {
        FileError { path: self.path.clone(), fault: FileFault::Content(problem.to_string()) }
    }
}

/// The content of a file, whatever its mode; `None` if there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(|error| FileError { path: path.to_owned(), fault: unreadable(&error) }),
    }
}

/// The names in a folder that are UTF-8; none if there is no such folder.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(FileError { path: folder.to_owned(), fault: unreadable(&error) }),
        Ok(names) => Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect()),
    }
}

/// Warns where others may do to a file what they should not. It is no reason not to start: a umask of 002 or a git
/// checkout lets a group write.
pub(super) fn warn_of_mode(path: &Path, content: Content) {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o7777);
    let advice = match (mode & 0o022 != 0, content != Content::Public && mode & 0o044 != 0) {
        (true, true) => "read it and write to it: chmod 600",
        (false, true) => "read it: chmod 600",
        (true, false) => "write to it: chmod go-w",
        (false, false) => return,
    };
    tracing::warn!("{}: its mode {mode:o} lets others than its owner {advice}", path.display());
}

fn unreadable(error: &io::Error) -> FileFault {
    FileFault::Unreadable(error.kind())
}

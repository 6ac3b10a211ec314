//! Lookups: metadata, contents, and names in directories.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    time::SystemTime,
};

use bytes::Bytes;
use rustix::{
    fs::{OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens},
    io::Errno,
};

use super::{
    super::{
        Child, Key, Object, Result, Stat, StorageError,
        stat::{Identity, Version},
    },
    pending_names::NameState,
    volume::Volume,
};

const OMIT: Timespec = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };

impl Volume {
    /// The metadata of an object.
    pub(super) fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let path = self.path(key);
        let metadata = match path.metadata() {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            Err(error) if is_absent(&path, &error) => return Ok(None),
            Err(error) => return Err(StorageError::io("stat", &path, error)),
        };
        Ok((self.names.state(&path) == NameState::Durable).then(|| stat_of(&metadata)))
    }

    /// The whole of an object of `limit` bytes at most.
    pub(super) fn read(&self, key: &Key, limit: u64) -> Result<Option<Bytes>> {
        let path = self.path(key);
        let Some((file, metadata)) = self.find(&path)? else { return Ok(None) };
        let too_large = |len| usize::try_from(len).ok().filter(|_| len <= limit).ok_or(StorageError::TooLarge);
        let mut bytes = Vec::with_capacity(too_large(metadata.len())?);
        // One byte more, in case it has grown since.
        let mut file = file.take(limit.saturating_add(1));
        file.read_to_end(&mut bytes).map_err(|error| StorageError::io("read", &path, error))?;
        too_large(bytes.len() as u64)?;
        Ok(Some(bytes.into()))
    }

    /// An object to read from.
    pub(super) fn open(&self, key: &Key) -> Result<Option<Object>> {
        let found = self.find(&self.path(key))?;
        Ok(found.map(|(file, metadata)| Object::of_file(file, stat_of(&metadata))))
    }

    /// Dates an object with this moment.
    pub(super) fn touch(&self, key: &Key) -> Result<bool> {
        let path = self.path(key);
        let Some((file, _)) = self.find(&path)? else { return Ok(false) };
        // The open file is changed, not the path: an object that is written meanwhile is young by itself.
        let now = Timestamps { last_access: OMIT, last_modification: NOW };
        futimens(&file, &now).map_err(|error| StorageError::io("date", &path, error))?;
        Ok(true)
    }

    /// The names in a directory, in byte order. Names that are not UTF-8 are skipped: wharf has none.
    pub(super) fn children(&self, prefix: &Key) -> Result<Vec<Child>> {
        let path = self.path(prefix);
        let mut children = list(&path, usize::MAX)?;
        self.retain_durable(&path, &mut children);
        children.sort_unstable();
        Ok(children)
    }

    /// The names in a directory, or any `limit` of them.
    pub(super) fn some_children(&self, prefix: &Key, limit: usize) -> Result<Vec<Child>> {
        let path = self.path(prefix);
        let mut children = list(&path, limit)?;
        let seen = children.len();
        self.retain_durable(&path, &mut children);
        if children.len() < seen && seen == limit {
            // There may be others in the place of those that don't count.
            children = self.children(prefix)?;
            children.truncate(limit);
        }
        children.sort_unstable();
        Ok(children)
    }

    /// Removes the names that are visible and count as absent.
    fn retain_durable(&self, path: &Path, children: &mut Vec<Child>) {
        if self.names.state(path) == NameState::Absent {
            children.clear();
        }
        let absent = self.names.absent_in(path);
        children.retain(|child| !absent.contains(child.name.as_ref() as &std::ffi::OsStr));
    }

    /// How many names there are under a prefix, whatever they are.
    pub(super) fn count(&self, prefix: &Key) -> Result<usize> {
        let path = self.path(prefix);
        match fs::read_dir(&path) {
            Ok(entries) => Ok(entries.count()),
            Err(error) if is_absent(&path, &error) => Ok(0),
            Err(error) => Err(StorageError::io("list", &path, error)),
        }
    }

    fn find(&self, path: &Path) -> Result<Option<(File, Metadata)>> {
        let mut options = OpenOptions::new();
        // Not blocking, so that not even a FIFO could hold up a reader.
        let opened = options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if is_absent(path, &error) => return Ok(None),
            Err(error) => return Err(StorageError::io("open", path, error)),
        };
        let metadata = file.metadata().map_err(|error| StorageError::io("fstat", path, error))?;
        Ok((metadata.is_file() && self.names.state(path) == NameState::Durable).then_some((file, metadata)))
    }
}

/// `limit` names at most in a directory, be they durable or not.
fn list(path: &Path, limit: usize) -> Result<Vec<Child>> {
    let error = |error| StorageError::io("list", path, error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(failure) if is_absent(path, &failure) => return Ok(Vec::new()),
        Err(failure) => return Err(error(failure)),
    };
    let mut children = Vec::new();
    for entry in entries {
        if children.len() == limit {
            break;
        }
        let entry = entry.map_err(error)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(error)?;
        let is_prefix = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        children.push(Child { name, is_prefix });
    }
    Ok(children)
}

/// Whether there is a file or a symbolic link, durable or not. A link may be renamed and removed; its target is not
/// touched.
pub(super) fn is_object(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file() || metadata.is_symlink())
}

/// The metadata of an object, from that of its file.
pub(super) fn stat_of(metadata: &Metadata) -> Stat {
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    Stat {
        len: metadata.len(),
        // Every filesystem that can hold a store has this time.
        modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        version: Version(Identity::File { device: metadata.dev(), inode: metadata.ino(), changed }),
    }
}

/// Whether `error` at `path` means that there is no object. A symbolic link that leads nowhere is something else: its
/// target may only be unmounted.
pub(super) fn is_absent(path: &Path, error: &io::Error) -> bool {
    means_none(error) && !leads_nowhere(path)
}

/// Whether the last part of `path` that exists is a symbolic link whose target does not.
fn leads_nowhere(path: &Path) -> bool {
    let seen = path.ancestors().find(|path| path.symlink_metadata().is_ok());
    seen.is_some_and(|path| path.metadata().is_err())
}

/// Whether the error means that there is no such object. A name that is too long, and a device, are none either.
pub(super) fn means_none(error: &io::Error) -> bool {
    const NONE: [Errno; 4] = [Errno::NOENT, Errno::NOTDIR, Errno::NAMETOOLONG, Errno::NXIO];
    Errno::from_io_error(error).is_some_and(|error| NONE.contains(&error))
}

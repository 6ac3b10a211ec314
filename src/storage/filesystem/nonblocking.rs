//! Reads that need not wait for the disk, on the caller's thread: what is in the kernel's caches needs no blocking
//! thread.
//!
//! The kernel says whether it would have to wait, so no answer is stale. If it would wait, or anything is unusual, the
//! answer is [`WouldWait`], and the caller repeats the read on a blocking thread.

use std::{
    fs::{File, Metadata},
    io::IoSliceMut,
    path::Path,
    sync::atomic::Ordering::Relaxed,
};

use bytes::Bytes;
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::{Errno, ReadWriteFlags, preadv2},
};

use super::{
    super::{Key, Object, Stat, StorageError},
    lookup::{means_none, stat_of},
    pending_names::NameState,
    volume::Volume,
};

/// Longer objects are read on a blocking thread: the copy would delay the other tasks of this thread.
const READ_MAX_LEN: u64 = 64 * 1024;

/// The read has to be made on a blocking thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WouldWait;

impl Volume {
    /// [`Volume::stat`], if it need not wait.
    pub(super) fn stat_nonblocking(&self, key: &Key) -> Result<Option<Stat>, WouldWait> {
        let found = self.find_nonblocking(&self.path(key), OFlags::PATH)?;
        Ok(found.map(|(_, metadata)| stat_of(&metadata)))
    }

    /// [`Volume::open`], if it need not wait.
    pub(super) fn open_nonblocking(&self, key: &Key) -> Result<Option<Object>, WouldWait> {
        let found = self.find_nonblocking(&self.path(key), OFlags::RDONLY | OFlags::NONBLOCK)?;
        Ok(found.map(|(file, metadata)| Object::of_file(file, stat_of(&metadata))))
    }

    /// [`Volume::read`], if it need not wait.
    pub(super) fn read_nonblocking(
        &self,
        key: &Key,
        limit: u64,
    ) -> Result<Result<Option<Bytes>, StorageError>, WouldWait> {
        if !self.nonblocking.reads.load(Relaxed) {
            return Err(WouldWait);
        }
        let found = self.find_nonblocking(&self.path(key), OFlags::RDONLY | OFlags::NONBLOCK)?;
        let Some((file, metadata)) = found else { return Ok(Ok(None)) };
        if metadata.len() > limit {
            return Ok(Err(StorageError::TooLarge));
        }
        if metadata.len() > READ_MAX_LEN {
            return Err(WouldWait);
        }
        let len = usize::try_from(metadata.len()).map_err(|_| WouldWait)?;
        // One byte more, in case it has grown since.
        let mut bytes = vec![0; len + 1];
        match preadv2(&file, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT) {
            Ok(read) if read == len => {
                bytes.truncate(len);
                Ok(Ok(Some(bytes.into())))
            }
            Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => {
                self.nonblocking.reads.store(false, Relaxed);
                Err(WouldWait)
            }
            // Only a part is in memory, or nothing, or the length has changed.
            Ok(_) | Err(_) => Err(WouldWait),
        }
    }

    /// The file at `path`, or that a link there leads to, if the way to it is in memory.
    fn find_nonblocking(&self, path: &Path, how: OFlags) -> Result<Option<(File, Metadata)>, WouldWait> {
        if !self.nonblocking.opens.load(Relaxed) {
            return Err(WouldWait);
        }
        let flags = how | OFlags::CLOEXEC;
        let file = match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
            Ok(file) => File::from(file),
            Err(error) if means_none(&error.into()) && ends_in_a_directory(path) => return Ok(None),
            Err(error) => {
                // Filters of calls that know this one no better answer with EPERM.
                if matches!(error, Errno::NOSYS | Errno::INVAL | Errno::PERM) {
                    self.nonblocking.opens.store(false, Relaxed);
                }
                return Err(WouldWait);
            }
        };
        let metadata = file.metadata().map_err(|_| WouldWait)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let is_there = self.names.try_state(path).ok_or(WouldWait)? == NameState::Durable;
        Ok(is_there.then_some((file, metadata)))
    }
}

/// Whether the last part of `path` that exists is a directory, and not a link that may lead nowhere; false if that is
/// not in memory.
fn ends_in_a_directory(path: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for path in path.ancestors() {
        match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
            Ok(file) => return File::from(file).metadata().is_ok_and(|metadata| metadata.is_dir()),
            Err(error) if means_none(&error.into()) => {}
            Err(_) => return false,
        }
    }
    false
}

//! Looks that need not wait for a disk, and so need no thread of their own.
//!
//! The kernel is asked for a file only if the whole way to it is in memory (`RESOLVE_CACHED`), and for its bytes only if they are (`RWF_NOWAIT`).
//! Nothing is remembered here, so nothing can be stale. Where the kernel says no, or a writer is between a rename and its sync, there is no
//! answer, and the usual look gives it.

use std::{fs::File, io::IoSliceMut, os::fd::OwnedFd, path::Path};

use bytes::Bytes;
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::{ReadWriteFlags, preadv2},
};

use super::{
    super::{Key, Object, Stat},
    look::{is_none, stat_of},
    volume::Volume,
};

impl Volume {
    /// As [`Volume::stat`], if that is known at once.
    pub(super) fn stat_at_once(&self, key: &Key) -> Option<Option<Stat>> {
        Some(self.find_at_once(&self.path(key), OFlags::PATH)?.map(|(_, stat)| stat))
    }

    /// As [`Volume::read`] of an object that is small enough, if that is known at once.
    pub(super) fn read_at_once(&self, key: &Key, limit: u64) -> Option<Option<Bytes>> {
        let Some((file, stat)) = self.find_at_once(&self.path(key), OFlags::RDONLY | OFlags::NONBLOCK)? else {
            return Some(None);
        };
        let mut bytes = vec![0; usize::try_from(stat.len).ok().filter(|_| stat.len <= limit)?];
        let read = preadv2(&file, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT).ok()?;
        (read == bytes.len()).then(|| Some(bytes.into()))
    }

    /// As [`Volume::open`], if that is known at once.
    pub(super) fn open_at_once(&self, key: &Key) -> Option<Option<Object>> {
        let found = self.find_at_once(&self.path(key), OFlags::RDONLY | OFlags::NONBLOCK)?;
        Some(found.map(|(file, stat)| Object::of_file(file, stat)))
    }

    fn find_at_once(&self, path: &Path, flags: OFlags) -> Option<Option<(File, Stat)>> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: OwnedFd = match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
            Ok(file) => file,
            Err(error) => return is_none(error).then_some(None),
        };
        let file = File::from(file);
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() {
            return Some(None);
        }
        // Asked after the look, as everywhere.
        self.names.is_settled(path).then(|| Some((file, stat_of(&metadata))))
    }
}

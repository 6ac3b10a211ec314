//! Files in memory.

use std::{fs::File, io, io::Write as _, os::fd::AsRawFd as _};

use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};

/// A file that is on no disk, and is gone with this value.
pub(crate) struct MemoryFile(File);

impl MemoryFile {
    /// Makes a file that its owner alone may read. Programs that this process starts do not get it.
    pub(crate) fn new(name: &str, bytes: &[u8]) -> io::Result<Self> {
        let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
        fchmod(&file, Mode::RUSR | Mode::WUSR)?;
        file.write_all(bytes)?;
        Ok(Self(file))
    }

    /// The path by which this process can open it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }
}

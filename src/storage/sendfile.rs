//! Bytes of a stored file on their way to a socket, without a copy of them in this process.

use std::{
    fs::File,
    future::Future as _,
    io::{self, IoSliceMut},
    ops::Range,
    os::{fd::BorrowedFd, unix::fs::FileExt as _},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::{
    fs::{Advice, fadvise, sendfile},
    io::{Errno, ReadWriteFlags, preadv2, write},
};
use tokio::task::JoinHandle;

/// How many bytes are checked for in the page cache at a time, and read from the disk if they are missing.
const STRETCH: u64 = 2 * 1024 * 1024;
/// The distance between two checked bytes. A check costs about 1 % of sending that many bytes.
const STRIDE: usize = 256 * 1024;
/// How many bytes are copied at a time where the kernel can't send them from the file.
const COPIED: usize = 64 * 1024;
/// How far ahead the kernel is asked to read.
const AHEAD: u64 = 2 * STRETCH;

/// A part of a stored file that the kernel sends (`sendfile(2)`).
///
/// The sending thread must not wait for a disk. So the next bytes are brought into the page cache first, on a blocking
/// thread if necessary.
#[derive(Debug)]
pub struct FileRegion {
    file: Arc<File>,
    /// The bytes that are not sent yet.
    left: Range<u64>,
    /// Where the part ends that is known to be in memory.
    ready: u64,
    reading: Option<JoinHandle<io::Result<u64>>>,
}

impl FileRegion {
    pub(super) fn new(file: Arc<File>, range: Range<u64>) -> Self {
        Self { ready: range.start, file, left: range, reading: None }
    }

    /// How many bytes are still to be sent.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left.end - self.left.start
    }

    /// Waits until the next bytes can be sent without waiting for a disk.
    ///
    /// # Errors
    /// The file can't be read, or has lost bytes since it was opened ([`io::ErrorKind::UnexpectedEof`]).
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ready > self.left.start || self.left.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let stretch = self.left.start..self.left.end.min(self.left.start + STRETCH);
        if self.reading.is_none() {
            self.ready = cached_until(&self.file, &stretch);
            if self.ready > stretch.start {
                return Poll::Ready(Ok(()));
            }
        }
        let file = &self.file;
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            tokio::task::spawn_blocking(move || read(&file, stretch))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        self.ready = read.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        Poll::Ready(Ok(()))
    }

    /// Sends as many of the ready bytes as `socket` takes, at most `most`; returns their number.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if `socket` takes none now; the error of the socket;
    /// [`io::ErrorKind::UnexpectedEof`] if the file has lost bytes.
    pub fn send(&mut self, socket: BorrowedFd<'_>, most: u64) -> io::Result<u64> {
        let wanted = (self.ready - self.left.start).min(most);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut offset = self.left.start;
        let sent = match sendfile(socket, &self.file, Some(&mut offset), wanted) {
            // Not every filesystem has a way from its pages to a socket, and a sandbox may not know the call.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => copy(&self.file, self.left.start, socket, wanted)?,
            sent => sent?,
        };
        if sent == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left.start += sent as u64;
        Ok(sent as u64)
    }
}

/// Sends some bytes from `at` on through this process.
fn copy(file: &File, at: u64, socket: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
    let mut buffer = vec![0; COPIED.min(most)];
    let read = file.read_at(&mut buffer, at)?;
    Ok(write(socket, &buffer[..read])?)
}

/// The end of the part of `stretch` that is in the page cache, as far as samples can tell.
fn cached_until(file: &File, stretch: &Range<u64>) -> u64 {
    // An error is met again where it can be told.
    let is_missing = |at: &u64| !matches!(is_cached(file, *at), Ok(true));
    let mut looks = (stretch.start..stretch.end).step_by(STRIDE).chain([stretch.end - 1]);
    match looks.find(is_missing) {
        Some(at) if at == stretch.end - 1 => stretch.start,
        Some(at) => at,
        None => stretch.end,
    }
}

/// Whether the byte at `at` is in memory.
///
/// # Errors
/// The file can't be read, or its filesystem can't tell.
pub(super) fn is_cached(file: &File, at: u64) -> Result<bool, Errno> {
    match preadv2(file, &mut [IoSliceMut::new(&mut [0])], at, ReadWriteFlags::NOWAIT) {
        Ok(len) => Ok(len == 1),
        Err(Errno::AGAIN | Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads `stretch` into the page cache; returns the end of the read part.
fn read(file: &File, stretch: Range<u64>) -> io::Result<u64> {
    // This is only advice: the bytes are read even if it fails.
    let _ = fadvise(file, stretch.start, AHEAD.try_into().ok(), Advice::WillNeed);
    let mut buffer = vec![0; 64 * 1024];
    let mut at = stretch.start;
    while at < stretch.end {
        let wanted = usize::try_from(stretch.end - at).unwrap_or(buffer.len()).min(buffer.len());
        match file.read_at(&mut buffer[..wanted], at) {
            Ok(0) if at == stretch.start => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(read) => at += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use std::{
        future::poll_fn,
        io::Read as _,
        os::{fd::AsFd as _, unix::net::UnixStream},
        thread,
    };

    use super::*;

    const LEN: u64 = 3 * STRETCH + 12345;

    fn file() -> (tempfile::NamedTempFile, Vec<u8>) {
        let bytes: Vec<u8> = (0..LEN).map(|n| (n / 7 % 253) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        (file, bytes)
    }

    fn make_cold(file: &tempfile::NamedTempFile) {
        file.as_file().sync_all().unwrap();
        fadvise(file.as_file(), 0, None, Advice::DontNeed).unwrap();
    }

    fn delivery(file: &tempfile::NamedTempFile, range: Range<u64>) -> FileRegion {
        FileRegion::new(Arc::new(file.reopen().unwrap()), range)
    }

    /// What comes out at the other end.
    async fn sent(mut delivery: FileRegion) -> io::Result<Vec<u8>> {
        let (socket, mut other) = UnixStream::pair()?;
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            other.read_to_end(&mut bytes).map(|_| bytes)
        });
        while delivery.left() > 0 {
            poll_fn(|cx| delivery.poll_ready(cx)).await?;
            delivery.send(socket.as_fd(), 777_777)?;
        }
        drop(socket);
        reader.join().unwrap()
    }

    #[tokio::test]
    async fn all_bytes_are_sent_be_they_in_memory_or_not() {
        let (file, bytes) = file();
        let ranges = [0..LEN, 1..2, STRETCH - 1..STRETCH + 1, LEN - 1..LEN, 5..LEN - 5, 7..7];
        for range in ranges {
            let expected = &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            assert!(sent(delivery(&file, range.clone())).await.unwrap() == expected, "{range:?}");
            make_cold(&file);
            assert!(sent(delivery(&file, range.clone())).await.unwrap() == expected, "{range:?} from the disk");
        }
    }

    /// A file that is only appended to takes nothing from `sendfile`, as what stands behind some filesystems.
    #[tokio::test]
    async fn what_the_kernel_can_t_send_is_copied() {
        let (file, bytes) = file();
        let target = tempfile::NamedTempFile::new().unwrap();
        let appended = File::options().append(true).open(target.path()).unwrap();
        assert_eq!(sendfile(&appended, &file, None, 1), Err(Errno::INVAL));
        let mut delivery = delivery(&file, 3..LEN);
        while delivery.left() > 0 {
            poll_fn(|cx| delivery.poll_ready(cx)).await.unwrap();
            delivery.send(appended.as_fd(), 777_777).unwrap();
        }
        assert!(std::fs::read(target.path()).unwrap() == bytes[3..]);
    }

    #[tokio::test]
    async fn a_file_that_lost_bytes_ends_with_an_error() {
        for is_cold in [true, false] {
            let (file, _) = file();
            if is_cold {
                make_cold(&file);
            }
            let delivery = delivery(&file, 0..LEN);
            file.as_file().set_len(LEN / 2).unwrap();
            assert_eq!(sent(delivery).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}

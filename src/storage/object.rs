//! An object that is open for reading.

use std::{
    fs::File,
    future::Future as _,
    io::{self, IoSliceMut},
    ops::Range,
    os::unix::fs::FileExt as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    vec,
};

use bytes::Bytes;
use futures_util::{Stream, future::Either};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::task::JoinHandle;

use super::{FileRegion, Stat, s3::RemoteObject, sendfile::is_cached};

/// The most bytes of a piece. The server copies each piece into a buffer that it frees when the buffer grows beyond
/// twice this size.
const PIECE_LEN: u64 = 64 * 1024;

/// An object as it was when it was opened.
#[derive(Clone, Debug)]
pub struct Object {
    stat: Stat,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Local(Local),
    Remote(Arc<RemoteObject>),
}

/// Bytes on this machine.
#[derive(Clone, Debug)]
enum Local {
    File(Arc<File>),
    Memory(Bytes),
}

impl Object {
    pub(super) fn of_file(file: File, stat: Stat) -> Self {
        Self::of_shared_file(Arc::new(file), stat)
    }

    pub(super) fn of_shared_file(file: Arc<File>, stat: Stat) -> Self {
        Self { stat, source: Source::Local(Local::File(file)) }
    }

    pub(super) fn of_memory(bytes: Bytes, stat: Stat) -> Self {
        Self { stat, source: Source::Local(Local::Memory(bytes)) }
    }

    pub(super) fn of_remote(object: RemoteObject) -> Self {
        Self { stat: object.stat(), source: Source::Remote(Arc::new(object)) }
    }

    /// Its metadata.
    #[must_use]
    pub fn stat(&self) -> Stat {
        self.stat
    }

    /// The bytes of `range`, to be sent by the kernel itself. Returns the object if it is not a file, or if its
    /// filesystem cannot say whether a read would wait.
    ///
    /// # Errors
    /// The object: it can be read all the same.
    pub fn into_delivery(self, range: Range<u64>) -> Result<FileRegion, Self> {
        match &self.source {
            Source::Local(Local::File(file)) if is_cached(file, range.start).is_ok() => {
                Ok(FileRegion::new(Arc::clone(file), range))
            }
            _ => Err(self),
        }
    }

    /// The bytes of `range`, in pieces of 64 KiB at most.
    ///
    /// The stream ends with [`io::ErrorKind::UnexpectedEof`] if the object is shorter than it was: it never returns
    /// bytes that were not stored. Bytes in the page cache are read on the polling thread, all others on a blocking
    /// thread.
    pub fn into_stream(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
        self.into_stream_of(vec![range])
    }

    /// The bytes of each of `ranges`, one range after the other, as [`Object::into_stream`] does it. No piece has bytes
    /// of two ranges.
    pub fn into_stream_of(
        self,
        ranges: Vec<Range<u64>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
        match self.source {
            Source::Local(source) => {
                let later = ranges.into_iter();
                Either::Left(Pieces { source, range: 0..0, later, reading: None, is_probing: true })
            }
            Source::Remote(object) => Either::Right(object.pieces(ranges, PIECE_LEN)),
        }
    }
}

#[derive(Debug)]
struct Pieces {
    source: Local,
    /// The rest of the current range.
    range: Range<u64>,
    /// The ranges after it.
    later: vec::IntoIter<Range<u64>>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// Whether the filesystem can say that it would have to wait.
    is_probing: bool,
}

impl Pieces {
    /// The next piece, if it can be had at once.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let end = self.range.end.min(self.range.start.saturating_add(PIECE_LEN));
        let file = match &self.source {
            Local::Memory(bytes) => return Poll::Ready(Ok(slice(bytes, self.range.start..end))),
            Local::File(file) => file,
        };
        if self.reading.is_none() && self.is_probing {
            match read_cached(file, self.range.start..end) {
                Ok(Some(bytes)) => return Poll::Ready(Ok(bytes)),
                Ok(None) => {}
                Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => self.is_probing = false,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        let (file, start) = (file.clone(), self.range.start);
        let reading = self.reading.get_or_insert_with(|| tokio::task::spawn_blocking(move || read(&file, start..end)));
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(read.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while self.range.is_empty() {
            match self.later.next() {
                Some(range) => self.range = range,
                None => return Poll::Ready(None),
            }
        }
        let piece = match ready!(self.poll_piece(cx)) {
            Ok(piece) if piece.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            other => other,
        };
        if let Ok(piece) = &piece {
            self.range.start += piece.len() as u64;
        } else {
            (self.range, self.later) = (0..0, Vec::new().into_iter());
        }
        Poll::Ready(Some(piece))
    }
}

fn slice(bytes: &Bytes, range: Range<u64>) -> Bytes {
    let at = |offset| usize::try_from(offset).map_or(bytes.len(), |offset: usize| offset.min(bytes.len()));
    bytes.slice(at(range.start)..at(range.end))
}

/// The first bytes of `range`, as far as they are in the page cache; `None` if none are.
fn read_cached(file: &File, range: Range<u64>) -> Result<Option<Bytes>, Errno> {
    let mut buffer = buffer(&range);
    loop {
        let read = preadv2(file, &mut [IoSliceMut::new(&mut buffer)], range.start, ReadWriteFlags::NOWAIT);
        return match read {
            Ok(len) => {
                buffer.truncate(len);
                Ok(Some(buffer.into()))
            }
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error),
        };
    }
}

fn read(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let mut buffer = buffer(&range);
    loop {
        match file.read_at(&mut buffer, range.start) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => {
                buffer.truncate(read?);
                return Ok(buffer.into());
            }
        }
    }
}

fn buffer(range: &Range<u64>) -> Vec<u8> {
    vec![0; usize::try_from(range.end - range.start).unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use futures_util::StreamExt as _;

    use super::*;

    const LEN: u64 = 1_000_000;

    /// A file of [`LEN`] bytes that is not in the page cache.
    fn cold() -> (tempfile::NamedTempFile, Vec<u8>) {
        let bytes: Vec<u8> = (0..LEN).map(|n| (n / 5 % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        file.as_file().sync_all().unwrap();
        rustix::fs::fadvise(file.as_file(), 0, None, rustix::fs::Advice::DontNeed).unwrap();
        (file, bytes)
    }

    fn pieces(file: &tempfile::NamedTempFile, is_probing: bool) -> Pieces {
        let source = Local::File(Arc::new(file.reopen().unwrap()));
        Pieces { source, range: 0..LEN, later: Vec::new().into_iter(), reading: None, is_probing }
    }

    #[tokio::test]
    async fn report_p1_ranges_follow_each_other() {
        let ranges = [5..6, 0..LEN, 7..7, 3 * PIECE_LEN - 1..3 * PIECE_LEN + 1, 5..6, LEN - 1..LEN];
        for is_probing in [true, false] {
            let (file, bytes) = cold();
            let pieces =
                Pieces { range: 0..0, later: Vec::from(ranges.clone()).into_iter(), ..pieces(&file, is_probing) };
            let read: Vec<_> = pieces.map(Result::unwrap).collect().await;
            let at = |offset: u64| usize::try_from(offset).unwrap();
            let expected: Vec<_> = ranges.iter().flat_map(|range| &bytes[at(range.start)..at(range.end)]).collect();
            assert!(read.concat().iter().eq(expected));
        }
    }

    #[tokio::test]
    async fn what_is_not_in_memory_is_read_elsewhere() {
        for is_probing in [true, false] {
            let (file, bytes) = cold();
            let read: Vec<_> = pieces(&file, is_probing).map(Result::unwrap).collect().await;
            assert!(read.concat() == bytes);
        }
    }

    #[tokio::test]
    async fn a_file_that_lost_bytes_ends_with_an_error() {
        for is_probing in [true, false] {
            let (file, _) = cold();
            let mut pieces = pieces(&file, is_probing);
            assert!(!pieces.next().await.unwrap().unwrap().is_empty());
            file.as_file().set_len(LEN / 2).unwrap();
            let mut read: Vec<_> = pieces.collect().await;
            assert_eq!(read.pop().unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            assert!(read.iter().all(Result::is_ok));
        }
    }
}

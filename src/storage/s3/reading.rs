//! Objects of a bucket that are open for reading.

use std::{io, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::{
    super::{
        Result, Stat, StorageError,
        stat::{Identity, Version},
    },
    objects::is_absent,
    request::{Bucket, Call, failure},
};
use crate::client::{Method, Response, StatusCode};

/// What is read when an object is opened, in bytes: many objects have no more.
const FIRST_LEN: u64 = 64 * 1024;

/// An object that was too long to be read when it was opened. It is read while it has the same version.
#[derive(Debug)]
pub(in crate::storage) struct RemoteObject {
    bucket: Arc<Bucket>,
    key: String,
    stat: Stat,
}

/// An object that was opened.
pub(super) enum Opened {
    /// All of its bytes.
    Read(Bytes, Stat),
    /// It is longer.
    Remote(RemoteObject),
}

/// Opens an object.
pub(super) async fn open(bucket: &Arc<Bucket>, key: &str) -> Result<Option<Opened>> {
    let call =
        Call::new("open", Method::GET, key).header("range", format!("bytes=0-{}", FIRST_LEN - 1)).limit(FIRST_LEN);
    let answer = bucket.send(call).await?;
    if is_absent(&answer) {
        return Ok(None);
    }
    if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        // It is empty: no range is in it.
        return Ok(bucket.head(key).await?.map(|stat| Opened::Read(Bytes::new(), stat)));
    }
    let answer = answer.success()?;
    let whole = answer.header("content-range").and_then(|range| range.rsplit('/').next()?.parse().ok());
    let read = answer.body.len() as u64;
    let stat = bucket.stat(&answer, whole.unwrap_or(read), key)?;
    if stat.len == read {
        return Ok(Some(Opened::Read(answer.body, stat)));
    }
    Ok(Some(Opened::Remote(RemoteObject { bucket: bucket.clone(), key: key.to_owned(), stat })))
}

impl RemoteObject {
    /// Its metadata.
    pub(in crate::storage) fn stat(&self) -> Stat {
        self.stat
    }

    /// The bytes of each of `ranges`, one range after the other, in pieces of `most` bytes at most.
    pub(in crate::storage) fn pieces(
        self: Arc<Self>,
        ranges: Vec<Range<u64>>,
        most: u64,
    ) -> BoxStream<'static, io::Result<Bytes>> {
        let ranges = ranges.into_iter().filter(|range| !range.is_empty());
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let reader =
            Reader { object: self, ranges: ranges.collect::<Vec<_>>().into_iter(), open: None, piece: Bytes::new() };
        stream::try_unfold(reader, move |mut reader| async move {
            Ok(reader.next(most).await?.map(|piece| (piece, reader)))
        })
        .boxed()
    }

    async fn request(&self, range: &Range<u64>) -> Result<Response> {
        let Version(Identity::S3(etag)) = self.stat.version else { return Err(StorageError::Changed) };
        let call = Call::new("read", Method::GET, &self.key)
            .header("range", format!("bytes={}-{}", range.start, range.end - 1))
            .header("if-match", etag.as_str())
            .streamed();
        let answer = self.bucket.send(call).await?.success()?;
        let expected = format!("bytes {}-{}/{}", range.start, range.end - 1, self.stat.len);
        if answer.header("content-range") != Some(&expected) {
            return Err(failure("read", &self.key, "the answer is not the range that was asked for"));
        }
        Ok(answer.into_response())
    }
}

/// The way through some ranges of an object.
struct Reader {
    object: Arc<RemoteObject>,
    ranges: std::vec::IntoIter<Range<u64>>,
    /// The answer that is being read, and how many bytes of it are missing.
    open: Option<(Response, u64)>,
    /// Bytes that were received and not returned.
    piece: Bytes,
}

impl Reader {
    async fn next(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        loop {
            if !self.piece.is_empty() {
                return Ok(Some(self.piece.split_to(self.piece.len().min(most))));
            }
            match &mut self.open {
                Some((_, 0)) => self.open = None,
                Some((response, left)) => {
                    let piece = response.chunk().await.map_err(io::Error::other)?;
                    let piece = piece.ok_or(io::ErrorKind::UnexpectedEof)?;
                    let rest = left.checked_sub(piece.len() as u64);
                    *left = rest.ok_or_else(|| io::Error::other("the answer is longer than its range"))?;
                    self.piece = piece;
                }
                None => {
                    let Some(range) = self.ranges.next() else { return Ok(None) };
                    if range.end > self.object.stat.len {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    let response = self.object.request(&range).await.map_err(io::Error::other)?;
                    self.open = Some((response, range.end - range.start));
                }
            }
        }
    }
}

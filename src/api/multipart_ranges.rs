//! Several parts of a blob in one answer: `multipart/byteranges` (RFC 9110, section 14.6).

use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
    vec,
};

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    body::{BoxBody, SizedStream},
    http::StatusCode,
};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use uuid::Uuid;

use super::broken_download;
use crate::{http::only_length, registry::Blob};

/// The answer with the bytes of each of `ranges`, of a blob that has `len`; without them if it was not opened.
pub(super) fn answer(
    mut response: HttpResponseBuilder,
    blob: Option<Blob>,
    len: u64,
    ranges: Vec<Range<u64>>,
) -> HttpResponse {
    let text = Text { boundary: Uuid::new_v4(), len };
    let body_len = text.body_len(&ranges);
    response.status(StatusCode::PARTIAL_CONTENT);
    response.content_type(format!("multipart/byteranges; boundary={}", text.boundary.simple()));
    let Some(blob) = blob else { return response.body(only_length(body_len)) };
    let failed = broken_download::report(blob.digest().clone());
    let pieces = blob.into_stream_of(ranges.clone()).inspect_err(failed);
    let parts = Parts { text, ranges: ranges.into_iter(), left: 0, state: State::Begins, pieces };
    response.body(BoxBody::new(SizedStream::new(body_len, Box::pin(parts))))
}

/// The boundary between the parts.
struct Text {
    /// Nobody can know it before, so that no blob can hold it: clients look for it in the bytes (RFC 2046, section
    /// 5.1.1).
    boundary: Uuid,
    /// How many bytes the whole blob has.
    len: u64,
}

impl Text {
    fn before(&self, part: &Range<u64>, is_first: bool) -> String {
        let (line, boundary, len) = (if is_first { "" } else { "\r\n" }, self.boundary.simple(), self.len);
        let (first, last) = (part.start, part.end - 1);
        format!(
            "{line}--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {first}-{last}/{len}\r\n\r\n"
        )
    }

    fn end(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary.simple())
    }

    fn body_len(&self, ranges: &[Range<u64>]) -> u64 {
        let part = |(at, part): (usize, &Range<u64>)| self.before(part, at == 0).len() as u64 + part.end - part.start;
        ranges.iter().enumerate().map(part).sum::<u64>() + self.end().len() as u64
    }
}

/// The whole body, made as it is sent.
struct Parts<S> {
    text: Text,
    /// The parts that have not begun.
    ranges: vec::IntoIter<Range<u64>>,
    /// How many bytes of the present part are to come.
    left: u64,
    state: State,
    /// The bytes of all parts, no piece with bytes of two.
    pieces: S,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begins,
    Goes,
    Ended,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Stream for Parts<S> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.state == State::Ended {
            return Poll::Ready(None);
        }
        if self.left > 0 {
            let piece = ready!(Pin::new(&mut self.pieces).poll_next(cx));
            let piece = piece.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
            match &piece {
                Ok(bytes) => self.left = self.left.saturating_sub(bytes.len() as u64),
                Err(_) => self.state = State::Ended,
            }
            return Poll::Ready(Some(piece));
        }
        let text = if let Some(part) = self.ranges.next() {
            self.left = part.end - part.start;
            let text = self.text.before(&part, self.state == State::Begins);
            self.state = State::Goes;
            text
        } else {
            self.state = State::Ended;
            self.text.end()
        };
        Poll::Ready(Some(Ok(text.into())))
    }
}

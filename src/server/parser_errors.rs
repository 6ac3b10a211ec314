//! A connection that replaces the parser's bare answers by complete ones.
//!
//! actix-http itself answers bytes that it can't parse, and has no hook for that answer. The answer is the last thing
//! that it writes on a connection, so it is found at the end of the written bytes; see [`ParserAnswer`].

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use actix_web::web;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::http::{ContentEnd, ParserAnswer, Service};

/// How long the connection stays open for a client that still sends. Without this wait, the system resets the
/// connection and the client may lose the answer.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The first byte of a TLS record that holds a handshake (RFC 8446, section 5.1). A client that sends one can't read an
/// answer in plain text.
const HANDSHAKE: u8 = 22;

/// A connection.
pub(super) struct ParserErrors<T> {
    io: T,
    service: web::Data<Service>,
    peer: Option<SocketAddr>,
    begun: Instant,
    /// The first byte that came.
    first: Option<u8>,
    ending: ContentEnd,
    refusal: Option<Refusal>,
}

/// An answer on its way, in the place of one of `bare` bytes.
struct Refusal {
    answer: Vec<u8>,
    written: usize,
    bare: usize,
    /// When the client has had its time; not there before all is written.
    end: Option<Pin<Box<Sleep>>>,
    is_shut_down: bool,
}

impl<T> ParserErrors<T> {
    pub(super) fn new(io: T, service: web::Data<Service>, peer: Option<SocketAddr>) -> Self {
        let (begun, ending) = (Instant::now(), ContentEnd::default());
        Self { io, service, peer, begun, first: None, ending, refusal: None }
    }

    pub(super) fn io(&self) -> &T {
        &self.io
    }

    /// Where the ends of answers are noted.
    pub(super) fn ending(&self) -> ContentEnd {
        self.ending.clone()
    }

    /// The parser's own answer at the end of `bytes`.
    fn bare_answer<'a>(&self, bytes: &'a [u8]) -> Option<ParserAnswer<'a>> {
        let is_kept = self.first == Some(HANDSHAKE) || self.ending.may_be_content();
        ParserAnswer::at_end_of(bytes).filter(|_| !is_kept)
    }

    /// The answer that is sent in place of `answer`, which has `bare` bytes.
    fn refusal(&self, answer: ParserAnswer<'_>, bare: usize) -> Refusal {
        let address = self.peer.map(|peer| peer.ip().to_canonical());
        let answer = answer.in_full(&self.service, address, self.begun, self.first.is_some());
        Refusal { answer, written: 0, bare, end: None, is_shut_down: false }
    }
}

impl Refusal {
    /// Writes the answer, ends the connection, and reads what still comes until the client has seen that.
    fn poll<T: AsyncRead + AsyncWrite + Unpin>(&mut self, io: &mut T, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.answer.len() {
            let written = ready!(Pin::new(&mut *io).poll_write(cx, &self.answer[self.written..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        ready!(Pin::new(&mut *io).poll_flush(cx))?;
        let end = self.end.get_or_insert_with(|| Box::pin(tokio::time::sleep(LAST_WORDS)));
        if end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if !self.is_shut_down {
            ready!(Pin::new(&mut *io).poll_shutdown(cx))?;
            self.is_shut_down = true;
        }
        loop {
            let mut room = [0; 1024];
            let mut buffer = ReadBuf::new(&mut room);
            // A client that has gone has had its answer, or never will.
            match ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ParserErrors<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if self.first.is_none() {
            self.first = buffer.filled().get(before).copied();
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ParserErrors<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.refusal.is_none() {
            match self.bare_answer(bytes) {
                None => return Pin::new(&mut self.io).poll_write(cx, bytes),
                // What stands before it goes first.
                Some(bare) if bare.at > 0 => return Pin::new(&mut self.io).poll_write(cx, &bytes[..bare.at]),
                Some(bare) => self.refusal = Some(self.refusal(bare, bytes.len())),
            }
        }
        let Self { io, refusal, .. } = &mut *self;
        let Some(refusal) = refusal else { return Poll::Ready(Ok(0)) };
        ready!(refusal.poll(io, cx))?;
        let bare = refusal.bare;
        self.refusal = None;
        Poll::Ready(Ok(bare))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

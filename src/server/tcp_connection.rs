//! A TCP connection that counts against the limit of its address, and whose large blobs the kernel sends.

use std::{
    io::{self, ErrorKind},
    os::fd::AsFd as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use super::connection_limit::ConnectionPermit;
use crate::{http::SendfileSlot, registry::BlobRegion};

/// How many bytes one connection sends before the other connections of the same thread get to send.
const SENT_AT_ONCE: u64 = 2 * 1024 * 1024;

/// A connection, with the blob that it sends when it is flushed. TLS uses no slot: its bytes must be encrypted here.
#[derive(Debug)]
pub(super) struct TcpConnection {
    io: TcpStream,
    slot: SendfileSlot,
    _permit: ConnectionPermit,
}

impl TcpConnection {
    pub(super) fn new(io: TcpStream, permit: ConnectionPermit) -> Self {
        Self { io, slot: SendfileSlot::default(), _permit: permit }
    }

    /// Where an answer puts the blob that the kernel sends.
    pub(super) fn slot(&self) -> SendfileSlot {
        self.slot.clone()
    }
}

/// Sends as many bytes as the client accepts now, at most `most`.
fn poll_send(io: &TcpStream, delivery: &mut BlobRegion, most: u64, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
    ready!(delivery.poll_ready(cx))?;
    loop {
        ready!(io.poll_write_ready(cx))?;
        match io.try_io(Interest::WRITABLE, || delivery.send(io.as_fd(), most)) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            sent => return Poll::Ready(sent),
        }
    }
}

impl AsyncRead for TcpConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TcpConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// The kernel has the written bytes already, so the blob that follows them can be sent.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, slot, .. } = &mut *self;
        let mut left = SENT_AT_ONCE;
        let has_sent = ready!(slot.poll_send(|delivery| {
            if left == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let sent = ready!(poll_send(io, delivery, left, cx))?;
            left -= sent;
            Poll::Ready(Ok(sent))
        }))?;
        if has_sent {
            // The answer ends when the server polls its body again.
            cx.waker().wake_by_ref();
        }
        Pin::new(io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

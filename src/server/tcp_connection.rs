//! A TCP connection whose large blobs the kernel sends itself.

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

use crate::{http::Outlet, registry::BlobDelivery};

/// How many bytes are sent before the other connections of the same thread have their turn.
const TURN: u64 = 2 * 1024 * 1024;

/// A connection, and what it is to send when it is flushed.
#[derive(Debug)]
pub(super) struct TcpConnection {
    io: TcpStream,
    outlet: Outlet,
}

impl TcpConnection {
    pub(super) fn new(io: TcpStream) -> Self {
        Self { io, outlet: Outlet::default() }
    }

    /// Where answers leave what is to be sent.
    pub(super) fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }
}

/// Sends as much as the client takes now, `most` at most.
fn poll_send(io: &TcpStream, delivery: &mut BlobDelivery, most: u64, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
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

    /// What was written is with the kernel already, so what is to follow it can be sent.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, outlet } = &mut *self;
        let mut turn = TURN;
        let has_sent = ready!(outlet.poll_send(|delivery| {
            if turn == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let sent = ready!(poll_send(io, delivery, turn, cx))?;
            turn -= sent;
            Poll::Ready(Ok(sent))
        }))?;
        if has_sent {
            // The answer ends when its body is asked once more.
            cx.waker().wake_by_ref();
        }
        Pin::new(io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

//! A connection that never waits, with TLS or without.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use rustix::net::{RecvFlags, recv};
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

/// The most that is thrown away at a time.
const PIECE: usize = 1 << 20;

/// A connection.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(mio::net::TcpStream),
    Tls(mio::net::TcpStream, Box<ClientConnection>),
}

impl Wire {
    /// Connects and shakes hands, for which it waits.
    pub(crate) fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let session = match tls {
            None => None,
            Some(config) => {
                let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                let mut session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                while session.is_handshaking() {
                    session.complete_io(&mut stream)?;
                }
                Some(Box::new(session))
            }
        };
        stream.set_nonblocking(true)?;
        let socket = mio::net::TcpStream::from_std(stream);
        Ok(match session {
            None => Self::Plain(socket),
            Some(session) => Self::Tls(socket, session),
        })
    }

    pub(crate) fn socket(&mut self) -> &mut mio::net::TcpStream {
        match self {
            Self::Plain(socket) | Self::Tls(socket, _) => socket,
        }
    }

    /// Whether what is thrown away is at hand nevertheless.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Tls(..))
    }

    /// Sends a request. It is far shorter than a socket's buffer, so that it goes whole or something is wrong.
    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(request),
            Self::Tls(socket, session) => {
                session.writer().write_all(request)?;
                while session.wants_write() {
                    session.write_tls(socket)?;
                }
                Ok(())
            }
        }
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self {
            Self::Plain(socket) => socket.read(buffer)?,
            Self::Tls(socket, session) => loop {
                match session.reader().read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    other => break other?,
                }
                if session.read_tls(socket)? == 0 {
                    break 0;
                }
                session.process_new_packets().map_err(io::Error::other)?;
            },
        };
        if count == 0 { Err(io::Error::other("the server closed the connection")) } else { Ok(count) }
    }

    /// Throws away what is there, at most `limit` bytes: without TLS the kernel does it, and nothing is copied.
    pub(crate) fn discard(&mut self, limit: u64, scratch: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(limit).unwrap_or(PIECE).min(PIECE).min(scratch.len());
        match self {
            Self::Plain(socket) => match recv(&*socket, &mut scratch[..most], RecvFlags::TRUNC)? {
                (_, 0) => Err(io::Error::other("the server closed the connection")),
                (_, count) => Ok(count),
            },
            Self::Tls(..) => self.read(&mut scratch[..most]),
        }
    }
}

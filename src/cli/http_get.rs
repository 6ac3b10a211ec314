//! One GET over HTTP/1.1 and the status of its response, for the health check.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::any_certificate;

/// The timeout of connecting, and of each read and write.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The protocol below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// TCP or a Unix socket alone.
    Plain,
    /// TLS; every certificate is accepted.
    Tls,
}

impl Security {
    /// The scheme of a URL.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "http",
            Self::Tls => "https",
        }
    }
}

/// Gets `path` from `host:port` and returns the status.
///
/// # Errors
///
/// If no address of the host accepts a connection, or the response is not HTTP.
pub(super) fn over_tcp(security: Security, authority: &str, path: &str) -> io::Result<u16> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
                return match security {
                    Security::Plain => get(stream, authority, path),
                    Security::Tls => get(any_certificate::connect(stream, host)?, authority, path),
                };
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Gets `path` over a socket in the file system and returns the status.
///
/// # Errors
///
/// If nothing listens on the socket, or the response is not HTTP.
pub(super) fn over_unix(socket: &Path, path: &str) -> io::Result<u16> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    get(stream, "localhost", path)
}

fn get(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<u16> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: wharf-healthcheck\r\nConnection: close\r\n\r\n"
    )?;
    stream.flush()?;
    // A status line is short: the rest of a longer line is not read.
    let mut line = Vec::new();
    BufReader::new(stream.take(1024)).read_until(b'\n', &mut line)?;
    status(&line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn status(line: &[u8]) -> Option<u16> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok().filter(|status| (100..1000).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_status_lines() {
        let cases: [(&[u8], Option<u16>); 7] = [
            (b"HTTP/1.1 200 OK\r\n", Some(200)),
            (b"HTTP/1.0 503\r\n", Some(503)),
            (b"HTTP/1.1 2000 OK\r\n", None),
            (b"HTTP/2 200\r\n", None),
            (b"SSH-2.0-OpenSSH\r\n", None),
            (b"\x15\x03\x01\x00", None),
            (b"", None),
        ];
        for (line, expected) in cases {
            assert_eq!(status(line), expected, "{line:?}");
        }
    }
}

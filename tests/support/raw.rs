//! Requests written byte for byte: HTTP libraries neither send a path with `..` nor break the framing.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Read, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{answer::Answer, wait::PATIENCE};

/// A connection whose reads and writes have an end.
pub(crate) fn connect(server: impl Into<SocketAddr>) -> TcpStream {
    let stream = TcpStream::connect(server.into()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection of the test's own.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) fn to(server: impl Into<SocketAddr>) -> Self {
        Self(connect(server))
    }

    /// Writes bytes. A server that has refused already may have closed its end, which is no failure.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> &mut Self {
        match self.0.write_all(bytes) {
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                panic!("{error}")
            }
            _ => self,
        }
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&mut self) -> &mut Self {
        drop(self.0.shutdown(Shutdown::Write));
        self
    }

    /// Everything until the server closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        rest(&mut self.0)
    }

    /// The next answer to a request that was not a HEAD. Its length must be told by a `Content-Length`, or be nothing.
    pub(crate) fn answer(&mut self) -> Answer {
        answer(&mut self.0)
    }

    /// Whether the next answer is a 200. A server that refuses a connection may reset it.
    pub(crate) fn is_served(&mut self) -> bool {
        let mut bytes = [0; b"HTTP/1.1 200".len()];
        self.0.read_exact(&mut bytes).is_ok() && &bytes == b"HTTP/1.1 200"
    }

    /// The first bytes that come, enough to know the answer by.
    pub(crate) fn answer_bytes(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; b"HTTP/1.1 400".len()];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The head of the next answer.
    pub(crate) fn head(&mut self) -> Answer {
        head(&mut self.0)
    }
}

/// Everything until the other side closes; a reset is an end too.
pub(crate) fn rest(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if !matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => {
            panic!("{error}, after {bytes:?}")
        }
        _ => bytes,
    }
}

/// The next answer to a request that was not a HEAD. Its length must be told by a `Content-Length`, or be nothing.
pub(crate) fn answer(stream: &mut impl Read) -> Answer {
    let mut answer = head(stream);
    let length = answer.header("content-length").map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    answer.body = body.into();
    answer
}

/// The head of the next answer.
fn head(stream: &mut impl Read) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "closed after {:?}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    let (status, headers) = head_of(&head);
    Answer { status, headers, body: Bytes::new() }
}

/// Sends one request with exactly this target, and reads the answer.
pub(crate) fn send(server: impl Into<SocketAddr>, method: &str, target: &str, fields: &[&str], body: &[u8]) -> Answer {
    let server = server.into();
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
    for field in fields {
        head.push_str(field);
        head.push_str("\r\n");
    }
    if !body.is_empty() {
        write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    head.push_str("\r\n");
    let mut connection = Connection::to(server);
    connection.write(head.as_bytes()).write(body);
    if method == "HEAD" { connection.head() } else { connection.answer() }
}

/// `GET` of exactly this target.
pub(crate) fn get(server: impl Into<SocketAddr>, target: &str) -> Answer {
    send(server, "GET", target, &[], b"")
}

/// Sends bytes that may be no HTTP at all, and reads all that comes.
pub(crate) fn exchange(server: impl Into<SocketAddr>, bytes: &[u8]) -> Vec<u8> {
    Connection::to(server).write(bytes).rest()
}

/// An answer that ends with its connection.
pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes))) + 4;
    let (status, headers) = head_of(&bytes[..end]);
    Answer { status, headers, body: bytes[end..].to_vec().into() }
}

fn head_of(bytes: &[u8]) -> (u16, HeaderMap) {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap();
    let status =
        status.strip_prefix("HTTP/1.1 ").or(status.strip_prefix("HTTP/1.0 ")).unwrap_or_else(|| panic!("{text}"));
    let mut headers = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.trim().as_bytes()).unwrap(),
        );
    }
    (status[..3].parse().unwrap(), headers)
}

//! A client that waits: for pushes, for listings, and to look at what is stored.

use std::{
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use super::{
    blob::{Blob, MANIFEST, digest},
    exchange::Head,
};

/// How much Go's clients, docker's among them, put into one chunk.
const CHUNK: usize = 32 << 10;

/// A server that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    /// What every request carries as `Authorization`.
    pub(crate) authorization: Option<String>,
}

/// What a request carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body<'a> {
    Nothing,
    /// With its length.
    Whole(&'a [u8]),
    /// In chunks.
    Chunks(&'a [u8]),
    /// The same bytes so many times, with their length.
    Repeated(&'a [u8], usize),
}

/// An answer whose body has been read.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: vec![0; 256 << 10], filled: 0, authorization: None })
    }

    /// One request and its answer, which must have this status.
    pub(crate) fn expect(&mut self, status: u16, method: &str, target: &str, body: Body<'_>) -> io::Result<Response> {
        let response = self.exchange(method, target, body)?;
        if response.head.status == status {
            return Ok(response);
        }
        let text = String::from_utf8_lossy(&response.body).into_owned();
        Err(io::Error::other(format!("{method} {target}: {} and not {status}: {text}", response.head.status)))
    }

    pub(crate) fn exchange(&mut self, method: &str, target: &str, body: Body<'_>) -> io::Result<Response> {
        self.send(method, target, body)?;
        let head = self.head()?;
        let mut bytes = Vec::new();
        match head.length {
            _ if method == "HEAD" => {}
            Some(length) => self.take(length, |piece| bytes.extend_from_slice(piece))?,
            None => self.chunks(&mut bytes)?,
        }
        Ok(Response { head, body: bytes })
    }

    /// The length and digest of what a GET gives, which is not kept.
    pub(crate) fn measure(&mut self, target: &str) -> io::Result<(u64, String)> {
        self.send("GET", target, Body::Nothing)?;
        let head = self.head()?;
        let length = head.length.filter(|_| head.status == 200);
        let length = length.ok_or_else(|| io::Error::other(format!("GET {target}: status {}", head.status)))?;
        let mut hash = Sha256::new();
        self.take(length, |piece| hash.update(piece))?;
        Ok((length, digest(hash)))
    }

    /// A GET whose body is not kept.
    pub(crate) fn discard(&mut self, target: &str) -> io::Result<()> {
        self.send("GET", target, Body::Nothing)?;
        let head = self.head()?;
        let length = head.length.filter(|_| head.status == 200);
        let length = length.ok_or_else(|| io::Error::other(format!("GET {target}: status {}", head.status)))?;
        self.take(length, |_| {})
    }

    /// Fails unless a GET gives this blob, every byte of it.
    pub(crate) fn check(&mut self, target: &str, blob: &Blob) -> io::Result<()> {
        let found = self.measure(target)?;
        let right = found == (blob.bytes.len() as u64, blob.digest.clone());
        if right { Ok(()) } else { Err(io::Error::other(format!("GET {target} gave {found:?}, not {}", blob.digest))) }
    }

    /// A blob as most clients push it: POST, then one PUT.
    pub(crate) fn push(&mut self, repository: &str, blob: &Blob) -> io::Result<()> {
        self.push_repeated(repository, &blob.digest, &blob.bytes, 1)
    }

    pub(crate) fn push_repeated(&mut self, repository: &str, name: &str, piece: &[u8], times: usize) -> io::Result<()> {
        let session = self.session(repository)?;
        self.close(&session, name, Body::Repeated(piece, times))
    }

    /// A blob as the docker engine pushes it: POST, a PATCH in chunks, an empty PUT.
    pub(crate) fn push_in_chunks(&mut self, repository: &str, blob: &Blob) -> io::Result<()> {
        let session = self.session(repository)?;
        let patched = self.expect(202, "PATCH", &session, Body::Chunks(&blob.bytes))?;
        let session = location(&patched)?;
        self.close(&session, &blob.digest, Body::Whole(b""))
    }

    pub(crate) fn push_manifest(&mut self, repository: &str, reference: &str, manifest: &Blob) -> io::Result<()> {
        let target = format!("/v2/{repository}/manifests/{reference}");
        self.expect(201, "PUT", &target, Body::Whole(&manifest.bytes))
            .and_then(|response| named(&response, &manifest.digest))
    }

    fn session(&mut self, repository: &str) -> io::Result<String> {
        let target = format!("/v2/{repository}/blobs/uploads/");
        location(&self.expect(202, "POST", &target, Body::Whole(b""))?)
    }

    fn close(&mut self, session: &str, name: &str, body: Body<'_>) -> io::Result<()> {
        let mark = if session.contains('?') { '&' } else { '?' };
        let response = self.expect(201, "PUT", &format!("{session}{mark}digest={name}"), body)?;
        named(&response, name)
    }

    fn send(&mut self, method: &str, target: &str, body: Body<'_>) -> io::Result<()> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nAccept: {MANIFEST}\r\n");
        if let Some(authorization) = &self.authorization {
            let _ = write!(head, "Authorization: {authorization}\r\n");
        }
        let media_type = if target.contains("/manifests/") { MANIFEST } else { "application/octet-stream" };
        let framing = match body {
            Body::Nothing => "\r\n".to_owned(),
            Body::Whole(bytes) => format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n", bytes.len()),
            Body::Repeated(bytes, times) => {
                format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n", bytes.len() * times)
            }
            Body::Chunks(_) => format!("Content-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n"),
        };
        head.push_str(&framing);
        match body {
            // In one piece, so that a small body does not wait for the head to be acknowledged.
            Body::Whole(bytes) => self.stream.write_all(&[head.as_bytes(), bytes].concat()),
            Body::Nothing => self.stream.write_all(head.as_bytes()),
            Body::Repeated(bytes, times) => {
                self.stream.write_all(head.as_bytes())?;
                (0..times).try_for_each(|_| self.stream.write_all(bytes))
            }
            Body::Chunks(bytes) => {
                self.stream.write_all(head.as_bytes())?;
                for chunk in bytes.chunks(CHUNK) {
                    let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
                    self.stream.write_all(&framed)?;
                }
                self.stream.write_all(b"0\r\n\r\n")
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled * 2, 0);
        }
        match self.stream.read(&mut self.buffer[self.filled..])? {
            0 => Err(io::Error::other("the server closed the connection")),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(head) = Head::parse_all(&self.buffer[..self.filled])? {
                self.consume(head.end);
                // An interim answer is none.
                if head.status != 100 {
                    return Ok(head);
                }
            } else {
                self.fill()?;
            }
        }
    }

    fn take(&mut self, length: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut rest = length;
        while rest > 0 {
            if self.filled == 0 {
                self.fill()?;
            }
            let count = usize::try_from(rest).unwrap_or(usize::MAX).min(self.filled);
            each(&self.buffer[..count]);
            self.consume(count);
            rest -= count as u64;
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer[..self.filled].windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.consume(end + 2);
                return Ok(line);
            }
            self.fill()?;
        }
    }

    fn chunks(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let size = u64::from_str_radix(self.line()?.trim(), 16).map_err(io::Error::other)?;
            self.take(size, |piece| bytes.extend_from_slice(piece))?;
            if !self.line()?.is_empty() {
                return Err(io::Error::other("a chunk does not end where it says"));
            }
            if size == 0 {
                return Ok(());
            }
        }
    }
}

/// The path of the `Location`, which may be a URL.
fn location(response: &Response) -> io::Result<String> {
    let location = response.head.location.as_deref().ok_or_else(|| io::Error::other("no Location"))?;
    let path = match location.split_once("://") {
        None => location,
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
    };
    Ok(path.to_owned())
}

fn named(response: &Response, name: &str) -> io::Result<()> {
    match response.head.digest.as_deref() {
        Some(digest) if digest == name => Ok(()),
        other => Err(io::Error::other(format!("{name} was stored as {other:?}"))),
    }
}

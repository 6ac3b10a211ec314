//! One request, and the answer that is right.

use std::{io, sync::Arc};

use super::blob::{Blob, MANIFEST};

/// The most headers of an answer.
const HEADERS: usize = 32;

/// A request as it goes over the wire, and what has to come back.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) answer: Answer,
}

/// What an answer carries.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Nothing, but the length of what a GET would give.
    Head(u64),
    /// These bytes, all of which are compared.
    Small(Arc<Blob>),
    /// These bytes: their number is counted, and some are compared all along.
    Large(Arc<Blob>),
}

impl Exchange {
    pub(crate) fn new(method: &str, target: &str, authorization: Option<&str>, answer: Answer) -> Self {
        let authorization = authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nAccept: {MANIFEST}\r\n{authorization}\r\n");
        Self { request: request.into_bytes(), status: 200, answer }
    }

    pub(crate) fn get(target: &str, blob: &Arc<Blob>) -> Self {
        Self::new("GET", target, None, Answer::Small(Arc::clone(blob)))
    }
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Where its body begins.
    pub(crate) end: usize,
    /// `None` if the body comes in chunks.
    pub(crate) length: Option<u64>,
    pub(crate) location: Option<String>,
    pub(crate) digest: Option<String>,
    /// Where the next page is.
    pub(crate) next: Option<String>,
}

impl Head {
    /// The head at the beginning of `bytes`, if it is there to its end. What is to be checked with every answer is
    /// looked at and nothing else.
    pub(crate) fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        Self::read(bytes, false)
    }

    /// The same with `Location` and `Docker-Content-Digest`.
    pub(crate) fn parse_all(bytes: &[u8]) -> io::Result<Option<Self>> {
        Self::read(bytes, true)
    }

    fn read(bytes: &[u8], all: bool) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(end) = response.parse(bytes).map_err(io::Error::other)? else {
            return Ok(None);
        };
        let status = response.code.unwrap_or_default();
        let mut head = Self { status, end, length: Some(0), location: None, digest: None, next: None };
        for header in response.headers.iter() {
            let value = || String::from_utf8_lossy(header.value).into_owned();
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    head.length = Some(value().parse().map_err(io::Error::other)?);
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => head.length = None,
                8 if all && header.name.eq_ignore_ascii_case("location") => head.location = Some(value()),
                4 if all && header.name.eq_ignore_ascii_case("link") => head.next = next(&value()),
                21 if all && header.name.eq_ignore_ascii_case("docker-content-digest") => head.digest = Some(value()),
                _ => {}
            }
        }
        Ok(Some(head))
    }
}

/// The target of `<…>; rel="next"`, which may be a URL.
fn next(link: &str) -> Option<String> {
    let target = link.strip_prefix('<')?.split_once('>')?.0;
    let path = target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    Some(path.to_owned())
}

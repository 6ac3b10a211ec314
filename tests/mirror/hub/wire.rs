//! Requests and answers, as they are on the wire.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use super::behaviour::Fault;
use crate::support::wait::holds_in_time;

/// A connection.
pub(crate) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// A request that the hub got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// `registry`, `auth` or `content`.
    pub(crate) host: &'static str,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Whether the client has shown a certificate.
    pub(crate) has_certificate: bool,
    /// Names in lower case.
    headers: HashMap<String, String>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Closed until a test opens it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.store(true, SeqCst);
    }

    fn until_open(&self) {
        let _ = holds_in_time(|| self.0.load(SeqCst));
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
    pub(super) fault: Option<Fault>,
    pub(super) gate: Option<(usize, Gate)>,
}

impl Answer {
    pub(super) fn new(status: u16, headers: &str, body: Vec<u8>) -> Self {
        Self { status, headers: headers.to_owned(), body, fault: None, gate: None }
    }

    pub(super) fn error(status: u16, headers: &str) -> Self {
        Self::new(status, &format!("Content-Type: text/plain\r\n{headers}"), b"no".to_vec())
    }

    pub(super) fn send(mut self, stream: &mut dyn Stream, seen: &Seen) -> std::io::Result<()> {
        let head = format!("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n", self.status, self.headers, self.body.len());
        stream.write_all(head.as_bytes())?;
        if seen.method == "HEAD" {
            return Ok(());
        }
        let cut = match self.fault {
            Some(Fault::Break(at) | Fault::Silence(at)) => at.min(self.body.len()),
            Some(Fault::Lie(at)) => {
                if let Some(byte) = self.body.get_mut(at) {
                    *byte ^= 1;
                }
                self.body.len()
            }
            Some(Fault::Status(_)) | None => self.body.len(),
        };
        let (first, gate) = self.gate.map_or((cut, None), |(at, gate)| (at.min(cut), Some(gate)));
        stream.write_all(&self.body[..first])?;
        if let Some(gate) = gate {
            gate.until_open();
        }
        stream.write_all(&self.body[first..cut])?;
        match self.fault {
            Some(Fault::Break(_)) if cut < self.body.len() => Err(std::io::ErrorKind::BrokenPipe.into()),
            Some(Fault::Silence(_)) if cut < self.body.len() => {
                let _ = stream.read(&mut [0]);
                Err(std::io::ErrorKind::TimedOut.into())
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn read_request(host: &'static str, reader: &mut BufReader<Box<dyn Stream>>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
    let mut words = line.split_whitespace();
    let mut seen = Seen { host, method: words.next()?.to_owned(), path: words.next()?.to_owned(), ..Seen::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Some(seen) };
        seen.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

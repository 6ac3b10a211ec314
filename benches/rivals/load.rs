//! Requests as fast as they are answered, over some connections: one thread, so that it takes little from the server
//! beside it.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;

use super::{
    exchange::{Answer, Exchange, Head},
    wire::Wire,
};

/// How much of a large answer is compared each time before the rest of what is there is thrown away.
const COMPARED: usize = 1024;

/// How much of a large answer is taken before the other connections have their turn.
const TURN: u64 = 4 << 20;

/// A server that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked, of whom, for how long.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<&'a Arc<ClientConfig>>,
    pub(crate) connections: usize,
    /// Each connection goes through all of them, again and again.
    pub(crate) exchanges: &'a [Exchange],
}

/// What came back; all of it was right.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answers: u64,
    /// Bytes of large answers, of those too that the end cut off.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// In microseconds.
    pub(crate) latencies: Vec<u32>,
}

impl Tally {
    /// The time in microseconds in which 99 of 100 answers came.
    pub(crate) fn p99(&self) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 99 / 100).map_or(f64::NAN, |latency| f64::from(*latency))
    }
}

impl Load<'_> {
    /// Goes on until `done` says so, which is asked between answers.
    ///
    /// # Errors
    /// Any answer that is not right.
    pub(crate) fn run(&self, mut done: impl FnMut() -> bool) -> io::Result<Tally> {
        let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(self.connections));
        let mut connections = Vec::new();
        for index in 0..self.connections {
            let mut wire = Wire::connect(self.address, self.tls)?;
            poll.registry().register(wire.socket(), Token(index), Interest::READABLE)?;
            let first = index * self.exchanges.len() / self.connections;
            connections.push(Connection::new(wire, self.exchanges, first));
        }
        let (mut tally, mut scratch, began) = (Tally::default(), vec![0; 1 << 20], Instant::now());
        for connection in &mut connections {
            connection.ask()?;
        }
        let mut unfinished: Vec<usize> = Vec::new();
        while !done() {
            let wait = if unfinished.is_empty() { PATIENCE } else { Duration::ZERO };
            match poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            if events.is_empty() && unfinished.is_empty() {
                return Err(io::Error::other(format!("no answer for {} s", PATIENCE.as_secs())));
            }
            let mut turn = std::mem::take(&mut unfinished);
            turn.extend(events.iter().map(|event| event.token().0));
            turn.sort_unstable();
            turn.dedup();
            for index in turn {
                if connections[index].drive(&mut tally, &mut scratch)? {
                    unfinished.push(index);
                }
            }
        }
        tally.elapsed = began.elapsed();
        Ok(tally)
    }

    /// Goes on for so long.
    pub(crate) fn run_for(&self, seconds: f64) -> io::Result<Tally> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        self.run(|| Instant::now() >= end)
    }
}

struct Connection<'a> {
    wire: Wire,
    exchanges: &'a [Exchange],
    current: usize,
    asked: Instant,
    buffer: Vec<u8>,
    filled: usize,
    /// Of a large answer: how much has come.
    large: Option<u64>,
}

impl<'a> Connection<'a> {
    fn new(wire: Wire, exchanges: &'a [Exchange], current: usize) -> Self {
        Self { wire, exchanges, current, asked: Instant::now(), buffer: vec![0; 64 << 10], filled: 0, large: None }
    }

    fn ask(&mut self) -> io::Result<()> {
        self.asked = Instant::now();
        self.wire.send(&self.exchanges[self.current].request)
    }

    /// Takes what is there. Whether there may be more.
    fn drive(&mut self, tally: &mut Tally, scratch: &mut [u8]) -> io::Result<bool> {
        let step = if self.large.is_some() { self.body(tally, scratch) } else { self.head(tally) };
        match step {
            Ok(more) => Ok(more),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads a head, and all of a small answer.
    fn head(&mut self, tally: &mut Tally) -> io::Result<bool> {
        // Not past the head of a large answer: what follows it goes another way.
        let most = match self.exchanges[self.current].answer {
            Answer::Large(_) => self.buffer.len().min(self.filled + COMPARED),
            _ => self.buffer.len(),
        };
        self.filled += self.wire.read(&mut self.buffer[self.filled..most])?;
        let Some(head) = Head::parse(&self.buffer[..self.filled])? else { return Ok(true) };
        let exchange = &self.exchanges[self.current];
        let came = &self.buffer[head.end..self.filled];
        let length = match &exchange.answer {
            Answer::Head(length) => *length,
            Answer::Small(blob) | Answer::Large(blob) => blob.bytes.len() as u64,
        };
        if head.status != exchange.status || head.length != Some(length) {
            return Err(self.wrong(&format!("status {}, length {:?}", head.status, head.length)));
        }
        match &exchange.answer {
            Answer::Head(_) if came.is_empty() => self.answered(tally),
            Answer::Small(blob) if came.len() == blob.bytes.len() => {
                if came != blob.bytes {
                    return Err(self.wrong("other bytes"));
                }
                self.answered(tally)
            }
            Answer::Small(blob) if came.len() < blob.bytes.len() => Ok(true),
            Answer::Large(blob) if blob.bytes.starts_with(came) => {
                tally.bytes += came.len() as u64;
                self.large = Some(came.len() as u64);
                Ok(true)
            }
            _ => Err(self.wrong("bytes that do not belong there")),
        }
    }

    fn body(&mut self, tally: &mut Tally, scratch: &mut [u8]) -> io::Result<bool> {
        let Answer::Large(blob) = &self.exchanges[self.current].answer else { return Ok(true) };
        let (blob, total) = (Arc::clone(blob), blob.bytes.len() as u64);
        let mut turn = 0;
        while turn < TURN {
            let at = self.large.unwrap_or_default();
            if at == total {
                self.large = None;
                return self.answered(tally);
            }
            let offset = usize::try_from(at).map_err(io::Error::other)?;
            let expected = &blob.bytes[offset..(offset + COMPARED).min(blob.bytes.len())];
            let mut came = self.wire.read(&mut scratch[..expected.len()])?;
            self.large = Some(at + came as u64);
            tally.bytes += came as u64;
            if scratch[..came] != expected[..came] {
                return Err(self.wrong(&format!("other bytes after {at}")));
            }
            let rest = total - at - came as u64;
            if rest > 0 {
                let discarded = self.wire.discard(rest, scratch)?;
                if self.wire.is_read() && !blob.bytes[offset + came..].starts_with(&scratch[..discarded]) {
                    return Err(self.wrong(&format!("other bytes after {at}")));
                }
                self.large = Some(at + (came + discarded) as u64);
                tally.bytes += discarded as u64;
                came += discarded;
            }
            turn += came as u64;
        }
        Ok(true)
    }

    /// One answer is there; the next request goes out. The socket is empty until its answer comes.
    fn answered(&mut self, tally: &mut Tally) -> io::Result<bool> {
        tally.answers += 1;
        tally.latencies.push(u32::try_from(self.asked.elapsed().as_micros()).unwrap_or(u32::MAX));
        self.current = (self.current + 1) % self.exchanges.len();
        self.filled = 0;
        self.ask()?;
        Ok(false)
    }

    fn wrong(&self, what: &str) -> io::Error {
        let request = String::from_utf8_lossy(&self.exchanges[self.current].request).into_owned();
        let answer = String::from_utf8_lossy(&self.buffer[..self.filled.min(600)]).into_owned();
        io::Error::other(format!("a wrong answer, {what}, to\n{request}\n{answer}"))
    }
}

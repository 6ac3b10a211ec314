//! Answers that no registry should give, written byte by byte.

use super::wire::{Seen, Stream};
use crate::support::{
    image::{gzip, sha256},
    wait::pass,
};

/// The answer to all requests, in the place of the right one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw {
    /// The head. `{len}`, `{digest}` and `{type}` are those of the right content, and `{path}` is what was asked for.
    pub(crate) head: &'static str,
    pub(crate) body: Body,
    /// What it answers.
    pub(crate) to: To,
}

/// Which requests an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// All to the registry.
    All,
    /// Those with `GET`.
    Get,
    /// Those with `Range`.
    Range,
    /// Those to the host that issues tokens.
    Issuer,
}

/// What follows the head. The connection ends then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Text(&'static str),
    /// The right bytes.
    Right,
    /// The right bytes, but for a digit of the first digest in it, or for a byte.
    Changed,
    Gzip,
    /// Half of the right bytes, in chunks, and no last chunk.
    HalfInChunks,
    /// Half of the right bytes, and nothing more, for as long as the client waits.
    HalfAndSilence,
    /// A byte a second.
    Drip,
    /// A space a second, for as long as the client takes them.
    SpacesOfASecond,
    /// Bytes for as long as the client takes them, each piece a chunk.
    Endless,
    /// Nothing for as long as the client waits.
    Silence,
}

impl Raw {
    /// An answer to all requests.
    pub(crate) fn new(head: &'static str, body: Body) -> Self {
        Self { head, body, to: To::All }
    }

    pub(super) fn is_for(&self, seen: &Seen) -> bool {
        match self.to {
            To::All => seen.host == "registry",
            To::Get => seen.host == "registry" && seen.method == "GET",
            To::Range => seen.host == "registry" && seen.header("range").is_some(),
            To::Issuer => seen.host == "auth",
        }
    }

    /// `right` is the right content with its type; nothing if there is none.
    pub(super) fn send(&self, stream: &mut dyn Stream, seen: &Seen, right: (&str, &[u8])) -> std::io::Result<()> {
        let (media_type, right) = right;
        let head = self.head.replace("{len}", &right.len().to_string()).replace("{digest}", &sha256(right));
        let head = head.replace("{type}", media_type).replace("{path}", &seen.path);
        stream.write_all(head.as_bytes())?;
        if seen.method == "HEAD" && self.body != Body::Silence {
            return Ok(());
        }
        match self.body {
            Body::Text(text) => stream.write_all(text.as_bytes()),
            Body::Right => stream.write_all(right),
            Body::Changed => stream.write_all(&changed(right)),
            Body::Gzip => stream.write_all(&gzip(right)),
            Body::HalfInChunks => write_chunk(stream, &right[..right.len() / 2]),
            Body::HalfAndSilence => {
                stream.write_all(&right[..right.len() / 2])?;
                wait_for_end(stream)
            }
            Body::Drip => right.chunks(1).try_for_each(|byte| {
                pass(std::time::Duration::from_secs(1), "how slowly the upstream sends");
                stream.write_all(byte)
            }),
            Body::SpacesOfASecond => loop {
                pass(std::time::Duration::from_secs(1), "how slowly the upstream sends");
                stream.write_all(b" ")?;
            },
            Body::Endless => loop {
                write_chunk(stream, &[b' '; 16 * 1024])?;
            },
            Body::Silence => wait_for_end(stream),
        }
    }
}

fn changed(right: &[u8]) -> Vec<u8> {
    let mut bytes = right.to_vec();
    let prefix = b"sha256:";
    let at = bytes.windows(prefix.len()).position(|window| window == prefix).map_or(0, |at| at + prefix.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte = if *byte == b'0' { b'1' } else { b'0' };
    }
    bytes
}

fn write_chunk(stream: &mut dyn Stream, bytes: &[u8]) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n", bytes.len())?;
    stream.write_all(bytes)?;
    stream.write_all(b"\r\n")
}

fn wait_for_end(stream: &mut dyn Stream) -> std::io::Result<()> {
    stream.read(&mut [0]).map(|_| ())
}

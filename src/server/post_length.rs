//! A connection that adds the length 0 to a POST of HTTP/1.0 without a length.
//!
//! A request without a length has no body (RFC 9112, section 6.3). nginx sends such a request for a POST without a
//! body, and actix-http refuses it. The length is added to the first request of a connection. All other bytes pass
//! unchanged.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest head that is held. The parser takes no longer one.
const LONGEST: usize = 128 * 1024;
/// How much is read at a time.
const PIECE: usize = 8 * 1024;
const METHOD: &[u8] = b"POST ";
const LENGTH: &[u8] = b"Content-Length: 0\r\n";

/// A connection.
pub(super) struct PostLength<T> {
    io: T,
    /// Bytes that were read and are not passed on yet.
    held: Vec<u8>,
    /// How much of that may be given on.
    ready: usize,
    /// Whether the first line of what is held is that of such a request, and the end of its head is waited for.
    is_wanted: bool,
    /// Whether the rest of the connection goes by untouched.
    is_through: bool,
}

impl<T> PostLength<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, held: Vec::new(), ready: 0, is_wanted: false, is_through: false }
    }

    pub(super) fn io(&self) -> &T {
        &self.io
    }

    /// Decides how many of the held bytes can be passed on. The first `before` bytes were examined by earlier calls,
    /// and are not examined again.
    fn look(&mut self, before: usize) {
        let added = &self.held[before.saturating_sub(3)..];
        let end = if self.is_wanted { end_of_head(added) } else { end_of_line(added) };
        let is_more_of_it = before >= METHOD.len() && end.is_none();
        if is_more_of_it && self.held.len() <= LONGEST {
            return;
        }
        match look(&self.held) {
            Seen::Part if self.held.len() <= LONGEST => self.is_wanted = end_of_line(&self.held).is_some(),
            Seen::WithoutLength { line, head } => {
                self.is_wanted = false;
                self.held.splice(line..line, LENGTH.iter().copied());
                self.ready = head + LENGTH.len();
            }
            Seen::Part | Seen::Other => self.let_through(),
        }
    }

    fn let_through(&mut self) {
        (self.ready, self.is_through) = (self.held.len(), true);
    }

    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let most = self.ready.min(buffer.remaining());
        buffer.put_slice(&self.held[..most]);
        self.held.drain(..most);
        self.ready -= most;
        if self.is_through && self.held.is_empty() {
            self.held = Vec::new();
        }
    }
}

/// What some bytes at the beginning of a request are.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Perhaps the beginning of such a request.
    Part,
    /// One, with the length of its first line and that of its head.
    WithoutLength { line: usize, head: usize },
    /// Something else.
    Other,
}

fn look(bytes: &[u8]) -> Seen {
    let most = bytes.len().min(METHOD.len());
    if bytes[..most] != METHOD[..most] {
        return Seen::Other;
    }
    let Some(line) = end_of_line(bytes) else { return Seen::Part };
    if !bytes[..line].trim_ascii_end().ends_with(b" HTTP/1.0") {
        return Seen::Other;
    }
    let Some(head) = end_of_head(bytes) else { return Seen::Part };
    let fields = bytes[line..head].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    if fields.filter(|field| !field.is_empty()).all(is_of_no_length) {
        Seen::WithoutLength { line, head }
    } else {
        Seen::Other
    }
}

/// Whether a line is a field, and not one that gives a length. The parser refuses lines that are no fields.
fn is_of_no_length(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_field = name.len() < line.len() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_field && ![&b"content-length"[..], b"transfer-encoding"].iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// A line may end in a line feed alone (RFC 9112, section 2.2).
fn end_of_line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let is_end = |at: usize| {
        let rest = &bytes[at + 1..];
        if rest.starts_with(b"\n") { Some(at + 2) } else { rest.starts_with(b"\r\n").then_some(at + 3) }
    };
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').find_map(|(at, _)| is_end(at))
}

impl<T: AsyncRead + Unpin> AsyncRead for PostLength<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.ready == 0 {
            if this.is_through {
                return Pin::new(&mut this.io).poll_read(cx, buffer);
            }
            let mut piece = [0; PIECE];
            let mut read = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                this.let_through();
                if this.ready == 0 {
                    return Poll::Ready(Ok(()));
                }
            } else {
                let before = this.held.len();
                this.held.extend_from_slice(read.filled());
                this.look(before);
            }
        }
        this.give(buffer);
        // The bytes that are left begin another request.
        if this.ready == 0 && !this.held.is_empty() {
            this.look(0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for PostLength<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What comes out when these bytes come in, so many at a time.
    async fn through(bytes: &[u8], at_a_time: usize) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(at_a_time);
        let bytes = bytes.to_vec();
        let sent = tokio::spawn(async move { client.write_all(&bytes).await.unwrap() });
        let mut out = Vec::new();
        PostLength::new(server).read_to_end(&mut out).await.unwrap();
        sent.await.unwrap();
        out
    }

    /// What is a whole request goes on at once, however its lines end.
    #[tokio::test]
    async fn report_a5_nothing_whole_is_waited_for() {
        for version in ["1.0", "1.1"] {
            for (first, other) in [("\r\n", "\r\n"), ("\n", "\n"), ("\r\n", "\n"), ("\n", "\r\n")] {
                let (mut client, server) = tokio::io::duplex(1000);
                let sent = format!("POST / HTTP/{version}{first}Host: x{other}X: y{other}{other}");
                client.write_all(sent.as_bytes()).await.unwrap();
                let (mut out, mut server) = (Vec::new(), PostLength::new(server));
                let whole = async {
                    while !out.ends_with(format!("X: y{other}{other}").as_bytes()) {
                        assert_ne!(server.read_buf(&mut out).await.unwrap(), 0);
                    }
                };
                assert!(tokio::time::timeout(Duration::from_secs(10), whole).await.is_ok(), "{sent:?}");
            }
        }
    }

    #[tokio::test]
    async fn report_a5_a_post_of_http_1_0_without_a_length_gets_one() {
        const POST: &str = "POST /v2/a/blobs/uploads/ HTTP/1.0\r\n";
        const LONG: &str = "Content-Length: 0\r\n";
        let rows = [
            (format!("{POST}\r\n"), format!("{POST}{LONG}\r\n")),
            (format!("{POST}Host: x\r\nX: y\r\n\r\n"), format!("{POST}{LONG}Host: x\r\nX: y\r\n\r\n")),
            (format!("{POST}\r\n{POST}\r\n"), format!("{POST}{LONG}\r\n{POST}{LONG}\r\n")),
            ("POST / HTTP/1.0\nX: y\n\n".to_owned(), format!("POST / HTTP/1.0\n{LONG}X: y\n\n")),
            (format!("{POST}\r\nGET / HTTP/1.0\r\n\r\n"), format!("{POST}{LONG}\r\nGET / HTTP/1.0\r\n\r\n")),
        ];
        for at_a_time in [1, 7, 100_000] {
            for (sent, expected) in &rows {
                let got = through(sent.as_bytes(), at_a_time).await;
                assert_eq!(String::from_utf8(got).unwrap(), *expected, "{at_a_time}");
            }
            for untouched in [
                String::new(),
                "PO".to_owned(),
                "POST /".to_owned(),
                POST.to_owned(),
                "POST / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
                "GET / HTTP/1.0\r\n\r\nPOST / HTTP/1.0\r\n\r\n".to_owned(),
                format!("{POST}content-length: 3\r\n\r\nabc"),
                format!("{POST}CONTENT-LENGTH:0\r\n\r\n"),
                format!("{POST}Content-Length : 3\r\n\r\nabc"),
                format!("{POST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                format!("{POST}X: y\r\n Content-Length: 3\r\n\r\nabc"),
                format!("{POST}no field\r\n\r\n"),
                "\x16\x03\x01\0\0".to_owned(),
                format!("POST {} HTTP/1.0\r\n", "x".repeat(300_000)),
            ] {
                assert_eq!(through(untouched.as_bytes(), at_a_time).await, untouched.as_bytes(), "{untouched:.60}");
            }
        }
    }
}

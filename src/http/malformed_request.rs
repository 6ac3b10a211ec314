//! The answers to bytes that are no request.
//!
//! The server's parser refuses these itself, with a bare status, and asks nobody. Its answer is recognised by the
//! connection, which puts what is made here in its place: a body and fields as all answers have them, and a line in the
//! log.

use std::{cell::Cell, net::IpAddr, rc::Rc, time::Instant};

use actix_web::{HttpRequest, HttpResponse, body::MessageBody as _};

use super::{
    ErrorAnswer, HttpError, Service, headers,
    observed_body::{BodyObserver, observe},
    request_record::RequestRecord,
};

/// How the content ends that was put on a connection last. All clones are one.
///
/// Content may end as an answer of the parser's does: somebody may have pushed just that. What does so is never taken
/// for one.
#[derive(Clone, Debug, Default)]
pub struct ContentEnd(Rc<Cell<bool>>);

impl ContentEnd {
    /// Whether the end of what is written may be content, though it looks like the head of an answer.
    #[must_use]
    pub fn may_be_content(&self) -> bool {
        self.0.get()
    }

    fn note(&self, content: &[u8]) {
        let is_short = content.len() < 4 && content.ends_with(b"\n");
        self.0.set(is_short || content.ends_with(b"\r\n\r\n"));
    }
}

/// Keeps account of how the content of an answer ends.
pub(super) fn note_ending(request: &HttpRequest, response: HttpResponse) -> HttpResponse {
    let Some(ending) = request.conn_data::<ContentEnd>().cloned() else { return response };
    observe(response, ending)
}

impl BodyObserver for ContentEnd {
    fn piece(&mut self, content: &[u8]) {
        self.note(content);
    }
}

/// An answer that the parser made by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParserAnswer<'a> {
    /// Where it begins in what is written.
    pub at: usize,
    status: u16,
    date: &'a str,
}

/// The longest that such an answer is.
const LONGEST: usize = 200;

impl<'a> ParserAnswer<'a> {
    /// The one at the end of what is about to be written, if there is one: a head of a 4xx or 5xx that has nothing but
    /// what every head has.
    #[must_use]
    pub fn at_end_of(written: &'a [u8]) -> Option<Self> {
        if !written.ends_with(b"\r\n\r\n") {
            return None;
        }
        let from = written.len().saturating_sub(LONGEST);
        let at = from + written[from..].windows(7).rposition(|window| window == b"HTTP/1.")?;
        let head = std::str::from_utf8(&written[at..]).ok()?;
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let mut words = lines.next()?.split(' ').skip(1);
        let status = words.next().filter(|text| text.len() == 3)?.parse().ok().filter(|status| *status >= 400)?;
        let (mut is_empty, mut date) = (false, None);
        for line in lines {
            match line {
                "content-length: 0" => is_empty = true,
                "connection: close" | "connection: keep-alive" => {}
                _ => date = Some(line.strip_prefix("date: ")?),
            }
        }
        date.filter(|_| is_empty).map(|date| Self { at, status, date })
    }

    /// What is sent in its place. `is_request` says whether the client has sent anything: only then there is something
    /// for the log.
    #[must_use]
    pub fn in_full(self, service: &Service, address: Option<IpAddr>, begun: Instant, is_request: bool) -> Vec<u8> {
        let error = match self.status {
            408 => HttpError::HeadTimeout,
            431 => HttpError::HeadTooLarge { limit: service.settings.head.bytes },
            400..500 => HttpError::Malformed,
            _ => HttpError::Internal,
        };
        let mut response = ErrorAnswer::from(error).to_response();
        let own = service.routers.iter().map(|router| router.headers_without_path()).find(|own| !own.is_empty());
        headers::complete(service, [&headers::DATA, own.unwrap_or_default()], &mut response);
        if is_request {
            response = RequestRecord::of_no_request(service, address, begun).end_of(response);
        }
        self.bytes(response)
    }

    fn bytes(self, response: HttpResponse) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
        for (name, value) in response.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        let rest = format!("content-length: {}\r\nconnection: close\r\ndate: {}\r\n\r\n", body.len(), self.date);
        bytes.extend_from_slice(rest.as_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: Thu, 26 Nov 2026 11:11:39 GMT\r\n\r\n";

    #[test]
    fn report_a5_only_the_parsers_own_answers_are_recognised() {
        let found = |text: &str| ParserAnswer::at_end_of(text.as_bytes()).map(|answer| (answer.at, answer.status));
        assert_eq!(found(BARE), Some((0, 400)));
        assert_eq!(found(&format!("{{}}{BARE}")), Some((2, 400)));
        assert_eq!(found(&format!("{BARE}{BARE}")), Some((BARE.len(), 400)));
        assert_eq!(found(&BARE.replace("connection: close\r\n", "")), Some((0, 400)));
        assert_eq!(found(&BARE.replace("1.1 400 Bad Request", "1.0 408 Request Timeout")), Some((0, 408)));
        for other in [
            String::new(),
            "\r\n\r\n".to_owned(),
            format!("{BARE}x"),
            BARE.replace("400 Bad Request", "200 OK"),
            BARE.replace("length: 0", "length: 10"),
            BARE.replace("content-length: 0\r\n", ""),
            BARE.replace("date:", "content-type: text/plain\r\ndate:"),
            BARE.replace("date: ", "x-date: "),
            BARE.replace("date:", &format!("x: {}\r\ndate:", "y".repeat(300))),
        ] {
            assert_eq!(found(&other), None, "{other:?}");
        }
    }

    #[test]
    fn report_a5_content_that_looks_like_an_answer_is_content() {
        let ending = ContentEnd::default();
        for (content, may_be) in [
            ("", false),
            ("{}", false),
            ("{}\n", true),
            ("{ }\n", false),
            (BARE, true),
            ("\n", true),
            ("\r\n\r\n", true),
            ("abcd", false),
        ] {
            ending.note(content.as_bytes());
            assert_eq!(ending.may_be_content(), may_be, "{content:?}");
        }
    }
}

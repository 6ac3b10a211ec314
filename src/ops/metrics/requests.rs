//! Requests to the distribution API, as registry:2 counts them.

use actix_web::http::Method;

use super::{
    count::{Count, Counts},
    histogram::{Histogram, LATENCIES, SIZES, nanoseconds},
    text::{Kind, Text},
};
use crate::http::{Limit, RequestRecord, Route};

/// The start of the routes of all pages.
const PAGES: &str = "/ui/";

/// registry:2's names of the routes, and ours beside them. Those of pulls are found first. The last is for all paths that
/// none has.
const HANDLERS: [(&str, &str); 13] = [
    ("/v2/<name>/manifests/<reference>", "manifest"),
    ("/v2/<name>/blobs/<digest>", "blob"),
    ("/v2/", "base"),
    ("/v2/<name>/blobs/uploads/", "blob_upload"),
    ("/v2/<name>/blobs/uploads/<session>", "blob_upload_chunk"),
    ("/v2/_catalog", "catalog"),
    ("/v2/<name>/tags/list", "tags"),
    ("/v2/<name>/referrers/<digest>", "referrers"),
    ("/token", "token"),
    ("/healthz", "health"),
    ("/", "root"),
    (PAGES, "page"),
    ("", "other"),
];

/// The last is for all methods that are not named.
const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "other"];

/// The statuses of answers. The last is for all that are not named.
const CODES: [(u16, &str); 33] = [
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (206, "206"),
    (301, "301"),
    (302, "302"),
    (303, "303"),
    (304, "304"),
    (307, "307"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (406, "406"),
    (408, "408"),
    (409, "409"),
    (411, "411"),
    (412, "412"),
    (413, "413"),
    (414, "414"),
    (415, "415"),
    (416, "416"),
    (417, "417"),
    (429, "429"),
    (431, "431"),
    (499, "499"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
    (507, "507"),
];

/// The limits of which a status says that a request met them.
const LIMITS: [(u16, &str); 5] = [(408, "time"), (413, "size"), (414, "target"), (431, "head"), (507, "room")];

/// The limits behind 429.
const LIMITS_OF_429: [(Limit, &str); 4] = [
    (Limit::Passwords, "passwords"),
    (Limit::Uploads, "uploads"),
    (Limit::Sessions, "sessions"),
    (Limit::Upstream, "upstream"),
];

/// The counters of all requests.
#[derive(Debug)]
pub(super) struct Requests {
    handlers: [Handler; HANDLERS.len()],
    limited: [Count; LIMITS_OF_429.len()],
}

#[derive(Debug, Default)]
struct Handler {
    begun: Count,
    ended: Count,
    by_method: [ByMethod; METHODS.len()],
    received: Histogram,
    sent: Histogram,
}

#[derive(Debug)]
struct ByMethod {
    seconds: Histogram,
    by_code: [Count; CODES.len() + 1],
}

impl Default for ByMethod {
    fn default() -> Self {
        Self { seconds: Histogram::default(), by_code: std::array::from_fn(|_| Count::default()) }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            handlers: std::array::from_fn(|_| Handler::default()),
            limited: std::array::from_fn(|_| Count::default()),
        }
    }
}

impl Requests {
    /// A request has been given to a route.
    pub(super) fn begun(&self, route: Route) {
        self.handler(route.template).begun.add(1);
    }

    /// A request has been answered.
    pub(super) fn ended(&self, record: &RequestRecord) {
        let handler = self.handler(record.route);
        if record.has_route() {
            handler.ended.add(1);
            handler.received.observe(&SIZES, record.size);
        }
        let method = &handler.by_method[method(record.method.as_ref())];
        method.by_code[code(record.status.as_u16())].add(1);
        method.seconds.observe(&LATENCIES, nanoseconds(record.elapsed()));
        handler.sent.observe(&SIZES, record.bytes);
        if let Some(met) = record.limit
            && let Some(at) = LIMITS_OF_429.iter().position(|(limit, _)| *limit == met)
        {
            self.limited[at].add(1);
        }
    }

    fn handler(&self, template: &str) -> &Handler {
        let template = if template.starts_with(PAGES) { PAGES } else { template };
        let at = HANDLERS.iter().position(|(route, _)| *route == template);
        &self.handlers[at.unwrap_or(HANDLERS.len() - 1)]
    }

    fn handlers(&self) -> impl Iterator<Item = (&'static str, &Handler)> {
        HANDLERS.iter().map(|(_, name)| *name).zip(&self.handlers)
    }

    /// The counters of each method of each handler, with their names.
    fn methods(&self) -> impl Iterator<Item = (&'static str, &'static str, &ByMethod)> {
        self.handlers().flat_map(|(handler, counted)| {
            METHODS.into_iter().zip(&counted.by_method).map(move |(method, counted)| (handler, method, counted))
        })
    }

    /// Writes the families of registry:2, and the requests that met a limit.
    pub(super) fn write(&self, text: &mut Text) {
        let name = "registry_http_in_flight_requests";
        text.family(name, Kind::Gauge, "The in-flight HTTP requests");
        for (handler, counted) in self.handlers() {
            // A request may begin and end while the threads are added up.
            let in_flight = counted.begun.get().wrapping_sub(counted.ended.get()).cast_signed().max(0);
            text.series(name, &[("handler", handler)], in_flight);
        }
        let name = "registry_http_request_duration_seconds";
        text.histograms(name, "The HTTP request latencies in seconds.");
        for (handler, method, counted) in self.methods() {
            text.histogram(name, &[("handler", handler), ("method", method)], &LATENCIES, &counted.seconds);
        }
        let name = "registry_http_request_size_bytes";
        text.histograms(name, "The HTTP request sizes in bytes.");
        for (handler, counted) in self.handlers() {
            text.histogram(name, &[("handler", handler)], &SIZES, &counted.received);
        }
        let name = "registry_http_response_size_bytes";
        text.histograms(name, "The HTTP response sizes in bytes.");
        for (handler, counted) in self.handlers() {
            text.histogram(name, &[("handler", handler)], &SIZES, &counted.sent);
        }
        self.write_codes(text);
    }

    fn write_codes(&self, text: &mut Text) {
        let name = "registry_http_requests_total";
        text.family(name, Kind::Counter, "Total number of HTTP requests made.");
        let codes = || CODES.iter().map(|(_, code)| *code).chain(["other"]);
        for (handler, method, counted) in self.methods() {
            for (code, count) in codes().zip(&counted.by_code) {
                let count = count.get();
                if count > 0 {
                    text.series(name, &[("code", code), ("handler", handler), ("method", method)], count);
                }
            }
        }
        let name = "wharf_http_refusals_total";
        text.family(name, Kind::Counter, "Requests that met a limit, by limit.");
        for (code, limit) in LIMITS {
            let at = self::code(code);
            let count: u64 = self.methods().map(|(_, _, counted)| counted.by_code[at].get()).sum();
            text.series(name, &[("limit", limit)], count);
        }
        for ((_, limit), count) in LIMITS_OF_429.iter().zip(&self.limited) {
            text.series(name, &[("limit", limit)], count.get());
        }
        let is_upload = |handler: &str| handler.starts_with("blob_upload");
        let gone = code(499);
        let uploads = self.methods().filter(|(handler, ..)| is_upload(handler));
        let count: u64 = uploads.map(|(_, _, counted)| counted.by_code[gone].get()).sum();
        let help = "Requests of uploads whose client went away in the midst.";
        text.single("wharf_uploads_interrupted_total", Kind::Counter, help, count);
    }
}

impl Counts for Requests {
    fn add(&self, other: &Self) {
        for (handler, other) in self.handlers.iter().zip(&other.handlers) {
            handler.begun.add(other.begun.get());
            handler.ended.add(other.ended.get());
            handler.received.add(&other.received);
            handler.sent.add(&other.sent);
            for (method, other) in handler.by_method.iter().zip(&other.by_method) {
                method.seconds.add(&other.seconds);
                method.by_code.iter().zip(&other.by_code).for_each(|(count, other)| count.add(other.get()));
            }
        }
        self.limited.iter().zip(&other.limited).for_each(|(count, other)| count.add(other.get()));
    }
}

/// The place of a status in [`CODES`].
fn code(status: u16) -> usize {
    // Most requests succeed.
    if status == CODES[0].0 { 0 } else { CODES.binary_search_by_key(&status, |(code, _)| *code).unwrap_or(CODES.len()) }
}

fn method(method: Option<&Method>) -> usize {
    match method {
        Some(&Method::GET) => 0,
        Some(&Method::HEAD) => 1,
        Some(&Method::POST) => 2,
        Some(&Method::PUT) => 3,
        Some(&Method::PATCH) => 4,
        Some(&Method::DELETE) => 5,
        Some(&Method::OPTIONS) => 6,
        _ => METHODS.len() - 1,
    }
}

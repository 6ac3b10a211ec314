//! The record of each request, given to listeners when its answer has been sent. The log line is made by one of them.

use std::{
    fmt::Debug,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{Method, StatusCode},
};

use super::{
    Route, SendfileSlot, Service,
    error_body::{Limit, Reason},
    observed_body::{BodyObserver, observe},
};
use crate::{oci::RepositoryName, registry::CacheStatus};

/// The most characters of a path or a reason in the log.
const LONGEST: usize = 300;

/// The route of a request whose path names nothing.
const NO_ROUTE: &str = "-";

/// The status in the log of a request that nobody waited for. No answer has it; nginx uses the same number.
const CLIENT_GONE: u16 = 499;

/// The facts about a request and its answer. It never has the query, a header or a body: they may hold secrets.
#[derive(Debug)]
pub struct RequestRecord {
    listeners: Arc<[Arc<dyn RequestListener>]>,
    begun: Instant,
    /// The method; `None` for bytes that are no request.
    pub method: Option<Method>,
    /// The row of a router's table; `-` if the path names nothing.
    pub route: &'static str,
    /// The path, if it names nothing.
    pub path: Option<String>,
    /// The repository that the path names.
    pub repository: Option<RepositoryName>,
    /// The user, once the sender is known.
    pub user: Option<String>,
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// The status of the answer; 499 if the client went away before it.
    pub status: StatusCode,
    /// Why the answer is a 4xx.
    pub reason: Option<String>,
    /// The limit behind a 429.
    pub limit: Option<Limit>,
    /// Where the content of the answer came from, in a repository that an upstream fills.
    pub cache: Option<CacheStatus>,
    /// How many bytes the request has: its first line, its fields, and the body that they announce.
    pub size: u64,
    /// How many bytes of the answer's body were sent.
    pub bytes: u64,
    /// The trace that the request belongs to ([W3C Trace Context](https://www.w3.org/TR/trace-context/)).
    pub traceparent: Option<String>,
    /// Whether the listeners are still to be told.
    is_due: bool,
}

/// Is told of each request when its answer has been sent. Its methods must not block.
pub trait RequestListener: Debug + Send + Sync {
    /// The resource of a request is known. [`ended`](Self::ended) follows.
    fn begun(&self, route: Route) {
        let _ = route;
    }

    /// A request has ended.
    fn ended(&self, record: &RequestRecord);
}

/// The listener that writes one line in the log for each request.
#[derive(Debug)]
pub struct AccessLog;

impl RequestListener for AccessLog {
    fn ended(&self, record: &RequestRecord) {
        tracing::info!(
            target: "wharf::access",
            method = record.method.as_ref().map_or("-", Method::as_str),
            route = record.route,
            path = record.path,
            repository = record.repository.as_ref().map(tracing::field::display),
            status = record.status.as_u16(),
            reason = record.reason,
            cache = record.cache.map(CacheStatus::as_str),
            bytes = record.bytes,
            milliseconds = u64::try_from(record.elapsed().as_millis()).unwrap_or(u64::MAX),
            user = record.user,
            address = record.address.as_ref().map(tracing::field::display),
            traceparent = record.traceparent,
        );
    }
}

impl RequestRecord {
    pub(super) fn begin(request: &HttpRequest, service: &Service, address: Option<IpAddr>) -> Self {
        let mut record = Self::of_no_request(service, address, Instant::now());
        record.method = Some(request.method().clone());
        let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
        record.traceparent = traceparent.filter(|text| is_traceparent(text)).map(str::to_owned);
        record
    }

    /// For bytes that could not be parsed.
    pub(super) fn of_no_request(service: &Service, address: Option<IpAddr>, begun: Instant) -> Self {
        Self {
            is_due: !service.listeners.is_empty(),
            listeners: Arc::clone(&service.listeners),
            begun,
            method: None,
            route: NO_ROUTE,
            path: None,
            repository: None,
            user: None,
            address,
            status: StatusCode::OK,
            reason: None,
            limit: None,
            cache: None,
            size: 0,
            bytes: 0,
            traceparent: None,
        }
    }

    /// The time since the request came.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn route(&mut self, route: Route) {
        self.route = route.template;
        self.listeners.iter().for_each(|listener| listener.begun(route));
    }

    /// Whether the path named a resource.
    #[must_use]
    pub fn has_route(&self) -> bool {
        self.route != NO_ROUTE
    }

    pub(super) fn path(&mut self, path: &str) {
        self.path = Some(path.chars().take(LONGEST).collect());
    }

    pub(super) fn repository(&mut self, name: Option<&RepositoryName>) {
        self.repository = name.cloned();
    }

    pub(super) fn user(&mut self, user: Option<&str>) {
        self.user = user.map(str::to_owned);
    }

    /// Writes the line now, or, if the answer is a stream, at its end: a download that breaks off is seen to.
    pub(super) fn end(self, request: &HttpRequest, response: HttpResponse) -> HttpResponse {
        self.end_with(request.conn_data().cloned(), response)
    }

    /// The same for an answer that is no stream, and to no request.
    pub(super) fn end_of(self, response: HttpResponse) -> HttpResponse {
        self.end_with(None, response)
    }

    fn end_with(mut self, slot: Option<SendfileSlot>, mut response: HttpResponse) -> HttpResponse {
        if !self.is_due {
            return response;
        }
        self.status = response.status();
        self.cache = response.extensions().get().copied();
        if self.status.is_client_error() || self.status == StatusCode::SERVICE_UNAVAILABLE {
            let reason = response.extensions_mut().remove::<Reason>();
            self.limit = reason.as_ref().and_then(|reason| reason.limit);
            self.reason = reason.map(|reason| reason.text.chars().take(LONGEST).collect());
        }
        observe(response, Ended { record: self, slot })
    }

    fn tell(&mut self) {
        if std::mem::take(&mut self.is_due) {
            self.listeners.iter().for_each(|listener| listener.ended(self));
        }
    }
}

/// Has the record say where the content of an answer came from.
pub fn note_cache(response: &mut HttpResponseBuilder, cache: Option<CacheStatus>) {
    if let Some(cache) = cache {
        response.extensions_mut().insert(cache);
    }
}

/// Whether a text is a `traceparent` of version 00.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_nonzero = |part: &str| part.bytes().any(|byte| byte != b'0');
    match text.split('-').collect::<Vec<_>>()[..] {
        ["00", trace, parent, flags] => {
            (trace.len(), parent.len(), flags.len()) == (32, 16, 2)
                && [trace, parent, flags].into_iter().all(is_hex)
                && is_nonzero(trace)
                && is_nonzero(parent)
        }
        _ => false,
    }
}

impl Drop for RequestRecord {
    /// A request whose client went away while it was worked on has a line as well: what it asked for may have been
    /// done.
    fn drop(&mut self) {
        if self.is_due {
            self.status = StatusCode::from_u16(CLIENT_GONE).unwrap_or(StatusCode::BAD_REQUEST);
            self.reason =
                Some("the client went away before the answer; what it asked for may have been done".to_owned());
            self.tell();
        }
    }
}

/// Ends a record with the body of its answer.
struct Ended {
    record: RequestRecord,
    /// Where bytes may go that are not seen here.
    slot: Option<SendfileSlot>,
}

impl BodyObserver for Ended {
    fn piece(&mut self, bytes: &[u8]) {
        self.record.bytes += bytes.len() as u64;
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.record.bytes += self.slot.as_ref().map_or(0, SendfileSlot::take_sent);
        self.record.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_logged_only_if_it_is_well_formed() {
        let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        assert!(is_traceparent(&format!("00-{trace}-{parent}-01")));
        for bad in [
            String::new(),
            format!("00-{trace}-{parent}"),
            format!("01-{trace}-{parent}-01"),
            format!("00-{trace}-{parent}-01-x"),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{trace}-{parent}-0\n"),
        ] {
            assert!(!is_traceparent(&bad), "{bad}");
        }
    }
}

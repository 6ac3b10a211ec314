//! One line a request, when its answer has been sent.

use std::{
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::{Method, StatusCode},
};
use bytes::Bytes;

use super::{Outlet, Proxies, Route};
use crate::oci::RepositoryName;

/// Why an answer is a 4xx, kept with it for the log.
pub(super) struct Reason(pub(super) String);

/// The most characters of a path or a reason in the log.
const LONGEST: usize = 300;

/// The status in the log of a request that nobody waited for. No answer has it; nginx uses the same number.
const CLIENT_GONE: u16 = 499;

/// What the line will say. Never the query, a header or a body: they may hold secrets.
pub(super) struct Record {
    begun: Instant,
    method: Option<Method>,
    route: &'static str,
    /// The path, where it is of no route.
    path: Option<String>,
    repository: Option<RepositoryName>,
    user: Option<String>,
    address: Option<IpAddr>,
    status: StatusCode,
    reason: Option<String>,
    bytes: u64,
    /// Whether the line is still to be written.
    is_due: bool,
}

impl Record {
    /// `is_kept`: whether the line is wanted at all.
    pub(super) fn begin(request: &HttpRequest, proxies: &Proxies, is_kept: bool) -> Self {
        Self {
            is_due: is_kept,
            begun: Instant::now(),
            method: Some(request.method().clone()),
            route: "-",
            path: None,
            repository: None,
            user: None,
            address: proxies.client(request),
            status: StatusCode::OK,
            reason: None,
            bytes: 0,
        }
    }

    /// For what could not be parsed.
    pub(super) fn of_no_request(address: Option<IpAddr>, begun: Instant) -> Self {
        Self {
            is_due: true,
            begun,
            method: None,
            route: "-",
            path: None,
            repository: None,
            user: None,
            address,
            status: StatusCode::OK,
            reason: None,
            bytes: 0,
        }
    }

    pub(super) fn route(&mut self, route: Route) {
        self.route = route.template;
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

    fn end_with(mut self, outlet: Option<Outlet>, mut response: HttpResponse) -> HttpResponse {
        if !self.is_due {
            return response;
        }
        self.status = response.status();
        if self.status.is_client_error() {
            let reason = response.extensions_mut().remove::<Reason>();
            self.reason = reason.map(|Reason(text)| text.chars().take(LONGEST).collect());
        }
        response.map_body(|_, body| match body.try_into_bytes() {
            Ok(bytes) => {
                self.bytes = bytes.len() as u64;
                self.write();
                BoxBody::new(bytes)
            }
            Err(body) => BoxBody::new(Logged { body, outlet, log: self }),
        })
    }

    fn write(&mut self) {
        if !std::mem::take(&mut self.is_due) {
            return;
        }
        tracing::info!(
            target: "wharf::access",
            method = self.method.as_ref().map_or("-", Method::as_str),
            route = self.route,
            path = self.path,
            repository = self.repository.as_ref().map(tracing::field::display),
            status = self.status.as_u16(),
            reason = self.reason,
            bytes = self.bytes,
            milliseconds = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            user = self.user,
            address = self.address.as_ref().map(tracing::field::display),
        );
    }
}

impl Drop for Record {
    /// A request whose client went away while it was worked on has a line as well: what it asked for may have been done.
    fn drop(&mut self) {
        if self.is_due {
            self.status = StatusCode::from_u16(CLIENT_GONE).unwrap_or(StatusCode::BAD_REQUEST);
            self.reason =
                Some("the client went away before the answer; what it asked for may have been done".to_owned());
            self.write();
        }
    }
}

/// A body that writes the line when it is over.
struct Logged {
    body: BoxBody,
    /// Where bytes may go that are not seen here.
    outlet: Option<Outlet>,
    log: Record,
}

impl MessageBody for Logged {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let piece = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(bytes))) = &piece {
            self.log.bytes += bytes.len() as u64;
        }
        piece
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.log.bytes += self.outlet.as_ref().map_or(0, Outlet::take_sent);
        self.log.write();
    }
}

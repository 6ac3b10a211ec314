//! Fields that every answer has.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, BoxBody, MessageBody},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};
use bytes::Bytes;
use serde::Serialize;

use super::{Service, Settings};

/// Headers of a kind of answers. They are made when the program is compiled, and so cost a request no parsing.
pub type Fixed = &'static [(HeaderName, HeaderValue)];

/// One of them. The name is in lower case.
#[must_use]
pub const fn field(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// The headers that protect content and data: browsers neither show, run nor embed them.
pub static DATA: [(HeaderName, HeaderValue); 5] = [
    field("x-content-type-options", "nosniff"),
    field("content-security-policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
    field("x-frame-options", "DENY"),
    field("referrer-policy", "no-referrer"),
    field("cross-origin-resource-policy", "same-origin"),
];

static STRICT_TRANSPORT_SECURITY: (HeaderName, HeaderValue) = field("strict-transport-security", "max-age=31536000");

/// Adds the headers that an answer still lacks: `fixed` are those of its router. The operator's own stand over all
/// others.
pub(super) fn complete(service: &Service, fixed: [Fixed; 2], response: &mut HttpResponse) {
    let (settings, headers) = (&service.settings, response.headers_mut());
    for (name, value) in fixed.into_iter().flatten() {
        headers.insert(name.clone(), value.clone());
    }
    if !service.authenticator.is_open() {
        // An answer to one sender is not for another (RFC 9110, section 12.5.5).
        headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
    }
    if settings.tls {
        let (name, value) = STRICT_TRANSPORT_SECURITY.clone();
        headers.insert(name, value);
    }
    add_own(settings, headers);
}

fn add_own(settings: &Settings, headers: &mut HeaderMap) {
    for (name, values) in &settings.headers {
        // The settings were checked when they were read.
        let Ok(name) = HeaderName::try_from(name.as_str()) else { continue };
        headers.remove(&name);
        for value in values.iter().filter_map(|value| HeaderValue::from_str(value).ok()) {
            headers.append(name.clone(), value);
        }
    }
}

/// How long an answer stays right.
#[derive(Clone, Copy)]
pub(crate) enum Freshness {
    /// Content that is named by its digest never changes.
    ForEver,
    /// The target of a tag may change at any time.
    AskAgain,
}

impl Freshness {
    /// The value of `Cache-Control`. Shared caches do not keep content that not everybody may read.
    pub(crate) fn of(self, private: bool) -> &'static str {
        match (self, private) {
            (Self::ForEver, false) => "max-age=31536000, immutable",
            (Self::ForEver, true) => "private, max-age=31536000, immutable",
            (Self::AskAgain, false) => "no-cache",
            (Self::AskAgain, true) => "private, no-cache",
        }
    }
}

/// An answer in JSON, which ends with a newline as registry:2's do.
pub(crate) fn json(mut response: HttpResponseBuilder, value: &impl Serialize) -> HttpResponse {
    // The answers are made of strings and lists, which can always be written.
    let mut body = serde_json::to_vec(value).unwrap_or_default();
    body.push(b'\n');
    response.content_type("application/json; charset=utf-8").body(body)
}

/// HEAD is answered as GET, without the body: its length stays, and nothing of it is read.
pub(super) fn without_body_if_head(request: &HttpRequest, response: HttpResponse) -> HttpResponse {
    if request.method() != Method::HEAD {
        return response;
    }
    response.map_body(|_, body| match body.size() {
        BodySize::Sized(len) => only_length(len),
        BodySize::None | BodySize::Stream => body,
    })
}

/// A body that says how long it is and yields nothing.
pub(crate) fn only_length(len: u64) -> BoxBody {
    BoxBody::new(OnlyLength(len))
}

struct OnlyLength(u64);

impl MessageBody for OnlyLength {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

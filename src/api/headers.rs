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

use super::{Api, Incoming, Settings};
use crate::oci::{Digest, EntityTags, Preconditions};

/// Nothing that is served here is meant to be shown, run or embedded by a browser.
const SECURITY: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Adds what an answer still lacks, the operator's own fields over all others.
pub(super) fn complete(api: &Api, is_of_the_api: bool, response: &mut HttpResponse) {
    let (settings, headers) = (&api.settings, response.headers_mut());
    for (name, value) in SECURITY {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if is_of_the_api {
        let name = HeaderName::from_static("docker-distribution-api-version");
        headers.insert(name, HeaderValue::from_static("registry/2.0"));
    }
    if !api.authenticator.is_open() {
        // What one is answered is not for another (RFC 9110, section 12.5.5).
        headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
    }
    if settings.tls {
        let name = HeaderName::from_static("strict-transport-security");
        headers.insert(name, HeaderValue::from_static("max-age=31536000"));
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
pub(super) enum Freshness {
    /// What is named by its digest never changes.
    ForEver,
    /// What a tag means may change at any time.
    AskAgain,
}

impl Freshness {
    /// The value of `Cache-Control`. What not everybody may read is kept out of caches that serve several.
    pub(super) fn of(self, private: bool) -> &'static str {
        match (self, private) {
            (Self::ForEver, false) => "max-age=31536000, immutable",
            (Self::ForEver, true) => "private, max-age=31536000, immutable",
            (Self::AskAgain, false) => "no-cache",
            (Self::AskAgain, true) => "private, no-cache",
        }
    }
}

/// Says which content this is.
pub(super) fn identify(response: &mut HttpResponseBuilder, digest: &Digest) {
    response.insert_header(("Docker-Content-Digest", digest.to_string()));
    response.insert_header((header::ETAG, format!("\"{digest}\"")));
}

impl Incoming<'_> {
    /// The conditions on what the path names (RFC 9110, section 13.1).
    pub(super) fn preconditions(&self) -> Preconditions {
        Preconditions {
            if_match: self.entity_tags(&header::IF_MATCH),
            if_none_match: self.entity_tags(&header::IF_NONE_MATCH),
        }
    }

    fn entity_tags(&self, name: &HeaderName) -> Option<EntityTags> {
        // What is no text is no tag of ours, and stays a member of the list.
        let lines = self.request.headers().get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let lines: Vec<_> = lines.collect();
        (!lines.is_empty()).then(|| EntityTags::parse(lines.iter().map(AsRef::as_ref)))
    }

    /// The `Range` that is asked for, unless it is to be passed over: it counts for GET alone, and with `If-Range` only for the same
    /// content (RFC 9110, section 13.1.5).
    pub(super) fn range(&self, digest: &Digest) -> Option<&str> {
        let field = |name| self.request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if self.request.method() != Method::GET {
            return None;
        }
        let same = self.entity_tags(&header::IF_RANGE).is_none_or(|tags| tags.is_exactly(digest));
        field(header::RANGE).filter(|_| same)
    }

    /// Whether the answer is not for everybody.
    pub(super) fn is_private(&self) -> bool {
        !self.api.authenticator.is_open()
    }
}

/// An answer in JSON, which ends with a newline as registry:2's do.
pub(super) fn json(mut response: HttpResponseBuilder, value: &impl Serialize) -> HttpResponse {
    // What is answered is made of strings and lists, which can always be written.
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
pub(super) fn only_length(len: u64) -> BoxBody {
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
